"""The block of headers that Outlook and its like write above a quote, and the lines of dashes around it."""

import re

from emailflow.inbound.parsing.quoting.languages import FORWARDED, LABELS, ORIGINALS
from emailflow.inbound.parsing.quoting.rows import Rows

MAX_BLOCK = 14  # rows
MAX_LABEL = 24  # characters
MIN_LABELS = 3
_PROOF = re.compile(r"\w@\w|(?<!\d)(?:19|20)\d\d(?!\d)|\b\d{1,2}[:.]\d\d\b")
_RULE = re.compile(r"[-_=*–—─ ]{2,}")
_DASHES = "-_=*–—─"
_ORIGINALS = frozenset(ORIGINALS)
# Continued lines of a long list of recipients.
_CONTINUED = ("@", ";", "<")


def label(words: str) -> str:
    """The kind of header that the row names ("from", "sent", ...), or ''."""
    colon = words.find(":", 0, MAX_LABEL)
    if colon < 1:
        return ""
    return LABELS.get(words[:colon].strip(" \t*_").lower(), "")


def header_block(rows: Rows, first: int) -> int:
    """The row behind a block of mail headers that begins in row ``first``, or 0.

    At least three labels; an address, a year or a time; and what no form of a customer's own has: an address,
    or "Sent" beside a year or a time.
    """
    kinds: dict[str, str] = {}
    strangers = 0
    end = first
    for row in range(first, min(len(rows), first + MAX_BLOCK)):
        if rows.quoted[row] != rows.quoted[first]:
            break
        words = rows.words[row]
        kind = label(words)
        if kind:
            if kind in kinds:
                break
            kinds[kind] = words
            end = row + 1
        elif rows.at[row] - rows.at[row - 1] > 1 and len(kinds) >= MIN_LABELS:
            break
        elif not any(sign in words for sign in _CONTINUED):
            strangers += 1
            if strangers > 1:
                break
    found = len(kinds) - ("date" in kinds and "sent" in kinds)
    if found < MIN_LABELS or "from" not in kinds:
        return 0
    values = " ".join(rows.words[row] for row in range(first, end))
    if "@" in values and re.search(r"\w@\w", values):
        return end
    return end if "sent" in kinds and _PROOF.search(kinds["sent"]) else 0


def block_start(rows: Rows, first: int) -> int:
    """Back from the row with "From" to the first header of its block: some programs begin with the subject."""
    seen = {label(rows.words[row]) for row in range(first, min(len(rows), first + 6))}
    while first > 0 and rows.at[first] - rows.at[first - 1] == 1 and rows.quoted[first - 1] == rows.quoted[first]:
        kind = label(rows.words[first - 1])
        if not kind or kind in seen:
            break
        seen.add(kind)
        first -= 1
    return first


def is_rule(words: str) -> bool:
    """Whether the row is a drawn line and nothing else."""
    return len(words) >= 2 and words[0] in _DASHES and _RULE.fullmatch(words) is not None


def is_original(words: str) -> bool:
    """Whether the row is a program's "-----Original Message-----"."""
    if words[:2].strip(_DASHES) or words[-1] not in _DASHES + ":":
        return False
    return words.strip(_DASHES + " :").lower() in _ORIGINALS


def is_forward(words: str) -> bool:
    """Whether a program announces a forwarded mail in this row."""
    title = words.strip(_DASHES + " :").lower()
    return len(words) < 160 and title.startswith(FORWARDED) and (len(title) < 40 or words[0] == "-")
