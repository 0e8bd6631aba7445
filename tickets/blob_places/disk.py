"""Blobs as files below ``settings.BLOB_DIR``: temporary file, fsync, rename, fsync of the folder.

``AB/ABCD…`` is a blob, ``trash/ABCD…`` one that nothing names, ``.new-…`` one that is being written.
"""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from tickets.blob_places.base import Draft, Stored

UNFINISHED = ".new-"
SIDE_BY_SIDE = 8  # files that are synced at once


def path_of(sha256: str) -> Path:
    """Where the blob stands. ``sha256`` comes from a row, never from a request."""
    # One level: 256 folders, so that a group of mails syncs few of them and none is made anew for each mail.
    return Path(settings.BLOB_DIR) / sha256[:2] / sha256


def _trash() -> Path:
    return Path(settings.BLOB_DIR) / "trash"


def _target(sha256: str) -> Path:
    """Where the blob will stand; its folders are made, durably, where they are missing."""
    target = path_of(sha256)
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(target.parent.parent)
    return target


def _write(content: bytes) -> tuple[str, Path]:
    """A draft beside its place, not synced: its hash and its name."""
    sha256 = hashlib.sha256(content).hexdigest()
    descriptor, name = tempfile.mkstemp(dir=_target(sha256).parent, prefix=UNFINISHED)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return sha256, draft


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(paths: Collection[Path]) -> None:
    """Side by side: the disk takes what waits together in one go."""
    if len(paths) < 2:
        for path in paths:
            _sync(path)
        return
    with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(paths))) as threads:
        for _ in threads.map(_sync, paths):
            pass  # raises what a thread raised


class _File:
    """A draft next to the blobs, so that the rename stays on one disk."""

    def __init__(self) -> None:
        folder = Path(settings.BLOB_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, self._name = tempfile.mkstemp(dir=folder, prefix=UNFINISHED)
        self.stream = cast(BinaryIO, os.fdopen(descriptor, "wb"))

    def keep(self, sha256: str, *, sync: bool) -> None:
        target = _target(sha256)
        self.stream.flush()
        if sync:
            os.fsync(self.stream.fileno())
        self.stream.close()
        Path(self._name).replace(target)
        if sync:
            _sync(target.parent)

    def drop(self) -> None:
        self.stream.close()
        Path(self._name).unlink(missing_ok=True)


class Disk:
    def put(self, content: bytes, *, sync: bool) -> str:
        return self._put([content], sync=sync)[0]

    def put_many(self, contents: Iterable[bytes]) -> list[str]:
        """Each folder is synced once, before the function returns."""
        return self._put(contents, sync=True)

    @staticmethod
    def _put(contents: Iterable[bytes], *, sync: bool) -> list[str]:
        drafts: list[tuple[str, Path]] = []
        try:
            for content in contents:
                drafts.append(_write(content))  # noqa: PERF401  what was written before a failure is removed
            if sync:
                _sync_all([draft for _, draft in drafts])
            for sha256, draft in drafts:
                draft.replace(path_of(sha256))
        except BaseException:
            for _, draft in drafts:
                draft.unlink(missing_ok=True)
            raise
        if sync:
            _sync_all({path_of(sha256).parent for sha256, _ in drafts})
        return [sha256 for sha256, _ in drafts]

    def draft(self) -> Draft:
        return _File()

    def expect(self, names: Sequence[str]) -> None:
        """The disk is near enough."""

    def open(self, sha256: str) -> BinaryIO:
        target = path_of(sha256)
        try:
            return target.open("rb")
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            # It is not in the trash, or another reader has just put it back.
            with suppress(FileNotFoundError):
                (_trash() / sha256).replace(target)
        return target.open("rb")

    def exists(self, sha256: str) -> bool:
        return path_of(sha256).exists() or (_trash() / sha256).exists()

    def check(self) -> None:
        Path(settings.BLOB_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)

    def names(self) -> Iterator[str]:
        for folder in _folders(secrets.randbelow(256)):
            for path in folder.iterdir():
                if not path.name.startswith("."):
                    yield path.name

    def look(self, sha256: str) -> Stored | None:
        return _look(path_of(sha256))

    def to_trash(self, blob: Stored) -> Stored | None:
        trashed = _trash() / blob.sha256
        trashed.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Its day in the trash begins now.
            os.utime(blob.key)
            Path(blob.key).replace(trashed)
        except FileNotFoundError:
            return None
        return Stored(blob.sha256, blob.size, blob.modified, str(trashed))

    def trash(self) -> Iterator[Stored]:
        if not _trash().is_dir():
            return
        for path in _trash().iterdir():
            # None: a reader was faster and has put it back.
            if not path.name.startswith(".") and (found := _look(path)):
                yield found

    def put_back(self, trashed: Stored) -> None:
        path = path_of(trashed.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader was faster.
        with suppress(FileNotFoundError):
            Path(trashed.key).replace(path)

    def delete(self, trashed: Stored) -> None:
        path = Path(trashed.key)
        # Another prune may have brought the same bytes in anew: their day has only begun.
        if (found := _look(path)) and found.modified <= trashed.modified:
            path.unlink(missing_ok=True)

    def unfinished(self, before: float) -> Iterator[str]:
        for folder in (Path(settings.BLOB_DIR), *_folders()):
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                if path.name.startswith(UNFINISHED) and (found := _look(path)) and found.modified < before:
                    yield found.key

    def forget(self, unfinished: str) -> None:
        Path(unfinished).unlink(missing_ok=True)


def _look(path: Path) -> Stored | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Stored(path.name, status.st_size, status.st_mtime, str(path))


def _folders(first: int = 0) -> Iterator[Path]:
    for number in range(256):
        folder = Path(settings.BLOB_DIR) / f"{(first + number) % 256:02x}"
        if folder.is_dir():
            yield folder
