"""Hints that the sender wrote into a mail: tags and a priority. Pure; called by the pipeline.

Only new text is read: what stands in a quote, an address or a colour is nobody's wish.
"""

import re
import unicodedata
from collections.abc import Sequence

MAX_TAGS = 10
MIN_LENGTH = 3
MAX_LENGTH = 50
MAX_TEXT = 200_000

_TAG = re.compile(r"(?:^|(?<=\s))#([^\W\d_][\w-]*)")
_PLAIN = re.compile(r"[\w-]+")  # in lower case some letters leave a mark of their own behind
_COLOUR = re.compile(r"^(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$")
_NOT_WORDS = re.compile(r"\S*(?:://|@)\S*")
_WORD = re.compile(r"\w+")

# The highest level that is named wins.
_LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    ("critical", frozenset({"kritisk", "critical", "down", "nede", "urgent", "akut"})),
    ("high", frozenset({"høj", "high", "vigtig", "important", "haster"})),
    ("low", frozenset({"lav", "low", "spørgsmål", "question", "info"})),
)


def hashtags(text: str) -> tuple[str, ...]:
    """The first ten tags of the new text, in lower case and each once.

    A tag stands at the start or after white space, begins with a letter and has at least three characters.
    """
    found: dict[str, None] = {}
    for line in unicodedata.normalize("NFC", text[:MAX_TEXT]).splitlines():
        if line.lstrip().startswith(">"):
            continue
        for name in _TAG.findall(line):
            tag = unicodedata.normalize("NFC", name.rstrip("-_").lower())
            if MIN_LENGTH <= len(tag) <= MAX_LENGTH and _PLAIN.fullmatch(tag) and not _COLOUR.match(tag):
                found[tag] = None
                if len(found) == MAX_TAGS:
                    return tuple(found)
    return tuple(found)


def priority(subject: str, tags: Sequence[str]) -> tuple[str | None, str]:
    """The level that the subject or a tag names as a whole word, and the reason; None means the default."""
    plain = unicodedata.normalize("NFC", subject[:MAX_TEXT]).lower()
    words = _WORD.findall(_NOT_WORDS.sub(" ", plain))
    for level, names in _LEVELS:
        for word in words:
            if word in names:
                return level, f"The subject says {word!r}."
        for tag in tags:
            if unicodedata.normalize("NFC", tag).lower() in names:
                return level, f"The mail has the tag #{tag}."
    return None, "Neither subject nor tags name a priority."
