"""The entry: which part of a mail's text is new, and where and why the rest was cut.

Called by ``parse`` in the process that reads the mail: every step is linear in the text, which is looked at up to
MAX_TRIMMED characters. Above all it loses nothing that the customer wrote: where a quote cannot be told from own
text, everything stays. Nothing is deleted; the whole text is kept beside the new part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emailflow.inbound.parsing.quoting.delimiter import delimiter_row
from emailflow.inbound.parsing.quoting.html import Marks
from emailflow.inbound.parsing.quoting.known import Known, known_of, known_tail
from emailflow.inbound.parsing.quoting.languages import POINTERS
from emailflow.inbound.parsing.quoting.quotes import Quote, find_quote
from emailflow.inbound.parsing.quoting.rows import Rows, rows_of
from emailflow.inbound.parsing.quoting.signature import signature_start

MAX_TRIMMED = 100_000
_UNQUOTED = re.compile(r"^(?![ \t]{0,8}>)[ \t]{0,8}[^\s>]", re.MULTILINE)
_POINTER = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, POINTERS))})(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is folded: positions in the text, and the reason in a word or two."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The new part with and without its signature, and the cuts that made it. ``kept`` says why there is no cut."""

    reply: str
    unsigned: str
    quote: Cut | None = None
    signature: Cut | None = None
    kept: str = ""


def trim(text: str, *, html: Marks | None = None, is_reply: bool, known: Sequence[str] = ()) -> Trimmed:
    """The new part of ``text``. Pure; never raises, and never gives nothing for a text that holds something.

    ``html`` are the marks of a text that was made of HTML, ``is_reply`` whether the mail is an answer at all,
    ``known`` what is already in the thread.
    """
    rows = rows_of(text, MAX_TRIMMED, list(html.spans) if html else None)
    rows.delimiter = delimiter_row(rows, is_reply=is_reply)
    if not is_reply and (rows.delimiter < 1 or rows.quoted[rows.delimiter]):
        return _whole(text, rows, "no reply")
    found, kept = find_quote(rows, html.hard if html else -1)
    compared = known_of(known)
    if compared is not None:
        found, kept = _compare(rows, found, kept, compared)
    if found is None:
        return _whole(text, rows, kept)
    if _points_down(rows, found.first):
        return _whole(text, rows, "answers below")
    if found.end >= len(rows) and not rows.complete:
        rest = text[rows.end(len(rows) - 1) :]
        if found.is_marked and _UNQUOTED.search(rest):
            return _whole(text, rows, "too long")
    cut = Cut(rows.start(found.first), rows.start(found.end) if found.end < len(rows) else len(text), found.reason)
    return _signed(text, rows, found.first, found.end, cut)


def _whole(text: str, rows: Rows, kept: str) -> Trimmed:
    if not rows.complete or not len(rows):
        return Trimmed(text, text, kept=kept)
    begin = signature_start(rows, 0, len(rows), is_reply=kept != "no reply")
    if begin in (0, len(rows)):
        return Trimmed(text, text, kept=kept)
    at = rows.start(begin)
    return Trimmed(text, text[:at].rstrip(), None, Cut(at, len(text), "signature"), kept)


def _signed(text: str, rows: Rows, first: int, end: int, cut: Cut) -> Trimmed:
    """What stands above the quote and below it, with and without the signature at the end of each."""
    last = len(rows)
    above = text[: cut.start]
    below = text[cut.end :] if end < last else ""
    reply = _joined(above, below)
    if not reply:
        return Trimmed(text, text, kept="nothing else")
    top = signature_start(rows, 0, first)
    bottom = signature_start(rows, end - 1, last) if end < last else last
    signature = None
    if bottom < last:
        below = text[rows.start(end) : rows.start(bottom)]
        signature = Cut(rows.start(bottom), len(text), "signature")
    if 0 < top < first:
        above = text[: rows.start(top)]
        signature = Cut(rows.start(top), cut.start, "signature")
    return Trimmed(reply, _joined(above, below) or reply, cut, signature)


def _joined(above: str, below: str) -> str:
    above, below = above.rstrip(), below.strip("\n").rstrip()
    return f"{above}\n\n{below}" if above and below else above or below


def _points_down(rows: Rows, first: int) -> bool:
    """Whether the own text says that answers stand below."""
    return any(_POINTER.search(words) for words in rows.words[max(0, first - 60) : first])


def _compare(rows: Rows, found: Quote | None, kept: str, known: Known) -> tuple[Quote | None, str]:
    """The quote after a look at what is known: unmarked text that we never sent is the customer's."""
    if found is not None and found.is_marked:
        return found, kept
    if kept and found is None and kept not in ("no quote", "unsure"):
        return found, kept
    head = found.body if found is not None else 0
    tail = known_tail(rows, known, head)
    if tail is None or tail.is_mixed:
        return None, "unknown text below"
    if found is None:
        first = tail.first
        return (Quote(first, tail.end, tail.end, "known text"), "") if first > 0 else (None, kept)
    if any(len(rows.words[row].split()) > 5 for row in range(found.body, tail.first)):
        return None, "unknown text below"
    return Quote(found.first, found.body, tail.end, found.reason), ""
