"""Where the signature begins: only at the end, only short lines that look like one, never a sentence."""

import re

from emailflow.inbound.parsing.quoting.languages import CLOSINGS, GET_APP, SENT_FROM
from emailflow.inbound.parsing.quoting.outlook import is_rule
from emailflow.inbound.parsing.quoting.rows import Rows

MAX_ROWS = 7  # below the closing
MAX_ROWS_ALONE = 5  # together, in a mail that answers nothing: there is no quote whose end would show the place
MAX_ROW = 90  # characters
_NAME = r"(?:[^\W\d_a-zæøåäöüéß][\w.'’-]{0,30}|af|von|van|de|der|og|and|&|/|@)"
_NAME_ROW = re.compile(rf"{_NAME}(?:[ ,]{{1,3}}{_NAME}){{0,5}}[ ,.!]{{0,2}}")
_FIRST = re.compile(rf"^(?:{'|'.join(CLOSINGS)})(?![^\W_])", re.IGNORECASE)
_MACHINE = re.compile(
    rf"(?:{SENT_FROM}(?:[ ][^\s,.?!]{{1,24}}){{0,5}}|{GET_APP}[^?!]{{0,60}})[.]?(?:[ ]?<[^<>]{{4,120}}>)?",
    re.IGNORECASE,
)
_CAPITAL = r"[^\W\d_a-zæøåäöü][\w.'’-]{0,25}"
# "/John", "-Anna Holm"; one word behind a dash is an item of a list.
_DASHED_NAME = re.compile(
    rf"(?:[/~]{_CAPITAL}|[-–—/~]{_CAPITAL}[ ](?:de |van |von |af )?{_CAPITAL})(?:[ ]{_CAPITAL}){{0,2}}"
)
_CONTACT = re.compile(
    r"https?://|www\.|\w@\w|\b(?:tlf|telefon|tel|phone|mobil|mobile|mob|cell|fax|direkte|direct|dir|cvr|ean|cvr-nr|web"
    r"|e-?mail|mail|adresse|address|website|handy|gsm)\b[ .:/#-]|^[TMEWFPD][ :.]{1,2}[+\d@hw]|^\+?[\d ()/-]{8,20}$"
    r"|\b\d{4,5}[ ][^\W\d_]{2,}",
    re.IGNORECASE,
)
# Words of a sentence, not of a name or a title.
_SPEECH = re.compile(
    r"\b(?:jeg|mig|du|dig|vi|os|jer|han|hun|ikke|har|kan|skal|vil|er|ring|skriv|send|svar|husk|venligst|gerne|men"
    r"|jag|mig|inte|är|i'm|i|me|my|you|we|us|not|please|call|but|is|are|do|don't|ich|mir|mich|wir|uns|nicht|bitte"
    r"|aber|ist|je|nous|pas|mais|ik|wij|niet|maar|no|por favor|pero)\b",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"p\.? ?s\b|n\.? ?b\b|obs\b|btw\b|edit\b", re.IGNORECASE)


def signature_start(rows: Rows, first: int, last: int, *, is_reply: bool = True) -> int:
    """The row in which the signature begins that ends before row ``last``, or ``last`` if there is none.

    Rows before ``first`` are not looked at, and something stays above.
    """
    begin = last
    most = MAX_ROWS + 1 if is_reply else MAX_ROWS_ALONE
    for row in range(last - 1, max(first, last - most - 1), -1):
        kind = _kind(rows, row, first)
        if kind in ("closing", "delimiter") and _is_tail(rows, row + 1, begin, last, loose=kind == "delimiter"):
            begin = row
        elif kind == "no":
            break
    while begin < last and begin - 1 > first and is_rule(rows.words[begin - 1]):
        begin -= 1
    return begin


def _kind(rows: Rows, row: int, first: int) -> str:
    words = rows.words[row]
    if len(words) > MAX_ROW * 2 or words[-1] == "?" or _POSTSCRIPT.match(words):
        return "no"
    if _MACHINE.fullmatch(words):
        return "closing"
    if words == "--" or (is_rule(words) and words[0] in "-_—–"):
        return "delimiter"
    if _is_closing(words):
        return "closing"
    if words[0] in "-–—/~" and rows.follows_blank(row) and row > first and _DASHED_NAME.fullmatch(words):
        above = rows.words[row - 1]
        return "other" if above[-1] == ":" or above[0] in "-–—/~*•" else "closing"
    return "other"


def _is_closing(words: str) -> bool:
    if len(words) > MAX_ROW or not _FIRST.match(words):
        return False
    # The closing in any case, the name behind it with capital letters.
    match = _FIRST.match(words)
    rest = words[match.end() :].lstrip(" ,.!/-") if match else ""
    return (
        not rest
        or _NAME_ROW.fullmatch(rest) is not None
        or (rest.lower().startswith("fra ") and _NAME_ROW.fullmatch(rest[4:]) is not None)
    )


def _is_tail(rows: Rows, start: int, begin: int, last: int, *, loose: bool) -> bool:
    """Whether the rows from ``start`` on look like the lines of a signature; from ``begin`` on they are known to."""
    if last - start > MAX_ROWS:
        return False
    return all(_is_line(rows.words[row], loose=loose) for row in range(start, begin))


def _is_line(words: str, *, loose: bool) -> bool:
    if len(words) > MAX_ROW or words[-1] == "?" or _POSTSCRIPT.match(words):
        return False
    if is_rule(words) or (_NAME_ROW.fullmatch(words) and not _SPEECH.search(words)):
        return True
    count = len(words.split())
    if not loose and _SPEECH.search(words):
        return False
    if _CONTACT.search(words):
        return count <= 9
    return count <= (5 if loose else 2) and words[-1] not in ".!:" and (loose or not words[0].islower())
