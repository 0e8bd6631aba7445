"""A file that nothing names goes, a day late; one that somebody names never does. Wherever it is kept."""

import os
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from tests.places import age, in_place, in_trash, is_in_place, trash
from tickets import blob_trash, blobs

NOW = timezone.now()
pytestmark = pytest.mark.usefixtures("anywhere")


def put(content: bytes, *, hours_old: float) -> str:
    sha256 = blobs.put(content)
    age(in_place(sha256), hours_old)
    return sha256


def nothing(hashes: Collection[str]) -> set[str]:
    return set()


def everything(hashes: Collection[str]) -> set[str]:
    return set(hashes)


def test_only_what_is_old_and_nameless_goes_to_the_trash() -> None:
    old, young, wanted = put(b"old", hours_old=25), put(b"young", hours_old=23), put(b"wanted", hours_old=99)

    swept = blob_trash.sweep(lambda hashes: {wanted} & set(hashes), timezone.now())

    assert (swept.looked_at, swept.moved, swept.moved_bytes) == (3, 1, 3)
    assert trash() == [old]
    assert is_in_place(young)
    assert is_in_place(wanted)


def test_a_file_that_is_named_between_look_and_move_comes_back() -> None:
    sha256 = put(b"same bytes", hours_old=25)
    answers = iter([set[str](), {sha256}])

    swept = blob_trash.Swept()
    blob_trash.discard([sha256], lambda hashes: next(answers), timezone.now(), swept=swept)

    assert is_in_place(sha256)
    assert (swept.moved, swept.moved_bytes, trash()) == (0, 0, [])


def test_the_trash_is_emptied_after_a_day_and_gives_back_what_is_named() -> None:
    gone, fresh, named = (put(content, hours_old=25) for content in (b"gone", b"fresh", b"named"))
    blob_trash.sweep(nothing, timezone.now())
    age(in_trash(gone), 25)
    age(in_trash(named), 25)

    swept = blob_trash.Swept()
    blob_trash.empty(lambda hashes: {named} & set(hashes), timezone.now(), swept=swept)

    assert (swept.emptied, swept.emptied_bytes) == (1, 4)
    assert not blobs.exists(gone)
    assert blobs.exists(fresh)
    assert is_in_place(named)
    assert blobs.read(named) == b"named"
    assert trash() == [fresh]


def test_the_day_in_the_trash_begins_with_the_move() -> None:
    sha256 = put(b"old", hours_old=1000)
    blob_trash.sweep(nothing, timezone.now())
    blob_trash.empty(nothing, timezone.now() + timedelta(hours=23))
    assert trash() == [sha256]
    blob_trash.empty(nothing, timezone.now() + timedelta(hours=25))
    assert trash() == []


def test_a_reader_gets_a_file_out_of_the_trash() -> None:
    sha256 = put(b"read me", hours_old=25)
    blob_trash.sweep(nothing, timezone.now())
    assert not is_in_place(sha256)
    assert blobs.read(sha256) == b"read me"
    assert is_in_place(sha256)


def test_a_dry_run_counts_and_touches_nothing() -> None:
    sha256 = put(b"old", hours_old=25)
    swept = blob_trash.sweep(nothing, timezone.now(), dry_run=True)
    assert (swept.moved, swept.moved_bytes) == (1, 3)
    assert is_in_place(sha256)
    assert trash() == []


def test_one_that_is_stopped_takes_nothing_more() -> None:
    sha256 = put(b"old", hours_old=25)
    blob_trash.sweep(nothing, timezone.now(), stopping=lambda: True)
    assert is_in_place(sha256)


@pytest.mark.parametrize("anywhere", ["disk"], indirect=True)
def test_what_a_killed_writer_left_unfinished_is_removed(settings: LazySettings) -> None:
    folder = blobs.path_of(put(b"whole", hours_old=25)).parent
    for path, hours in ((folder / ".new-old", 25), (folder / ".new-young", 1), (settings.BLOB_DIR / ".new-old", 25)):
        path.write_bytes(b"half")
        moment = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(path, (moment, moment))
    assert blob_trash.sweep(everything, timezone.now(), dry_run=True).leftovers == 2
    assert blob_trash.sweep(everything, timezone.now()).leftovers == 2
    assert {path.name for path in Path(settings.BLOB_DIR).rglob(".new*")} == {".new-young"}
