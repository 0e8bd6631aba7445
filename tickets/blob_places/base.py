"""What a place for blobs must be able to do. A blob is named by the SHA-256 of its bytes and never changes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol


class StoreUnreachable(OSError):
    """The store as a whole does not answer, or refuses us. Passes by itself, and says nothing of any one mail."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob in its place, or one copy of it in the trash."""

    sha256: str
    size: int
    modified: float
    """Seconds since the epoch: when it was written, or came into the trash."""
    key: str
    """The place's own name for it."""


class Draft(Protocol):
    """A blob that is being written, until ``keep`` or ``drop``."""

    @property
    def stream(self) -> BinaryIO: ...

    def keep(self, sha256: str, *, sync: bool) -> None:
        """Give it its name. Durable when this returns, unless ``sync`` is false."""

    def drop(self) -> None:
        """Throw away what was not kept. May be called after ``keep``, too."""


class Place(Protocol):
    """Every method raises OSError when disk or network say no.

    The trash: a blob that moves there can be read until a day later, and whatever way two processes cross, at
    every moment it is in its place or has been in the trash for less than that day.
    """

    def put(self, content: bytes, *, sync: bool) -> str:
        """Write it, also over an equal one, and return its name."""

    def put_many(self, contents: Iterable[bytes]) -> list[str]:
        """Like ``put`` with ``sync``, cheaper."""

    def draft(self) -> Draft: ...

    def expect(self, names: Sequence[str]) -> None:
        """This thread opens these next. A hint: raises OSError or does nothing, and changes no answer."""

    def open(self, sha256: str) -> BinaryIO:
        """A file with a descriptor, to be read. One in the trash is put back. Raises FileNotFoundError."""

    def exists(self, sha256: str) -> bool:
        """Whether ``open`` would find it."""

    def check(self) -> None:
        """Raises OSError when blobs cannot be kept here, before the first mail finds out."""

    def names(self) -> Iterator[str]:
        """Every blob that is not in the trash, from a different one on each time, and then round."""

    def look(self, sha256: str) -> Stored | None:
        """That blob in its place."""

    def to_trash(self, blob: Stored) -> Stored | None:
        """Move it there; its day begins now. None when it was gone."""

    def trash(self) -> Iterator[Stored]: ...

    def put_back(self, trashed: Stored) -> None:
        """Out of the trash; nothing happens when somebody was faster."""

    def delete(self, trashed: Stored) -> None:
        """Out of the trash and gone, unless the same bytes came in anew meanwhile."""

    def unfinished(self, before: float) -> Iterator[str]:
        """What killed writers left behind before that moment, for ``forget``."""

    def forget(self, unfinished: str) -> None: ...
