"""A text as rows that are not blank, each looked at once: the ground on which every finder of this package works."""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

MAX_ROWS = 5_000  # that are not blank
MAX_LINE = 400  # characters of one line that a finder looks at

Span = tuple[int, int]


@dataclass(slots=True)
class Rows:
    """Rows by their number; ``at`` is the number of the line in the text, so that blank lines show as gaps."""

    text: str
    lines: list[str]
    at: list[int]
    words: list[str]  # stripped, without quote signs, at most MAX_LINE characters
    quoted: list[bool]
    complete: bool  # whether every line of the text is among them
    delimiter: int = -1  # the row of the line above which an answer is to be written
    _starts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.at)

    def start(self, row: int) -> int:
        """Where the row begins in the text."""
        if row >= len(self.at):
            return len(self.text)
        if not self._starts:
            self._starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        return self._starts[self.at[row]]

    def content(self, row: int) -> int:
        """Where the row's first character that is no space stands in the text."""
        line = self.lines[self.at[row]]
        return self.start(row) + len(line) - len(line.lstrip())

    def end(self, row: int) -> int:
        """Behind the row's last character, before its line end."""
        return self.start(row) + len(self.lines[self.at[row]])

    def follows_blank(self, row: int) -> bool:
        return row == 0 or self.at[row] - self.at[row - 1] > 1


def rows_of(text: str, limit: int, spans: list[Span] | None = None) -> Rows:
    """The rows of the first ``limit`` characters; those inside one of the ``spans`` count as quoted.

    A line that begins with ">" (RFC 3676 section 4.5) is quoted, but not the ">From " of mailboxes.
    """
    lines = text[:limit].split("\n")
    at: list[int] = []
    words: list[str] = []
    quoted: list[bool] = []
    for number, line in enumerate(lines):
        if not line:
            continue
        stripped = line[:MAX_LINE].strip() or line.strip()[:MAX_LINE]
        if not stripped:
            continue
        # ">:" is the end of an address that was broken in front of it.
        is_quoted = stripped[0] == ">" and stripped != ">:" and not stripped.startswith(">From ")
        if is_quoted:
            stripped = stripped.lstrip("> \t") or ">"
        at.append(number)
        words.append(stripped)
        quoted.append(is_quoted)
        if len(at) == MAX_ROWS:
            break
    rows = Rows(text, lines, at, words, quoted, len(text) <= limit and len(at) < MAX_ROWS)
    if spans:
        _quote_spans(rows, spans)
    return rows


def _quote_spans(rows: Rows, spans: list[Span]) -> None:
    begins = [begin for begin, _ in spans]
    for row in range(len(rows)):
        position = rows.content(row)
        nearest = bisect_right(begins, position) - 1
        if nearest >= 0 and position < spans[nearest][1]:
            rows.quoted[row] = True
