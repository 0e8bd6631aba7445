"""What ``import_mail`` says about each mail, and its progress bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from emailflow.models import Message, Outcome, State

_CHUNK = 500
_WIDTH = 30


@dataclass
class Result:
    """One mail of an import. ``message_pk`` is None when it was not stored; ``error`` then says why."""

    file: str
    message_pk: int | None = None
    new: bool = False
    message_id: str = ""
    outcome: str = ""
    ticket_number: str | None = None
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "message_id": self.message_id,
            "outcome": self.outcome,
            "ticket_number": self.ticket_number,
            "created": self.outcome == Outcome.TICKET_CREATED,
            "linked": self.outcome == Outcome.LINKED,
            "error": self.error,
        }


def describe(results: Sequence[Result]) -> None:
    """Fill in what became of the stored mails. Bytes that were here before are a duplicate of themselves."""
    stored = [result for result in results if result.message_pk is not None]
    for start in range(0, len(stored), _CHUNK):
        part = stored[start : start + _CHUNK]
        rows = Message.objects.select_related("ticket").in_bulk([result.message_pk for result in part])
        for result in part:
            row = rows.get(result.message_pk or 0)
            if row is not None:
                _fill(result, row)


def _fill(result: Result, row: Message) -> None:
    result.message_id = row.message_id
    result.outcome = str(row.outcome) if result.new or not row.outcome else str(Outcome.DUPLICATE)
    result.ticket_number = row.ticket.ticket_number if row.ticket else None
    if row.state == State.FAILED:
        result.error = f"failed: {row.last_error}"
    elif row.state != State.PROCESSED:
        result.error = f"stored, and not processed yet: {row.last_error or State(row.state).label.lower()}"


class Bar:
    """A line on a terminal that shows how much of the bytes is stored."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self.stream = stream
        self.total = total
        self.done = 0

    def add(self, size: int) -> None:
        self.done = min(self.done + size, self.total)
        if self.total:
            filled = _WIDTH * self.done // self.total
            line = f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {100 * self.done // self.total} %"
            self.stream.write(line)
            self.stream.flush()

    def close(self) -> None:
        if self.total:
            self.stream.write("\n")


def progress_bar(stream: TextIO, total: int) -> Bar:
    """Silent where nobody looks: the stream is not a terminal, or the total is not known."""
    return Bar(stream, total if stream.isatty() else 0)
