"""What every source of mail can do, and the one error that it raises.

The files of this folder are the only inbound ones that open sockets. They know nothing of tables: the pull
(``emailflow.inbound.pull``) tells them from where to read and keeps the ledger.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


class SourceError(Exception):
    """A source does not do what it should, in a sentence for staff that never holds a secret.

    ``permanent``: trying again does not help until a person changes something.
    ``uid_only``: the trouble is with the one mail that was asked for, not with the connection.
    """

    def __init__(self, message: str, *, permanent: bool = False, uid_only: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.uid_only = uid_only


@dataclass(frozen=True, slots=True)
class Offer:
    """One mail that a source has. ``size`` in bytes; ``received_at`` is when the mail server got it."""

    uid: str
    size: int
    received_at: datetime | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """From where to read. Numbers count only for a source with ``ordered`` UIDs.

    UIDs up to ``watermark`` are done with. UIDs up to ``start_uid`` were there at the first connect: of these
    only mail from ``start_after`` on is wanted (None: all of it).
    """

    watermark: int = 0
    start_uid: int = 0
    start_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class AfterReading:
    """What the server hears once a mail is safe with us: nothing, seen, flag, move or (POP3) delete."""

    action: str = "nothing"
    move_to: str = ""


class Source(Protocol):
    """One mailbox on one server. Every method raises SourceError."""

    ordered: bool
    """UIDs are numbers that only grow, so that a watermark says what is done with."""

    lease_seconds: int
    """How long a pull may work without a sign of life."""

    tells_last: bool
    """``after_read`` takes effect only when the connection ends, and ends it: it is called once, at the end."""

    may_rename: bool
    """The server may give all its mails other names, as a POP3 server does that was replaced."""

    def connect(self) -> None:
        """Open the mailbox. Called again after an error, it starts afresh."""

    def uidvalidity(self) -> str:
        """The epoch of the UIDs (RFC 3501, 2.3.1.1); '' where there is none."""

    def last_uid(self) -> int:
        """The highest UID that was given away so far; 0 for a source that is not ordered."""

    def count(self) -> int:
        """How many mails are there."""

    def offers(self, position: Position) -> Iterator[list[Offer]]:
        """What is there beyond ``position``, in portions of at most 500, oldest UID first."""

    def fetch(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        """The whole mails, unchanged, without marking them as read. A UID that is gone is left out."""

    def headers(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        """The header blocks of at most 500 mails, to compare with the ledger. A UID that is gone is left out."""

    def save(self, uid: str, stream: BinaryIO, alive: Callable[[], None]) -> bool:
        """Write one whole mail into ``stream`` in pieces; False when it is gone. Calls ``alive`` between them.

        What ``stream`` or ``alive`` raise is passed on as it is.
        """

    def present(self, uids: Sequence[str]) -> set[str]:
        """Which of these the source still has."""

    def after_read(self, uids: Sequence[str]) -> None:
        """Tell the server that we have these. Harmless when repeated."""

    def check_target(self) -> None:
        """Look for the folder that mail is moved to, and change nothing. Quiet where mail is not moved."""

    def close(self) -> None:
        """Never raises."""
