"""Keys that Hub makes for itself on first use and keeps in ``DATA_DIR/secrets``; part of every backup.

Used by ``hub/settings.py`` only. A key that the deployer sets in the environment is not stored here.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from hub.env import WrongSetting


class Secrets:
    """One file a name, mode 0600 in a folder of mode 0700; a list has one key a line, the newest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def one(self, name: str) -> str:
        return self._keys(name, _random_text)[0]

    def many(self, name: str) -> list[str]:
        return self._keys(name, _random_text)

    def fernet(self, name: str) -> list[str]:
        keys = self._keys(name, lambda: Fernet.generate_key().decode("ascii"))
        for key in keys:
            try:
                Fernet(key)
            except ValueError:
                raise WrongSetting(
                    f"{name}: the file {self.folder / name} holds something that is not a Fernet key; "
                    "restore it from the backup"
                ) from None
        return keys

    def _keys(self, name: str, make: Callable[[], str]) -> list[str]:
        """Reads the file, made first when it is missing. Raises WrongSetting when neither is possible."""
        path = self.folder / name
        try:
            if not path.exists():
                self._create(path, make)
            keys = path.read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise WrongSetting(
                f"DATA_DIR: the key file {path} cannot be made or read: {reason}; "
                "use a folder that this user may write to"
            ) from None
        if not keys:
            # Never replaced: with a new key, everything that was encrypted with the old one would be lost.
            raise WrongSetting(f"{name}: the file {path} is empty; restore it from the backup")
        return keys

    def _create(self, path: Path, make: Callable[[], str]) -> None:
        # One by one: with ``parents`` the data folder itself would be open to everybody.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        # Two processes may start at once: the second waits here and then finds the file of the first.
        with _locked(self.folder / ".lock"):
            if path.exists():
                return
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            # A file of this name was left by a process that died between open and rename.
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            _sync_folder(self.folder)


def _random_text() -> str:
    return secrets.token_urlsafe(48)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
