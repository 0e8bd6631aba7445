"""Brings a backup back into an installation that is stopped: verified first, compared at the end."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from hub.backup import databases
from hub.backup.archive import BackupError, End, Entry, Manifest, entries, verify
from hub.starting import CannotStart, lock_data_folder
from tickets.blobs import BlobWriter


@dataclass
class Restored:
    manifest: Manifest
    end: End
    notes: list[str] = field(default_factory=list)


def restore_backup(file: Path, *, force: bool = False) -> Restored:
    """Replace database and keys, and add the blobs. Raises BackupError.

    Refuses a running Hub, and one that has content unless ``force``. Nothing is changed before the whole archive
    was read and fits. Blobs come first: a database is never there without its files.
    """
    try:
        with lock_data_folder(Path(settings.DATA_DIR), "restore"):
            manifest, end = verify(file)
            _check(manifest, force=force)
            restored = Restored(manifest, end)
            _unpack(file, restored, force=force)
            _compare(manifest)
            return restored
    except CannotStart as error:
        raise BackupError(str(error)) from error
    except OSError as error:
        raise BackupError(f"The backup cannot be restored: {error.filename}: {error.strerror}") from error


def _check(manifest: Manifest, *, force: bool) -> None:
    if manifest.engine != connection.vendor:
        raise BackupError(
            f"The backup is of a database of the kind {manifest.engine}, and DATABASE_URL names one of the kind "
            f"{connection.vendor}: restore it into the same kind."
        )
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    ours = {app for app, _ in known}
    newer = [f"{app}.{name}" for app, name in manifest.migrations if app in ours and (app, name) not in known]
    if newer:
        raise BackupError(f"The backup was made by a newer Hub (it knows {newer[-1]}): install that one first.")
    found = databases.content()
    if found and not force:
        raise BackupError(f"This installation is not empty: {found}. With --force its content is replaced.")
    databases.refuse_company()


def _unpack(file: Path, restored: Restored, *, force: bool) -> None:
    """Blobs, then keys, then the database: stopped in between, it can be run again."""
    secrets: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR, prefix=".restore-") as folder:
        copy = Path(folder) / "database"
        for entry in entries(file):
            if entry.kind == "secret":
                secrets[entry.name] = entry.read()
            elif entry.kind == "database":
                with copy.open("wb") as stream:
                    for piece in entry.pieces():
                        stream.write(piece)
                    stream.flush()
                    os.fsync(stream.fileno())
            elif entry.kind == "blob":
                _put_blob(entry)
        restored.notes += _put_secrets(secrets, keep_old=force)
        note = databases.load(copy, keep_old=force)
        restored.notes += [note] if note else []


def _put_blob(entry: Entry) -> None:
    with BlobWriter() as writer:
        for piece in entry.pieces():
            writer.write(piece)
        if writer.finish() != entry.name:
            raise BackupError(f"The backup changed while it was read: {entry.name[:12]}…")


def _put_secrets(secrets: dict[str, bytes], *, keep_old: bool) -> list[str]:
    folder = Path(settings.DATA_DIR) / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes = []
    moment = f"{timezone.now():%Y%m%d-%H%M%S}"
    for name, content in secrets.items():
        if os.environ.get(name):
            notes.append(f"{name} is set in the environment: that one is used, not the one of the backup.")
        path = folder / name
        if keep_old and path.exists() and path.read_bytes() != content:
            path.replace(folder / f"{name}.replaced-{moment}")
        temporary = folder / f".{name}.restore"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    return notes


def _compare(manifest: Manifest) -> None:
    found = databases.count(manifest.rows)
    wrong = [
        f"{table} has {found[table]} rows, not {rows}" for table, rows in manifest.rows.items() if found[table] != rows
    ]
    if wrong:
        raise BackupError(f"The database is not as it was when the backup was made: {'; '.join(wrong[:5])}.")
