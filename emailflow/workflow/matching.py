"""How conditions compare text: without regard to case and spacing, in time linear in the text.

Staff write words, never patterns: a pattern of theirs could take minutes on a mail of a stranger's.
"""

import re
import unicodedata
from collections.abc import Iterable

WORDS, ANYWHERE, EQUALS, STARTS = "words", "anywhere", "equals", "starts"
MATCHES = {
    WORDS: "has the word or phrase",
    ANYWHERE: "has the letters",
    EQUALS: "equals",
    STARTS: "starts with",
}


def fold(text: str) -> str:
    """Case, spacing and Unicode composition evened out."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def first_match(text: str, values: Iterable[str], match: str) -> str | None:
    """The first of the values that the text has in this manner, or None."""
    folded = fold(text)
    return next((value for value in values if _matches(folded, fold(value), match)), None)


def _matches(text: str, value: str, match: str) -> bool:
    if not value:
        return False
    if match == EQUALS:
        return text == value
    if match == STARTS:
        return text.startswith(value)
    if match == ANYWHERE:
        return value in text
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def listed(values: Iterable[str], *, most: int = 5) -> str:
    """The values for a sentence: ``a, b or c``; many are cut."""
    shown = list(values)
    if len(shown) > most:
        return f"{', '.join(shown[:most])} or {len(shown) - most} more"
    return " or ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""
