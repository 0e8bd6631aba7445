"""Bytes named by their SHA-256. Durable before any row names them.

``put`` always writes, even over an equal blob: the old one may be on its way to the trash, or damaged. Where they
are kept, ``tickets.blob_places`` knows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from tickets.blob_places import place
from tickets.blob_places.base import StoreUnreachable
from tickets.blob_places.disk import path_of
from tickets.errors import ServiceError

__all__ = [
    "PIECE",
    "BlobMissing",
    "BlobWriter",
    "StoreUnreachable",
    "check",
    "exists",
    "expect",
    "open_blob",
    "path_of",
    "put",
    "put_file",
    "put_many",
    "read",
]

PIECE = 1 << 20  # bytes held in memory at once


class BlobMissing(ServiceError):
    def __init__(self, sha256: str) -> None:
        super().__init__(f"The file {sha256[:12]}… is not in the store any more.")


def put(content: bytes, *, sync: bool = True) -> str:
    """Write one blob and return its SHA-256 in hex. Raises OSError when disk or network say no.

    ``sync=False`` only for attachments whose raw mail is kept: they can be made again from it.
    """
    return place().put(content, sync=sync)


def put_many(contents: Iterable[bytes]) -> list[str]:
    """Like ``put`` for many, cheaper."""
    return place().put_many(contents)


class BlobWriter:
    """A blob that is written in pieces; the name is known when the last one is in.

    A context manager: leaving it without ``finish`` throws the pieces away. Raises OSError like ``put``.
    """

    def __init__(self) -> None:
        self._draft = place().draft()
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._draft.drop()

    def write(self, piece: bytes | memoryview) -> None:
        self._digest.update(piece)
        self._draft.stream.write(piece)
        self.size += len(piece)

    def finish(self, *, sync: bool = True) -> str:
        """Give it its SHA-256 as its name and return that. ``sync=False`` as for ``put``."""
        sha256 = self._digest.hexdigest()
        self._draft.keep(sha256, sync=sync)
        return sha256


def put_file(path: Path | str, *, sync: bool = True) -> str:
    """Copy a file into the store, a piece at a time, and return its SHA-256 in hex. The file stays.

    Raises OSError when the file cannot be read, or disk or network say no.
    """
    with Path(path).open("rb") as source, BlobWriter() as writer:
        while piece := source.read(PIECE):
            writer.write(piece)
        return writer.finish(sync=sync)


def exists(sha256: str) -> bool:
    return place().exists(sha256)


def expect(names: Sequence[str]) -> None:
    """This thread opens these next: what is far away is fetched several at a time. Raises OSError, or nothing."""
    place().expect(names)


def open_blob(sha256: str) -> BinaryIO:
    """Open it for reading, with a descriptor that ``mmap`` takes; one found in the trash is put back.

    Raises BlobMissing, and OSError when the store does not answer.
    """
    try:
        return place().open(sha256)
    except FileNotFoundError as error:
        raise BlobMissing(sha256) from error


def read(sha256: str) -> bytes:
    with open_blob(sha256) as stream:
        return stream.read()


def check() -> None:
    """Raises OSError when nothing can be kept in the store. For ``up``, before it starts anything."""
    place().check()
