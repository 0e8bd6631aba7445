"""A file that nothing names goes, a day late; one that somebody names never does."""

import os
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from tickets import blob_trash, blobs

NOW = timezone.now()
HOURS = 3600


@pytest.fixture(autouse=True)
def store(settings: LazySettings, tmp_path: Path) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


def put(content: bytes, *, hours_old: float) -> str:
    sha256 = blobs.put(content)
    make_older(blobs.path_of(sha256), hours_old)
    return sha256


def make_older(path: Path, hours: float) -> None:
    moment = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))


def nothing(hashes: Collection[str]) -> set[str]:
    return set()


def everything(hashes: Collection[str]) -> set[str]:
    return set(hashes)


def test_only_what_is_old_and_nameless_goes_to_the_trash(store: Path) -> None:
    old, young, wanted = put(b"old", hours_old=25), put(b"young", hours_old=23), put(b"wanted", hours_old=99)

    swept = blob_trash.sweep(lambda hashes: {wanted} & set(hashes), NOW)

    assert (swept.looked_at, swept.moved, swept.moved_bytes) == (3, 1, 3)
    assert [path.name for path in (store / "trash").iterdir()] == [old]
    assert blobs.path_of(young).exists()
    assert blobs.path_of(wanted).exists()


def test_a_file_that_is_named_between_look_and_move_comes_back(store: Path) -> None:
    sha256 = put(b"same bytes", hours_old=25)
    answers = iter([set[str](), {sha256}])

    swept = blob_trash.Swept()
    blob_trash.discard([sha256], lambda hashes: next(answers), NOW, swept=swept)

    assert blobs.path_of(sha256).exists()
    assert swept.moved == 0


def test_the_trash_is_emptied_after_a_day_and_gives_back_what_is_named(store: Path) -> None:
    gone, fresh, named = (put(content, hours_old=25) for content in (b"gone", b"fresh", b"named"))
    blob_trash.sweep(nothing, NOW)
    make_older(store / "trash" / gone, 25)
    make_older(store / "trash" / named, 25)

    swept = blob_trash.Swept()
    blob_trash.empty(lambda hashes: {named} & set(hashes), NOW, swept=swept)

    assert (swept.emptied, swept.emptied_bytes) == (1, 4)
    assert not blobs.exists(gone)
    assert blobs.exists(fresh)
    assert blobs.path_of(named).read_bytes() == b"named"


def test_a_reader_gets_a_file_out_of_the_trash() -> None:
    sha256 = put(b"read me", hours_old=25)
    blob_trash.sweep(nothing, NOW)
    assert not blobs.path_of(sha256).exists()
    assert blobs.read(sha256) == b"read me"
    assert blobs.path_of(sha256).exists()


def test_what_a_killed_writer_left_unfinished_is_removed(store: Path) -> None:
    folder = blobs.path_of(put(b"whole", hours_old=25)).parent
    for name, hours in ((".new-old", 25), (".new-young", 1)):
        (folder / name).write_bytes(b"half")
        make_older(folder / name, hours)
    swept = blob_trash.sweep(everything, NOW)
    assert swept.leftovers == 1
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == {".new-young"}


def test_a_dry_run_counts_and_touches_nothing(store: Path) -> None:
    sha256 = put(b"old", hours_old=25)
    swept = blob_trash.sweep(nothing, NOW, dry_run=True)
    assert swept.moved == 1
    assert blobs.path_of(sha256).exists()
    assert not (store / "trash").exists()


def test_one_that_is_stopped_takes_nothing_more() -> None:
    sha256 = put(b"old", hours_old=25)
    blob_trash.sweep(nothing, NOW, stopping=lambda: True)
    assert blobs.path_of(sha256).exists()
