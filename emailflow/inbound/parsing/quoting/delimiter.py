"""The line above which an answer is to be written, as our own mails and other helpdesks draw it.

An exact marked line, not a phrase: customers write "svar over denne linje" themselves.
"""

import re

from emailflow.inbound.parsing.quoting.rows import Rows

MAX_LINE = 120
_OURS = re.compile(r"##- .{1,100} -##")
_DRAWN = re.compile(
    r"[-=_*#~]{2,40} ?(?:please )?(?:type|write|reply|add|enter|skriv|svar|bitte)\b.{0,60} (?:above|over|über)"
    r" (?:this|denne|dieser) (?:line|linje|zeile)\b.{0,30}? ?[-=_*#~]{2,40}",
    re.IGNORECASE,
)
_STEMS = ("##- ", "this line", "denne linje", "dieser Zeile")


def delimiter_row(rows: Rows, *, is_reply: bool) -> int:
    """The first row that is such a line, or -1. What other helpdesks draw counts only in a reply."""
    if not any(stem in rows.text for stem in _STEMS):
        return -1
    for row, words in enumerate(rows.words):
        if words[0] not in "-=_*#~" or not 8 < len(words) <= MAX_LINE:
            continue
        if _OURS.fullmatch(words) or (is_reply and _DRAWN.fullmatch(words)):
            return row
    return -1
