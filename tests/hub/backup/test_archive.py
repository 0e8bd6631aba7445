"""An archive that is cut, changed or none at all is never taken for a backup."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.backup.archive import BackupError, End, Manifest, Writer, verify

BLOBS = [b"one", b"two" * 10_000]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def written(path: Path, *, end: bool = True, blobs: list[bytes] = BLOBS, secret: bytes = b"key") -> Path:
    copy = path.with_name("copy")
    copy.write_bytes(b"rows")
    with path.open("wb") as stream, Writer(stream) as writer:
        writer.manifest(
            Manifest("2026-01-31T12:00:00", "sqlite", "database.sqlite3", digest(b"rows"), {"users": 1},
                     [["tickets", "0001_initial"]], {"SECRET_KEY": digest(b"key")})
        )  # fmt: skip
        writer.secret("SECRET_KEY", secret)
        writer.database("database.sqlite3", copy)
        for content in sorted(blobs, key=digest):
            writer.blob(digest(content), io.BytesIO(content), len(content))
        if end:
            writer.end(End(len(BLOBS), sum(map(len, BLOBS))))
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    manifest, end = verify(written(tmp_path / "a.tar"))
    assert (manifest.rows, end.blobs) == ({"users": 1}, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: written(path, end=False),
        lambda path: written(path, blobs=BLOBS[:1]),
        lambda path: written(path, secret=b"another"),
        lambda path: written(path, blobs=[*BLOBS, BLOBS[0]]),
        lambda path: path.write_bytes(b"no archive at all"),
        lambda path: path.write_bytes(b""),
    ],
    ids=["no end", "a blob less", "another key", "a blob twice", "no archive", "empty"],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(BackupError):
        verify(tmp_path / "a.tar")


def test_a_cut_at_any_place_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.tar").read_bytes()
    content = whole.rstrip(b"\0")
    for size in range(0, len(content), 997):
        (tmp_path / "b.tar").write_bytes(content[:size])
        with pytest.raises(BackupError):
            verify(tmp_path / "b.tar")


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.tar").read_bytes()
    place = whole.index(b"twotwo")
    (tmp_path / "a.tar").write_bytes(whole[:place] + b"T" + whole[place + 1 :])
    with pytest.raises(BackupError, match="not what was written"):
        verify(tmp_path / "a.tar")


def test_a_missing_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be read"):
        verify(tmp_path / "none.tar")
