"""Where mail programs put a quote into HTML, carried over into the text that is made of it.

``mark`` puts noncharacters (Unicode section 23.7), which no text may hold, behind the tags in question; they go through
the sanitiser and the conversion to text like any others, and ``unmark`` takes them out and says where they were.
So this package needs no HTML parser, and whoever makes the text may do so in another process.
"""

import re
from dataclasses import dataclass

from emailflow.inbound.parsing.quoting.rows import Span

BEGIN, END, HARD = "\ufdd0", "\ufdd1", "\ufdd2"
_MARKS = re.compile(f"[{BEGIN}{END}{HARD}]")
MAX_TAGS = 10_000
MAX_HTML = 500_000  # what is longer goes without marks
# Cheap to look for; most HTML holds none of them.
_STEMS = ("<blockquote", "gmail_", "RplyFwdMsg", "appendonsend", "moz-cite", "yahoo_quoted", "stopSpelling", "OLK_SRC")
_TAG = re.compile(r"<(/?)(div|blockquote|span|hr)\b([^<>]{0,600})>", re.IGNORECASE)
# Whole elements that are quoted text.
_CITE = re.compile(r"\btype\s{0,3}=\s{0,3}[\"']?cite", re.IGNORECASE)
_QUOTED = ("gmail_attr", "moz-cite-prefix", "yahoo_quoted", "OLK_SRC_BODY_SECTION")
# Everything behind them is quoted text, unless it says otherwise.
_HARD = ("gmail_quote", "divRplyFwdMsg", "appendonsend", "stopSpelling")


@dataclass(frozen=True, slots=True)
class Marks:
    """Positions in the text: elements that are quoted, and where a container of a quote begins (-1: nowhere)."""

    spans: tuple[Span, ...] = ()
    hard: int = -1


def mark(html: str) -> str:
    """The HTML with marks where a quote begins and ends; in linear time."""
    if len(html) > MAX_HTML or not (any(stem in html for stem in _STEMS) or "<BLOCKQUOTE" in html):
        return html
    html = _MARKS.sub("", html)
    pieces: list[str] = []
    position = 0
    hard = False
    depth = 0  # of elements of the same name inside a quoted one
    name = ""
    for count, tag in enumerate(_TAG.finditer(html)):
        if count >= MAX_TAGS:
            return html
        element = tag[2].lower()
        sign = ""
        if depth:
            if element != name:
                continue
            depth += -1 if tag[1] else 1
            if depth:
                continue
            pieces += (html[position : tag.start()], END)
            position = tag.start()
            continue
        if tag[1]:
            continue
        # A blockquote without a word that it cites is an indented paragraph of the writer.
        if _is_quoted(element, tag[3]):
            sign, depth, name = BEGIN, 1, element
        elif not hard and any(word in tag[3] for word in _HARD):
            sign, hard = HARD, True
        if sign:
            pieces += (html[position : tag.end()], sign)
            position = tag.end()
    pieces.append(html[position:])
    return "".join(pieces)


def _is_quoted(element: str, attributes: str) -> bool:
    if element == "blockquote" and ("gmail_quote" in attributes or _CITE.search(attributes)):
        return True
    return any(word in attributes for word in _QUOTED)


def without_marks(html: str) -> str:
    return _MARKS.sub("", html) if _MARKS.search(html) else html


def unmark(text: str) -> tuple[str, Marks]:
    """The text without the marks, and where they stood."""
    if not _MARKS.search(text):
        return text, Marks()
    pieces: list[str] = []
    spans: list[Span] = []
    hard = begin = -1
    length = position = 0
    for found in _MARKS.finditer(text):
        pieces.append(text[position : found.start()])
        length += found.start() - position
        position = found.end()
        if found[0] == HARD:
            hard = length if hard < 0 else hard
        elif found[0] == BEGIN:
            begin = length if begin < 0 else begin
        elif begin >= 0:
            spans.append((begin, length))
            begin = -1
    pieces.append(text[position:])
    # An element that is never closed may end anywhere: nothing is said about it.
    return "".join(pieces), Marks(tuple(spans), hard)
