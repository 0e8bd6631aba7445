"""The line above a quote in which a mail program says who wrote it and when.

Never a verb and a date alone: customers write "Den 2. marts skrev jeg til jer:" themselves.
"""

import re
from enum import Enum

from emailflow.inbound.parsing.quoting.languages import MONTHS, PRONOUNS, STARTERS, VERBS, WEEKDAYS
from emailflow.inbound.parsing.quoting.rows import Rows

MAX_JOINED = 5  # lines
MAX_LENGTH = 500  # characters of them together


class Trust(Enum):
    """How sure it is that a program wrote the line."""

    NO = 0
    WEAK = 1  # verb, date and clock time; only together with text that is known to be quoted
    SURE = 2


def _any(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_VERB = re.compile(rf"(?<![^\W\d_])(?:{_any(VERBS)})(?![^\W\d_])", re.IGNORECASE)
_PRONOUN = re.compile(
    rf"(?<![^\W\d_])(?:{_any(VERBS)})[ ](?:{_any(PRONOUNS)})\b|\b(?:{_any(PRONOUNS)})[ ](?:{_any(VERBS)})(?![^\W\d_])",
    re.IGNORECASE,
)
_START = re.compile(
    rf"[\W_]{{0,12}}(?:(?:{_any(STARTERS)})(?=[ ,\d])|(?:{_any(WEEKDAYS)})[^\W\d_]{{0,9}}[.,]?[ ]|\d)", re.IGNORECASE
)
_WEEKDAY_ALONE = re.compile(rf"(?:{_any(STARTERS)})[ ](?:{_any(WEEKDAYS)})[^\W\d_]{{0,9}}[.,]?", re.IGNORECASE)
_DATE = re.compile(
    r"\b(?:19|20)\d\d(?!\d)|\b\d{1,4}[./-]\d{1,2}[./-]\d{2,4}\b"
    rf"|\b\d{{1,2}}(?:\.|st|nd|rd|th|er|º)?[ ](?:de )?(?:{_any(MONTHS)})"
    rf"|\b(?:{_any(MONTHS)})[^\W\d_]{{0,7}}\.?[ ]\d{{1,2}}\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:[01]?\d|2[0-3])[:.h][0-5]\d")
_ADDRESS = re.compile(r"\w@\w")
# The address in its brackets at the end, where only a verb may follow.
_ENDS_IN_ADDRESS = re.compile(r"@[^\s<>()]{1,200}[>)\]\"']{1,3}[ ]?(?:[^\W\d_]{1,12}(?:\(a\))?[ ]?){0,2}[ :*_-]{0,8}$")
_ENDS_IN_BARE_ADDRESS = re.compile(rf"@[\w.-]{{1,200}}[ ](?:{_any(VERBS)})[ :*_-]{{0,8}}$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…]$")
_LAST_WORDS = ("wrote", "writes", "skrev", "schrieb", "schreef", "écrit", "escribió", "scritto")


def may_end(words: str) -> bool:
    """Whether the row could be the last of an attribution; cheap, for every row of every mail."""
    last = words[-1]
    if last == ":":
        return True
    if last == "-" or last == "*":
        words = words.rstrip(" -*_")
        if words.endswith(":"):
            return True
    return words.endswith(_LAST_WORDS)


def attribution(rows: Rows, last: int, *, quote_follows: bool) -> tuple[int, Trust]:
    """The first row of the attribution that ends in row ``last``, and how much it can be trusted.

    Of several possible starts the later counts: what stands above may be the customer's. But a line that a
    program broke ("On Monday,") is joined to its beginning.
    """
    joined = ""
    weak: int | None = None
    found: int | None = None
    for first in range(last, max(-1, last - MAX_JOINED), -1):
        if first < last and (rows.at[first + 1] - rows.at[first] > 1 or rows.quoted[first] != rows.quoted[last]):
            break
        words = rows.words[first]
        if first < last and (_SENTENCE_END.search(words) and not _DATE.search(words)):
            break
        joined = f"{words} {joined}" if joined else words
        if len(joined) > MAX_LENGTH:
            break
        trust = _trust(joined, quote_follows=quote_follows)
        if trust is Trust.SURE:
            found = first
            break
        if trust is Trust.WEAK and weak is None:
            weak = first
    if found is not None:
        above = found - 1
        if above >= 0 and rows.at[found] - rows.at[above] == 1 and _WEEKDAY_ALONE.fullmatch(rows.words[above]):
            found = above
        return found, Trust.SURE
    return (weak, Trust.WEAK) if weak is not None else (last, Trust.NO)


def _trust(joined: str, *, quote_follows: bool) -> Trust:
    if not _DATE.search(joined):
        return Trust.NO
    starts = _START.match(joined) is not None
    verb = _VERB.search(joined) is not None
    clock = _CLOCK.search(joined) is not None
    address = _ADDRESS.search(joined) is not None
    if quote_follows:
        if _PRONOUN.search(joined) and not address:
            return Trust.NO
        # Name first: "Support <s@x> skrev den 2. marts 2026:".
        named = verb and address and len(joined) < 200
        return Trust.SURE if (starts and (verb or (clock and address))) or named else Trust.NO
    if not starts or _PRONOUN.search(joined):
        return Trust.NO
    if _ENDS_IN_ADDRESS.search(joined) and (verb or clock):
        return Trust.SURE
    if clock and _ENDS_IN_BARE_ADDRESS.search(joined):
        return Trust.SURE
    return Trust.WEAK if verb and clock else Trust.NO
