"""Makes a backup while Hub works: database first, then every blob that it names, then reads it all again.

Blobs are named by their content and never change, so those that are copied after the snapshot are the right ones.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from hub.backup.archive import PIECE, BackupError, End, Manifest, Writer, verify
from hub.backup.databases import Snapshot, snapshot
from tickets import blobs
from tickets.blobs import BlobMissing

KEYS = ("SECRET_KEY", "TOKEN_KEYS", "FIELD_ENCRYPTION_KEYS")


@dataclass
class Made:
    file: Path
    manifest: Manifest
    end: End
    notes: list[str] = field(default_factory=list)


def make_backup(target: Path) -> Made:
    """Write the archive, verify it, and only then give it its name. Raises BackupError.

    ``target`` is the file, or a folder in which it gets a name with the time. Missing and damaged blobs are in
    ``end``; the rest is kept all the same.
    """
    now = timezone.now()
    if target.is_dir():
        target = target / f"hub-{timezone.localtime(now):%Y%m%d-%H%M%S}.tar"
    if target.exists():
        raise BackupError(f"{target} exists already; a backup overwrites none.")
    try:
        # Beside the target: there must be room for it there, and the rename stays on one disk.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".hub-backup-") as name:
            part = Path(name) / "part"
            secrets = _secrets()
            taken = snapshot(Path(name))
            manifest = Manifest(
                made_at=now.isoformat(timespec="seconds"),
                engine=taken.engine,
                database=taken.name,
                database_sha256=_hash_of(taken.file),
                rows=taken.rows,
                migrations=taken.migrations,
                secrets={key: hashlib.sha256(content).hexdigest() for key, content in secrets.items()},
            )
            _write(part, manifest, secrets, taken)
            manifest, end = verify(part)
            part.replace(target)
            _sync_folder(target.parent)
    except OSError as error:
        raise BackupError(f"The backup cannot be written: {error.filename or target}: {error.strerror}") from error
    made = Made(target, manifest, end)
    made.notes = [
        f"{key} is not in the backup: it is set in the environment. Keep it in another safe place."
        for key in KEYS
        if key not in secrets
    ]
    return made


def _write(part: Path, manifest: Manifest, secrets: dict[str, bytes], taken: Snapshot) -> None:
    # It holds the keys and all mail: for its owner only.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        with Writer(stream) as writer:
            writer.manifest(manifest)
            for key, content in secrets.items():
                writer.secret(key, content)
            writer.database(taken.name, taken.file)
            taken.file.unlink()
            end = End()
            with taken.blob_names.open() as names:
                for line in names:
                    _write_blob(writer, line.strip(), end)
            writer.end(end)
        stream.flush()
        os.fsync(stream.fileno())


def _write_blob(writer: Writer, sha256: str, end: End) -> None:
    """Hashed before it is written: a damaged file must not go into a backup as if it were good."""
    try:
        with blobs.open_blob(sha256) as stream:
            digest = hashlib.sha256()
            size = 0
            while piece := stream.read(PIECE):
                digest.update(piece)
                size += len(piece)
            if digest.hexdigest() != sha256:
                end.damaged.append(sha256)
                return
            stream.seek(0)
            writer.blob(sha256, stream, size)
    except BlobMissing:
        end.missing.append(sha256)
        return
    end.blobs += 1
    end.blob_bytes += size


def _secrets() -> dict[str, bytes]:
    folder = Path(settings.DATA_DIR) / "secrets"
    return {key: (folder / key).read_bytes() for key in KEYS if (folder / key).is_file()}


def _hash_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
