"""Finds the quoted part of a reply among its rows: the first sign of it that can be trusted."""

import re
from dataclasses import dataclass

from emailflow.inbound.parsing.quoting.attribution import MAX_JOINED, Trust, attribution, may_end
from emailflow.inbound.parsing.quoting.outlook import (
    MAX_BLOCK,
    block_start,
    header_block,
    is_forward,
    is_original,
    is_rule,
    label,
)
from emailflow.inbound.parsing.quoting.rows import Rows

MIN_BARE = 3  # quoted rows without a word about who wrote them
MAX_TRIED = 60  # possible beginnings of a quote
WRAPPED = 60  # characters of a quoted line that may have been broken


_GREETING = re.compile(
    r"(?:hej|hejsa|hei|god ?dag|kære|hi|hello|dear|hallo|guten tag|sehr geehrte|liebe|moin|bonjour|hola|beste|geachte)"
    r"\b(?:\W{1,3}\w{1,30}){0,4}\W{0,3}",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"[A-Z]{1,4}>(?!\S{20})")


@dataclass(frozen=True, slots=True)
class Quote:
    """Rows ``first`` to before ``end`` are the quote; its own text begins at ``body``."""

    first: int
    body: int
    end: int
    reason: str
    is_marked: bool = False  # each row of it carries a sign, so that own text below shows


def find_quote(rows: Rows, hard: int) -> tuple[Quote | None, str]:
    """The quote, or None and why there is none. ``hard`` is where the HTML says that it begins, or -1."""
    sign = _first_sign(rows, hard)
    if sign is None:
        return None, "no quote"
    if isinstance(sign, str):
        return None, sign
    return _below(rows, sign)


def _first_sign(rows: Rows, hard: int) -> Quote | str | None:
    """The first trusted sign of a quote; a word instead of it says why the rest must stay."""
    tried = 0
    unsure = False
    for row in range(len(rows)):
        words = rows.words[row]
        if 0 <= hard <= rows.content(row):
            return _container(rows, row)
        if row == rows.delimiter and row and not rows.quoted[row]:
            return Quote(row, row, len(rows), "reply line")
        if rows.quoted[row]:
            if row and rows.quoted[row - 1]:
                continue
            sign = _quoted_block(rows, row)
            if sign is not None:
                return sign
            continue
        if is_forward(words):
            return "forward"
        if words[0] in "-_=*–—" and is_original(words):
            return _opened(rows, row, _behind_labels(rows, row + 1), "original message", 1)
        if tried > MAX_TRIED:
            continue
        if may_end(words):
            tried += 1
            follows = row + 1 < len(rows) and (rows.quoted[row + 1] or row + 1 == rows.delimiter)
            first, trust = attribution(rows, row, quote_follows=follows)
            if trust is Trust.SURE:
                return _opened(rows, first, row + 1, "attribution")
            unsure = unsure or trust is Trust.WEAK
        if label(words) == "from":
            tried += 1
            first = block_start(rows, row)
            body = header_block(rows, first)
            if body:
                return _headers(rows, first, body)
    return "unsure" if unsure else None


def _opened(rows: Rows, first: int, body: int, reason: str, near: int = MIN_BARE) -> Quote:
    """A quote whose introduction is found; the line drawn above belongs to it."""
    while first > 0 and is_rule(rows.words[first - 1]) and not rows.quoted[first - 1]:
        first -= 1
    return Quote(first, body, len(rows), reason, is_marked=_is_marked(rows, range(body, min(body + near, len(rows)))))


def _is_marked(rows: Rows, near: range) -> bool:
    """Whether the quoted rows carry a sign: one among the first shows that the program sets them.

    Some set the writer's initials before it ("BM> text"): a sign behind an attribution, nowhere else.
    """
    if any(_INITIALS.match(rows.words[row]) for row in near):
        for row in range(near.start, len(rows)):
            rows.quoted[row] = rows.quoted[row] or _INITIALS.match(rows.words[row]) is not None
    return any(rows.quoted[row] for row in near)


def _behind_labels(rows: Rows, row: int) -> int:
    behind = header_block(rows, row) if row < len(rows) else 0
    if behind:
        return behind
    until = min(len(rows), row + MAX_BLOCK)
    while row < until and label(rows.words[row]):
        row += 1
    return row


def _headers(rows: Rows, first: int, body: int) -> Quote | str:
    above = first - 1
    while above >= 0 and is_rule(rows.words[above]):
        above -= 1
    if above < 0:
        return "nothing above"
    if is_forward(rows.words[above]):
        return "forward"
    if rows.words[above][-1] == ":" and not label(rows.words[above]):
        return "introduced by the writer"
    return _opened(rows, first, body, "header block", 1)


def _container(rows: Rows, row: int) -> Quote | str:
    """What the HTML calls a quote; programs wrap forwarded mails in the same element."""
    if row == 0:
        return "nothing above"
    for ahead in range(row, min(row + 3, len(rows))):
        if is_forward(rows.words[ahead]):
            return "forward"
    body = row
    for ahead in range(row, min(row + 6, len(rows))):
        if rows.quoted[ahead]:
            # The attribution stands between the container and the quoted text.
            return _opened(rows, row, ahead, "quote in HTML")
    return _opened(rows, row, body, "quote in HTML")


def _quoted_block(rows: Rows, row: int) -> Quote | None:
    """A block of quoted rows that no attribution above introduced."""
    end = row
    while end < len(rows) and rows.quoted[end]:
        end += 1
    if rows.lines[rows.at[row]].lstrip()[0] != ">":
        return Quote(row, row, len(rows), "quote in HTML", is_marked=True)
    # Python's prompt, not a quote in a quote.
    if all(rows.lines[rows.at[each]].lstrip().startswith(">>>") for each in range(row, min(end, row + 50))):
        return None
    if row <= rows.delimiter < end:
        return Quote(row, row, len(rows), "reply line", is_marked=True)
    for each in range(row, min(row + 6, end)):
        if may_end(rows.words[each]):
            follows = each + 1 < end
            if attribution(rows, each, quote_follows=follows)[1] is Trust.SURE:
                return Quote(row, row, len(rows), "attribution", is_marked=True)
        if label(rows.words[each]) == "from" and header_block(rows, block_start(rows, each)):
            return Quote(row, row, len(rows), "header block", is_marked=True)
    introduced = row > 0 and rows.words[row - 1][-1] == ":"
    if introduced and not may_be_attribution(rows.words[row - 1]):
        return None
    if end - row >= MIN_BARE and (rows.follows_blank(row) or introduced):
        return Quote(row, row, len(rows), "quote marks", is_marked=True)
    return None


def may_be_attribution(words: str) -> bool:
    """Whether the row ends like "Ole skrev:"; together with quoted rows below that is enough to cut those."""
    last = words.rstrip(": ").rpartition(" ")[2].lower()
    return last in ("wrote", "writes", "skrev", "skriver", "schrieb", "schreef", "écrit", "escribió", "said", "says")


def _below(rows: Rows, sign: Quote) -> tuple[Quote | None, str]:
    """The sign with its end: own text below a marked quote stays, and between two of them everything does."""
    if not sign.is_marked:
        if sign.reason == "attribution" and all(_GREETING.fullmatch(words) for words in rows.words[: sign.first]):
            # A greeting alone answers nothing: the answer may stand below, where nothing sets it apart.
            return None, "only a greeting above"
        return (sign, "") if sign.first else (None, "nothing above")
    last = max(row for row in range(sign.body, len(rows)) if rows.quoted[row])
    row = sign.body
    tried = 0
    while row < last:
        if not rows.quoted[row] and not _is_broken_off(rows, row):
            tried += 1
            behind = _behind_attribution(rows, row) if tried <= MAX_TRIED else 0
            if not behind:
                return None, "interleaved"
            row = behind
        row += 1
    return Quote(sign.first, sign.body, last + 1, sign.reason, is_marked=True), ""


def _behind_attribution(rows: Rows, row: int) -> int:
    """The quoted row below, if what begins in this row introduces it: an older mail, quoted under the newer; or 0."""
    for end in range(row, min(row + MAX_JOINED, len(rows) - 1)):
        if rows.quoted[end + 1]:
            first, trust = attribution(rows, end, quote_follows=True)
            return end + 1 if trust is Trust.SURE and first <= row else 0
    return 0


def _is_broken_off(rows: Rows, row: int) -> bool:
    """Whether the row is the end of the quoted line above, which a program broke on the way."""
    above = row - 1
    return (
        rows.quoted[above]
        and rows.quoted[row + 1]
        and rows.at[row + 1] - rows.at[above] == 2
        and len(rows.words[above]) >= WRAPPED
        and rows.words[above][-1] not in ".?!:;"
        and rows.words[row][0].islower()
    )
