"""The line above which an answer is to be written, as our own mails and other helpdesks draw it.

An exact marked line, not a phrase: customers write "svar over denne linje" themselves.
"""

import re

MAX_LINE = 120
_OURS = re.compile(r"##- [^\n]{1,100} -##")
_DRAWN = re.compile(
    r"[-=_*#~]{2,40} ?(?:please )?(?:type|write|reply|add|enter|skriv|svar|bitte)\b[^\n]{0,60} (?:above|over|über)"
    r" (?:this|denne|dieser) (?:line|linje|zeile)\b[^\n]{0,30}? ?[-=_*#~]{2,40}",
    re.IGNORECASE,
)
_STEMS = ("##- ", "this line", "denne linje", "dieser Zeile")


def delimiter_position(text: str, *, is_reply: bool) -> int:
    """Where the line begins, if something stands above it; else -1."""
    if not any(stem in text for stem in _STEMS):
        lowered = text.lower()
        if not any(stem in lowered for stem in _STEMS):
            return -1
    position = 0
    for line in text.split("\n"):
        if 8 < len(line) <= MAX_LINE:
            words = line.strip(" \t>\r")
            if _OURS.fullmatch(words) or (is_reply and _DRAWN.fullmatch(words)):
                return position if text[:position].strip() else -1
        position += len(line) + 1
    return -1
