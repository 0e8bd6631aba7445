"""A blob on the disk is there after a crash, and a killed writer leaves nothing that is taken for one."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tickets import blobs


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
        with pytest.raises(OSError, match="No space"):
            blobs.put_file(before[0])
    assert files(store) == before


def test_a_blob_is_a_file_with_its_name_and_no_other(store: Path) -> None:
    name = blobs.put(b"content")
    with blobs.BlobWriter() as writer:
        writer.write(b"content")
        assert writer.finish() == name
    assert files(store) == [blobs.path_of(name)] == [store / name[:2] / name]


def test_a_reader_makes_the_folder_of_what_it_puts_back(store: Path) -> None:
    name = blobs.put(b"content")
    (store / "trash").mkdir()
    blobs.path_of(name).replace(store / "trash" / name)
    blobs.path_of(name).parent.rmdir()
    assert blobs.read(name) == b"content"
    assert files(store) == [blobs.path_of(name)]
