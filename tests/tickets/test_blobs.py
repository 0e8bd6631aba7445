"""Files reach the store whole, under the name of their content, and a failure leaves nothing behind."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tickets import blobs


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


def test_a_file_is_copied_under_its_hash_and_stays_where_it_was(store: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    source = tmp_path / "mail.eml"
    source.write_bytes(content)
    sha256 = blobs.put_file(source)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert blobs.read(sha256) == content == source.read_bytes()
    assert blobs.put_file(source) == sha256


def test_a_blob_in_pieces_is_the_same_as_one_put_at_once(store: Path) -> None:
    with blobs.BlobWriter() as writer:
        for piece in (b"ab", b"", b"cd"):
            writer.write(piece)
        sha256 = writer.finish()
    assert sha256 == blobs.put(b"abcd")
    assert writer.size == 4


def test_an_unfinished_blob_leaves_nothing_behind(store: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "not there")
    with pytest.raises(ZeroDivisionError), blobs.BlobWriter() as writer:
        writer.write(b"half a mail")
        raise ZeroDivisionError
    assert [path for path in store.rglob("*") if path.is_file()] == []
