"""Many patterns in one pass over a text. Pure; for ``keywords`` only.

A search for each pattern would cost a pass for each, and one pattern of all of them tries all at each word. Here
the first two letters of a word choose the few that can begin there.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

LETTERS = 2
_ANY = "\x00"  # stands for a letter that is not spelled out
_DIGITS = "0123456789"
_QUANTIFIER = re.compile(r"[?*]|\{0,\d+\}|(\+|\{\d+(?:,\d*)?\})")


class Together:
    """Patterns that begin at a word, by number. They hold no groups, and their first letters are spelled out."""

    def __init__(self, patterns: Mapping[int, str]) -> None:
        """Raises ValueError for a pattern whose first letters cannot be told."""
        chosen: dict[str, list[int]] = defaultdict(list)
        for number, pattern in patterns.items():
            for start in starts(pattern):
                chosen[start].append(number)
        self._patterns = {
            start: ([*numbers], re.compile("|".join(f"({patterns[n]})" for n in numbers)))
            for start, numbers in chosen.items()
        }
        firsts = sorted({re.escape(start[0]) for start in chosen})
        self._places = re.compile(rf"(?<!\w)(?:[{''.join(firsts)}])(?s:.)")

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """Number and words, in the order of the text. At one place the first pattern that fits counts."""
        for place in self._places.finditer(text):
            candidates = self._patterns.get(place[0])
            if candidates is None:
                continue
            numbers, pattern = candidates
            match = pattern.match(text, place.start())
            if match is not None and match.lastindex is not None:
                yield numbers[match.lastindex - 1], match[0]


def starts(pattern: str) -> set[str]:
    """The first two letters of everything that the pattern can match. Raises ValueError when it cannot be told."""
    found, end = _alternatives(pattern, 0)
    if end != len(pattern) or any(len(start) < LETTERS or _ANY in start for start in found):
        raise ValueError(f"The pattern {pattern!r} does not begin with {LETTERS} known letters.")
    return found


def _alternatives(pattern: str, at: int) -> tuple[set[str], int]:
    found: set[str] = set()
    while True:
        beginnings, at = _sequence(pattern, at)
        found |= beginnings
        if at == len(pattern) or pattern[at] == ")":
            return found, at
        at += 1


def _sequence(pattern: str, at: int) -> tuple[set[str], int]:
    beginnings = {""}
    while at < len(pattern) and pattern[at] not in "|)":
        options, at = _item(pattern, at)
        quantifier = _QUANTIFIER.match(pattern, at)
        if quantifier is not None:
            at = quantifier.end()
            if quantifier[0] != "?":
                options |= {(one + more)[:LETTERS] for one in options for more in options}
            options = options if quantifier[1] else {"", *options}
        if all(len(start) == LETTERS for start in beginnings):
            continue
        beginnings = {(start + option)[:LETTERS] for start in beginnings for option in options}
    return beginnings, at


def _item(pattern: str, at: int) -> tuple[set[str], int]:
    if pattern.startswith("(?!", at):
        return {""}, pattern.index(")", at) + 1
    if pattern.startswith("(?:", at):
        options, end = _alternatives(pattern, at + 3)
        return options, end + 1
    if pattern[at] == "[":
        end = pattern.index("]", at + 1)
        return _class(pattern[at + 1 : end]), end + 1
    if pattern[at] == "\\":
        escaped = pattern[at + 1]
        return ({_ANY} if escaped == "w" else set(_DIGITS) if escaped == "d" else {escaped}), at + 2
    return {pattern[at]}, at + 1


def _class(inside: str) -> set[str]:
    return set(inside.replace("\\d", _DIGITS).replace("\\", ""))
