"""Compares the end of a text with what is already in the thread: what we sent is a quote, whatever it looks like.

The best protection against loss, both ways: it finds quotes that carry no mark at all, and it keeps text below a
quote that nobody here has ever seen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emailflow.inbound.parsing.quoting.rows import Rows

ENOUGH = 0.6
MAX_KNOWN = 100_000  # characters of all known texts together
_WORD = re.compile(r"\w{1,60}")
_RUN = 3  # words


@dataclass(frozen=True, slots=True)
class Known:
    """The word sequences of the texts of a thread."""

    runs: frozenset[tuple[str, ...]]

    def share(self, words: str) -> float:
        """How much of the row is known, from 0 to 1."""
        found = _WORD.findall(words.lower())
        if not found:
            return 0.0
        size = min(_RUN, len(found))
        runs = [tuple(found[at : at + size]) for at in range(len(found) - size + 1)]
        return sum(run in self.runs for run in runs) / len(runs)


def known_of(texts: Sequence[str]) -> Known | None:
    """The known texts in a form that is quick to compare with; None if there are none."""
    runs: set[tuple[str, ...]] = set()
    left = MAX_KNOWN
    for text in texts:
        words = _WORD.findall(text[:left].lower())
        for size in range(1, _RUN + 1):
            runs.update(zip(*(words[at:] for at in range(size)), strict=False))
        left -= len(text)
        if left <= 0:
            break
    return Known(frozenset(runs)) if runs else None


@dataclass(frozen=True, slots=True)
class Tail:
    """The rows from ``first`` to before ``end`` are known text; what stands behind ``end`` is not."""

    first: int
    end: int
    is_mixed: bool  # unknown sentences stand between


def known_tail(rows: Rows, known: Known, first: int) -> Tail | None:
    """The part of the rows from ``first`` on that is quoted: at least 60 % of its words are known."""
    shares = [known.share(rows.words[row]) for row in range(first, len(rows))]
    hits = [row for row, share in enumerate(shares, first) if share >= ENOUGH]
    if not hits:
        return None
    end = hits[-1] + 1
    weight = [len(rows.words[row].split()) for row in range(first, end)]
    # The longest tail of which enough is known, beginning with a row that is known itself and more than a greeting.
    total = good = 0
    begin = -1
    for row in range(end - 1, first - 1, -1):
        total += weight[row - first]
        if shares[row - first] >= ENOUGH:
            good += weight[row - first]
            if good >= ENOUGH * total:
                begin = row
    if begin < 0 or sum(weight[begin - first :]) < 2 * _RUN:
        return None
    mixed = any(shares[row - first] < ENOUGH and weight[row - first] >= _RUN for row in range(begin, end))
    return Tail(begin, end, mixed)
