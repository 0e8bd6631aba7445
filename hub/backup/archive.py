"""The file that a backup is: a plain tar, written and read as a stream, so that its size costs no memory.

In this order: ``manifest.json``, ``secrets/NAME``, one ``database.*``, ``blobs/SHA256`` ..., ``end.json``. A blob's
name is its hash, the manifest holds the hashes of all else, and without ``end.json`` the file was cut off.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

FORMAT = 1
PIECE = 1 << 20
_MANIFEST, _END = "manifest.json", "end.json"
_SECRET = re.compile(r"secrets/([A-Z][A-Z_]{1,60})")
_BLOB = re.compile(r"blobs/([0-9a-f]{64})")
# Bigger ones are nobody's keys or lists.
_MOST_SMALL = 64 * 1024 * 1024


class BackupError(Exception):
    """Why a backup cannot be made, read or restored, in a sentence for the person at the terminal."""


@dataclass
class Manifest:
    """What the archive holds, but for the blobs."""

    made_at: str
    engine: str
    """``sqlite`` or ``postgresql``."""
    database: str
    """The name of its entry."""
    database_sha256: str
    rows: dict[str, int]
    migrations: list[list[str]]
    secrets: dict[str, str] = field(default_factory=dict)
    """Name to the hash of the content."""
    format: int = FORMAT

    @classmethod
    def read(cls, content: bytes) -> "Manifest":
        try:
            values = json.loads(content)
            if values.get("format") != FORMAT:
                raise BackupError(f"This backup has the format {values.get('format')}; this Hub reads {FORMAT}.")
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise BackupError("This is not a backup of Hub: its manifest cannot be read.") from error


@dataclass
class End:
    """The last entry: how many blobs there are, and which the store did not have or had damaged."""

    blobs: int = 0
    blob_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


class Writer:
    """Writes one archive. A context manager; what was not closed by ``end`` is not a backup."""

    def __init__(self, stream: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def manifest(self, manifest: Manifest) -> None:
        self._small(_MANIFEST, json.dumps(asdict(manifest), indent=1).encode())

    def secret(self, name: str, content: bytes) -> None:
        self._small(f"secrets/{name}", content)

    def database(self, name: str, file: Path) -> None:
        with file.open("rb") as stream:
            self._add(name, stream, file.stat().st_size)

    def blob(self, sha256: str, stream: IO[bytes], size: int) -> None:
        self._add(f"blobs/{sha256}", stream, size)

    def end(self, end: End) -> None:
        self._small(_END, json.dumps(asdict(end)).encode())

    def _small(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content))

    def _add(self, name: str, stream: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        self._tar.addfile(entry, stream)
        # The list of what was written would grow with the store.
        self._tar.members = []  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Entry:
    """One part of an archive, to be read to its end before the next one is asked for."""

    kind: str
    """``manifest``, ``secret``, ``database``, ``blob`` or ``end``."""
    name: str
    size: int
    stream: IO[bytes]

    def pieces(self) -> Iterator[bytes]:
        while piece := self._piece():
            yield piece

    def read(self) -> bytes:
        """All of a small one."""
        return b"".join(self.pieces())

    def _piece(self) -> bytes:
        try:
            return self.stream.read(PIECE)
        except (tarfile.TarError, OSError) as error:
            raise BackupError(f"The backup is damaged or cut off in {self.name[:80]}: {error}") from error


def entries(path: Path) -> Iterator[Entry]:
    """The parts of an archive in their order. Raises BackupError for what is none, or holds anything else."""
    try:
        with tarfile.open(path, mode="r|") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]
                stream = tar.extractfile(member) if member.isreg() else None
                kind, name = _kind_of(member.name)
                if stream is None or not kind or (kind not in ("database", "blob") and member.size > _MOST_SMALL):
                    raise BackupError(f"This is not a backup of Hub: it holds {member.name[:80]!r}.")
                yield Entry(kind, name, member.size, stream)
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{path} is damaged or not a backup of Hub: {error}") from error


def _kind_of(name: str) -> tuple[str, str]:
    if name in (_MANIFEST, _END):
        return name.removesuffix(".json"), name
    if name in ("database.sqlite3", "database.dump"):
        return "database", name
    if match := _SECRET.fullmatch(name):
        return "secret", match[1]
    if match := _BLOB.fullmatch(name):
        return "blob", match[1]
    return "", ""


def verify(path: Path) -> tuple[Manifest, End]:
    """Read all of it: every hash fits, everything is there, nothing twice. Raises BackupError."""
    manifest: Manifest | None = None
    end: End | None = None
    found: set[str] = set()
    blobs = blob_bytes = 0
    before = ""
    for entry in entries(path):
        if (manifest is None) != (entry.kind == "manifest") or end is not None:
            raise BackupError(f"{path} is damaged: {entry.name} is not where it should be.")
        if entry.kind == "manifest":
            manifest = Manifest.read(entry.read())
            continue
        assert manifest is not None
        if entry.kind == "end":
            end = _read_end(entry)
            continue
        digest = hashlib.sha256()
        for piece in entry.pieces():
            digest.update(piece)
        if entry.kind == "blob":
            expected, blobs, blob_bytes = entry.name, blobs + 1, blob_bytes + entry.size
            if entry.name <= before:
                raise BackupError(f"{path} is damaged: the file {entry.name[:12]}… is there twice.")
            before = entry.name
        else:
            expected = manifest.secrets.get(entry.name, "") if entry.kind == "secret" else manifest.database_sha256
            found.add(entry.name)
        if digest.hexdigest() != expected:
            raise BackupError(f"{path} is damaged: {entry.name} is not what was written.")
    if manifest is None or end is None or (blobs, blob_bytes) != (end.blobs, end.blob_bytes):
        raise BackupError(f"{path} is not whole: it ends too early.")
    if found != {manifest.database, *manifest.secrets}:
        raise BackupError(f"{path} is not whole: the database or a key is missing.")
    return manifest, end


def _read_end(entry: Entry) -> End:
    try:
        values: dict[str, Any] = json.loads(entry.read())
        return End(**values)
    except (ValueError, TypeError) as error:
        raise BackupError("The backup is damaged: its last entry cannot be read.") from error
