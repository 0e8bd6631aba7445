"""Mail from a Maildir on this machine. Used through ``emailflow.sources.base.Source``.

A Maildir is also the drop folder: people put files with names of their own into ``new``. ``tmp`` is never
read: a mail there is still being written.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from emailflow.sources.base import AfterReading, Offer, Position, SourceError
from emailflow.sources.wire import PIECE

PORTION = 500
HEADER_BYTES = 256 * 1024
# A program that delivers writes to tmp and renames, so a mail under such a name is complete.
_DELIVERED = re.compile(r"(\d{9,10})\.[^.]+\..+")
# A person copies straight into new: the copy is complete when nothing was added for this long.
SETTLED_SECONDS = 0.5
_FLAG = {"seen": "S", "flag": "F"}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    uid: str
    size: int
    mtime_ns: int


class MaildirSource:
    """One Maildir. The UID is the file's name without folder and flags, so moving a mail about keeps it."""

    ordered = False
    lease_seconds = 30
    tells_last = False
    may_rename = False

    def __init__(self, *, path: Path, after: AfterReading | None = None) -> None:
        self.path = path
        self.after = after or AfterReading()
        self._files: dict[str, _File] = {}

    def connect(self) -> None:
        """Makes the three folders where they are missing, but never the Maildir itself: a name can be mistyped."""
        if not self.path.is_absolute():
            raise SourceError(f"{self.path} is not an absolute path", permanent=True)
        if not self.path.exists():
            raise SourceError(f"There is no folder {self.path}", permanent=True)
        try:
            _make_maildir(self.path)
        except OSError as error:
            raise SourceError(f"The folder {self.path} cannot be used: {error.strerror}", permanent=True) from error
        self._files = {}

    def uidvalidity(self) -> str:
        return ""

    def last_uid(self) -> int:
        return 0

    def count(self) -> int:
        return len(self._listing())

    def offers(self, position: Position) -> Iterator[list[Offer]]:
        """Everything that is there: names have no order, so ``position`` says nothing here."""
        now = time.time()
        listed = [file for file in self._listing().values() if _is_settled(file, now)]
        listed.sort(key=lambda file: (file.mtime_ns, file.uid))
        for start in range(0, len(listed), PORTION):
            yield [Offer(file.uid, file.size, _received_at(file, now)) for file in listed[start : start + PORTION]]

    def fetch(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        """Raises SourceError(uid_only) for a file that cannot be read. One that vanished is left out."""
        found = {}
        for uid in uids:
            pieces: list[bytes] = []
            if self._read(uid, pieces.append, lambda: None):
                found[uid] = b"".join(pieces)
        return found

    def save(self, uid: str, stream: BinaryIO, alive: Callable[[], None]) -> bool:
        return self._read(uid, stream.write, alive)

    def headers(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        """The beginning of each file. One that cannot be read has no headers: fetching it says why."""
        found = {}
        for uid in uids:
            file = self._find(uid)
            if file is None:
                continue
            try:
                with file.path.open("rb") as stream:
                    head = stream.read(HEADER_BYTES)
            except FileNotFoundError:
                continue
            except OSError:
                head = b""
            found[uid] = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
        return found

    def present(self, uids: Sequence[str]) -> set[str]:
        listed = self._listing()
        return {uid for uid in uids if uid in listed}

    def after_read(self, uids: Sequence[str]) -> None:
        if self.after.action == "nothing":
            return
        try:
            folder = self._target()
            for uid in uids:
                file = self._find(uid)
                if file is not None:
                    _rename(file, folder / "cur", _FLAG.get(self.after.action, ""))
        except OSError as error:
            raise SourceError(f"The mail cannot be moved within {self.path}: {error.strerror}") from error

    def check_target(self) -> None:
        if self.after.action == "move":
            name = Path(self.after.move_to)
            # A folder within the Maildir is made when the first mail is moved.
            if name.is_absolute() and not name.is_dir():
                raise SourceError(f"There is no folder {name} to move mail to", permanent=True)

    def close(self) -> None:
        self._files = {}

    def stamp(self) -> tuple[int, int]:
        """Changes when a file is put in, taken out or renamed. Cheap: two calls, no listing."""
        try:
            return ((self.path / "new").stat().st_mtime_ns, (self.path / "cur").stat().st_mtime_ns)
        except OSError:
            return (0, 0)

    def _listing(self) -> dict[str, _File]:
        files = {}
        try:
            for folder in ("new", "cur"):
                for path in (self.path / folder).iterdir():
                    file = _look(path)
                    if file is not None:
                        files[file.uid] = file
        except OSError as error:
            raise SourceError(f"The folder {self.path} cannot be read: {error.strerror}") from error
        self._files = files
        return files

    def _find(self, uid: str) -> _File | None:
        """Looks where the file was, then everywhere: a mail program may have moved it from new to cur."""
        file = self._files.get(uid)
        if file is not None and file.path.exists():
            return file
        return self._listing().get(uid)

    def _read(self, uid: str, write: Callable[[bytes], object], alive: Callable[[], None]) -> bool:
        """Hands the file to ``write`` in pieces; False when it is gone. What ``write`` raises is passed on."""
        opened = self._opened(uid)
        if opened is None:
            return False
        file, stream = opened
        size = 0
        with stream:
            while piece := _piece(file, stream):
                write(piece)
                size += len(piece)
                alive()
            status = os.fstat(stream.fileno())
        if (status.st_size, status.st_mtime_ns) != (size, file.mtime_ns):
            raise SourceError(f"The file {file.path.name} is still being written", uid_only=True)
        return True

    def _opened(self, uid: str) -> tuple[_File, BinaryIO] | None:
        for _ in range(2):
            file = self._find(uid)
            if file is None:
                return None
            try:
                return file, file.path.open("rb")
            except FileNotFoundError:
                # Renamed between the look and the read: look once more.
                continue
            except OSError as error:
                raise _unreadable(file, error) from error
        return None

    def _target(self) -> Path:
        """The Maildir that takes the mail: this one; for a move, another or a Maildir++ folder of this."""
        if self.after.action != "move":
            return self.path
        name = Path(self.after.move_to)
        if not name.is_absolute():
            folder = self.path / f".{self.after.move_to.lstrip('.')}"
            folder.mkdir(mode=0o700, exist_ok=True)
        elif name.is_dir():
            folder = name
        else:
            raise SourceError(f"There is no folder {name} to move mail to", permanent=True)
        _make_maildir(folder)
        return folder


def _piece(file: _File, stream: BinaryIO) -> bytes:
    try:
        return stream.read(PIECE)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: _File, error: OSError) -> SourceError:
    return SourceError(f"The file {file.path.name} cannot be read: {error.strerror}", uid_only=True)


def _make_maildir(path: Path) -> None:
    for name in ("tmp", "new", "cur"):
        (path / name).mkdir(mode=0o700, exist_ok=True)


def _look(path: Path) -> _File | None:
    if path.name.startswith(".") or path.is_symlink():
        return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not path.is_file():
        return None
    return _File(path, _uid(path.name, status.st_mtime_ns), status.st_size, status.st_mtime_ns)


def _uid(name: str, mtime_ns: int) -> str:
    base = re.split(r"[:;!]2,", name, maxsplit=1)[0]
    if _DELIVERED.fullmatch(base):
        return base
    # A person may drop two mails, one after the other, under one name: the time tells them apart.
    return f"{base}@{mtime_ns}"


def _is_settled(file: _File, now: float) -> bool:
    if _DELIVERED.fullmatch(file.uid):
        return True
    return not 0 <= now - file.mtime_ns / 1e9 < SETTLED_SECONDS


def _received_at(file: _File, now: float) -> datetime:
    """The second in the name that the delivering program chose, else the file's time; never in the future."""
    named = _DELIVERED.fullmatch(file.uid)
    moment = float(named[1]) if named else file.mtime_ns / 1e9
    return datetime.fromtimestamp(min(moment, now), UTC)


def _rename(file: _File, folder: Path, flag: str) -> None:
    base, _, flags = file.path.name.partition(":2,")
    wanted = "".join(sorted(set(flags) | set(flag)))
    target = folder / f"{base}:2,{wanted}"
    if target == file.path:
        return
    # Another file of this name is another mail: it must not be overwritten.
    number = 1
    while target.exists():
        target = folder / f"{base}_{number}:2,{wanted}"
        number += 1
    try:
        file.path.rename(target)
    except FileNotFoundError:
        # A mail program was faster; what it did with the mail is its own affair.
        return
