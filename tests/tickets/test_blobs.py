"""Bytes that were put are there after a crash, and what is gone says so."""

import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.threads import at_once
from tickets import blobs


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_put_names_bytes_by_their_hash_and_twice_is_once(store: Path) -> None:
    content = b"\0bytes" * 1000
    name = blobs.put(content)
    assert name == blobs.put(content) == hashlib.sha256(content).hexdigest()
    assert blobs.read(name) == content
    assert blobs.exists(name)
    assert files(store) == [blobs.path_of(name)]


def test_put_mends_a_damaged_blob() -> None:
    name = blobs.put(b"whole")
    blobs.path_of(name).write_bytes(b"who")
    blobs.put(b"whole")
    assert blobs.read(name) == b"whole"


def test_before_put_returns_the_file_is_synced_renamed_and_its_folders_synced(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        steps.append(("folder" if path.is_dir() else path.name[:5], bool(_finished(store))))
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("which file a descriptor belongs to is read from /proc, which this system has not")
    monkeypatch.setattr(os, "fsync", watch)
    blobs.put(b"content")

    # First the folder that got a new folder, then the file under its temporary name, last the folder with its name.
    assert steps == [("folder", False), (".new-", False), ("folder", True)]

    steps.clear()
    blobs.put_many([b"content", b"content"])
    assert [kind for kind, _ in steps] == [".new-", ".new-", "folder"]

    (store.parent / "mail").write_bytes(b"content")
    steps.clear()
    blobs.put_file(store.parent / "mail")
    assert [kind for kind, _ in steps] == [".new-", "folder"]


def _finished(store: Path) -> list[Path]:
    return [path for path in files(store) if not path.name.startswith(".new-")]


def test_a_full_disk_leaves_nothing_half(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    blobs.put(b"there")
    before = files(store)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            blobs.put(b"content")
    assert files(store) == before


def test_pieces_are_one_blob_once_they_are_finished_and_nothing_before(store: Path) -> None:
    with blobs.BlobWriter() as writer:
        writer.write(b"first ")
        writer.write(memoryview(b"second"))
        assert not _finished(store)
        name = writer.finish()
    assert (blobs.read(name), writer.size) == (b"first second", 12)
    with pytest.raises(RuntimeError), blobs.BlobWriter() as writer:
        writer.write(b"half")
        raise RuntimeError
    assert files(store) == [blobs.path_of(name)]


def test_a_file_is_copied_and_stays(store: Path, tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.write_bytes(b"x" * (2 * blobs.PIECE + 1))
    name = blobs.put_file(mail)
    assert blobs.read(name) == mail.read_bytes()
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "nothing")
    assert files(store) == [blobs.path_of(name)]


def test_put_many_keeps_the_order() -> None:
    contents = [b"a", b"b", b"a", b""]
    names = blobs.put_many(contents)
    assert [blobs.read(name) for name in names] == contents
    assert blobs.put_many([]) == []


def test_what_is_in_the_trash_is_put_back_by_a_reader(store: Path) -> None:
    name = blobs.put(b"still wanted")
    trashed = store / "trash" / name
    trashed.parent.mkdir()
    blobs.path_of(name).replace(trashed)
    blobs.path_of(name).parent.rmdir()

    assert blobs.exists(name)
    with blobs.open_blob(name) as stream:
        assert stream.read() == b"still wanted"
    assert blobs.path_of(name).exists()
    assert not trashed.exists()


def test_of_many_readers_of_one_blob_in_the_trash_all_get_it(store: Path) -> None:
    (store / "trash").mkdir(parents=True)
    for number in range(40):
        name = blobs.put(b"%d" % number)
        blobs.path_of(name).replace(store / "trash" / name)
        assert at_once(*[lambda name=name: blobs.read(name)] * 4) == [b"%d" % number] * 4


def test_a_missing_blob_says_so() -> None:
    name = hashlib.sha256(b"never put").hexdigest()
    assert not blobs.exists(name)
    with pytest.raises(blobs.BlobMissing, match=name[:12]):
        blobs.open_blob(name)


def test_many_may_put_and_read_the_same_at_once(store: Path) -> None:
    content = b"x" * 50_000
    name = blobs.put(content)
    stop = threading.Event()

    def write() -> None:
        for _ in range(50):
            blobs.put(content)
        stop.set()

    def read() -> None:
        while not stop.is_set():
            assert blobs.read(name) == content

    at_once(write, read)
    assert len(files(store)) == 1
