"""Bytes on disk, named by their SHA-256. Durable before any row names them.

A blob is written to a temporary file, synced, renamed, and its folder synced. ``put`` always writes, even
over an equal file: the old one may be on its way to the trash, or damaged.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from django.conf import settings

from tickets.errors import ServiceError

PIECE = 1 << 20  # bytes held in memory at once


class BlobMissing(ServiceError):
    def __init__(self, sha256: str) -> None:
        super().__init__(f"The file {sha256[:12]}… is not in the store any more.")


def path_of(sha256: str) -> Path:
    """Where the blob stands. ``sha256`` comes from a row, never from a request."""
    # One level: 256 folders, so that a group of mails syncs few of them and none is made anew for each mail.
    return Path(settings.BLOB_DIR) / sha256[:2] / sha256


def _trash_of(sha256: str) -> Path:
    return Path(settings.BLOB_DIR) / "trash" / sha256


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _target(sha256: str) -> Path:
    """Where the blob will stand; its folders are made, durably, where they are missing."""
    target = path_of(sha256)
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync_folder(target.parent.parent)
    return target


def _write(content: bytes, *, sync: bool) -> tuple[str, Path]:
    sha256 = hashlib.sha256(content).hexdigest()
    target = _target(sha256)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return sha256, target.parent


def put(content: bytes, *, sync: bool = True) -> str:
    """Write one blob and return its SHA-256 in hex. Raises OSError when the disk says no.

    ``sync=False`` only for attachments whose raw mail is kept: they can be made again from it.
    """
    sha256, folder = _write(content, sync=sync)
    if sync:
        _sync_folder(folder)
    return sha256


def put_many(contents: Iterable[bytes]) -> list[str]:
    """Like ``put`` for many; each folder is synced once, before the function returns."""
    folders: set[Path] = set()
    names = []
    for content in contents:
        sha256, folder = _write(content, sync=True)
        names.append(sha256)
        folders.add(folder)
    for folder in folders:
        _sync_folder(folder)
    return names


class BlobWriter:
    """A blob that is written in pieces; the name is known when the last one is in.

    A context manager: leaving it without ``finish`` throws the pieces away. Raises OSError like ``put``.
    """

    def __init__(self) -> None:
        folder = Path(settings.BLOB_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        # Next to the blobs, so that the rename stays on one disk.
        descriptor, self._name = tempfile.mkstemp(dir=folder, prefix=".new-")
        self._stream = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        Path(self._name).unlink(missing_ok=True)

    def write(self, piece: bytes | memoryview) -> None:
        self._digest.update(piece)
        self._stream.write(piece)
        self.size += len(piece)

    def finish(self, *, sync: bool = True) -> str:
        """Rename it to its SHA-256 and return that. ``sync=False`` as for ``put``."""
        sha256 = self._digest.hexdigest()
        target = _target(sha256)
        self._stream.flush()
        if sync:
            os.fsync(self._stream.fileno())
        self._stream.close()
        Path(self._name).replace(target)
        if sync:
            _sync_folder(target.parent)
        return sha256


def put_file(path: Path | str, *, sync: bool = True) -> str:
    """Copy a file into the store, a piece at a time, and return its SHA-256 in hex. The file stays.

    Raises OSError when the file cannot be read or the disk says no.
    """
    with Path(path).open("rb") as source, BlobWriter() as writer:
        while piece := source.read(PIECE):
            writer.write(piece)
        return writer.finish(sync=sync)


def exists(sha256: str) -> bool:
    return path_of(sha256).exists() or _trash_of(sha256).exists()


def open_blob(sha256: str) -> BinaryIO:
    """Open it for reading; one found in the trash is put back. Raises BlobMissing."""
    target = path_of(sha256)
    try:
        return target.open("rb")
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        # It is not in the trash, or another reader has just put it back.
        with suppress(FileNotFoundError):
            _trash_of(sha256).replace(target)
    try:
        return target.open("rb")
    except FileNotFoundError as error:
        raise BlobMissing(sha256) from error


def read(sha256: str) -> bytes:
    with open_blob(sha256) as stream:
        return stream.read()
