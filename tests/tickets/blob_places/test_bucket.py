"""Blobs in a bucket: nothing is lost when processes cross or the store is away, and nothing is taken for lost."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from tests.objectstore import client, use
from tests.places import age, in_place, in_trash, trash
from tests.postgresql import free_port
from tests.threads import at_once
from tickets import blob_trash, blobs
from tickets.blob_places import place

pytestmark = pytest.mark.usefixtures("bucket")


def nothing(hashes: Collection[str]) -> set[str]:
    return set()


def everything(hashes: Collection[str]) -> set[str]:
    return set(hashes)


@pytest.fixture
def store(settings: LazySettings, bucket: str) -> Any:
    return client(settings.BLOB_STORAGE["endpoint_url"])


def put_old(content: bytes) -> str:
    sha256 = blobs.put(content)
    age(in_place(sha256), 25)
    return sha256


@contextmanager
def before_a_delete_of(key: str, work: Callable[[], object]) -> Iterator[None]:
    """The first time that this process deletes the object, ``work`` comes in between: another process is faster."""
    events = place()._client.meta.events  # type: ignore[attr-defined]
    waiting = [work]

    def step_in(params: dict[str, Any], **_: Any) -> None:
        if waiting and params["url_path"].endswith(key):
            waiting.pop()()

    events.register("before-call.s3.DeleteObject", step_in)
    try:
        yield
    finally:
        events.unregister("before-call.s3.DeleteObject", step_in)
    assert not waiting


def test_bytes_that_are_stored_while_they_go_to_the_trash_are_there() -> None:
    sha256 = put_old(b"same")
    with before_a_delete_of(in_place(sha256).key, lambda: blobs.put(b"same")):
        blob_trash.discard([sha256], nothing, timezone.now())
    assert blobs.read(sha256) == b"same"


def test_two_prunes_that_cross_lose_nothing() -> None:
    sha256 = put_old(b"same")
    answers = iter([set[str](), {sha256}])

    def other() -> None:
        # It finds the blob nameless, then named, and puts it back, while the first is about to delete it.
        blob_trash.discard([sha256], lambda _: next(answers), timezone.now())

    with before_a_delete_of(in_place(sha256).key, other):
        blob_trash.discard([sha256], nothing, timezone.now())
    assert blobs.read(sha256) == b"same"


def test_the_trash_is_emptied_of_the_old_copy_and_not_of_the_new_one() -> None:
    sha256 = put_old(b"same")
    blob_trash.discard([sha256], nothing, timezone.now())
    age(in_trash(sha256), 25)
    put_old(b"same")
    with before_a_delete_of(in_place(sha256).key, lambda: blob_trash.empty(nothing, timezone.now())):
        blob_trash.discard([sha256], nothing, timezone.now())
    assert trash() == [sha256]
    assert blobs.read(sha256) == b"same"


def test_prunes_readers_and_writers_at_once_lose_nothing() -> None:
    names = [put_old(b"%d" % number) for number in range(12)]

    def prune() -> None:
        for name in names:
            blob_trash.discard([name], nothing, timezone.now())

    def write() -> None:
        for number in range(12):
            blobs.put(b"%d" % number)

    def read() -> None:
        for number, name in enumerate(names):
            assert blobs.read(name) == b"%d" % number

    at_once(prune, prune, write, read)
    read()


def test_a_store_that_is_away_is_trouble_that_passes_and_no_missing_blob(
    bucket: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = blobs.put(b"content")
    use(settings, f"s3://bucket?endpoint_url=http://127.0.0.1:{free_port()}&region_name=eu-north-1", monkeypatch)
    for work in (
        lambda: blobs.put(b"x"),
        lambda: blobs.put_many([b"x", b"y"]),
        lambda: blobs.put_file(__file__),
        lambda: blobs.open_blob(sha256),
        lambda: blobs.exists(sha256),
        blobs.check,
    ):
        with pytest.raises(blobs.StoreUnreachable) as told:
            work()
        assert "does not do its work" in str(told.value.strerror)
        assert str(told.value.filename).startswith("s3://bucket/")
    use(settings, bucket, monkeypatch)
    assert blobs.read(sha256) == b"content"


def test_a_bucket_that_is_not_there_is_no_missing_blob(
    bucket: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = blobs.put(b"content")
    use(settings, bucket.replace("s3://hub-", "s3://other-"), monkeypatch)
    for work in (lambda: blobs.open_blob(sha256), lambda: blobs.exists(sha256), lambda: blobs.put(b"x"), blobs.check):
        with pytest.raises(blobs.StoreUnreachable, match="NoSuchBucket"):
            work()


def test_a_store_without_keys_says_so(bucket: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    use(settings, f"{bucket}&addressing_style=path", monkeypatch)
    with pytest.raises(blobs.StoreUnreachable, match="credentials"):
        blobs.check()


def test_other_objects_of_the_bucket_are_left_alone(settings: LazySettings, store: Any) -> None:
    sha256 = put_old(b"ours")
    name = settings.BLOB_STORAGE["bucket_name"]
    strangers = ["readme.txt", sha256, f"mail/blobsand/{sha256}", "mail/blobs/notes", f"mail/blobs/{sha256[:2]}/x"]
    for key in strangers:
        store.put_object(Bucket=name, Key=key, Body=b"not ours")
    swept = blob_trash.sweep(nothing, timezone.now())
    assert (swept.looked_at, swept.moved) == (1, 1)
    found = {entry["Key"] for entry in store.list_objects_v2(Bucket=name)["Contents"]}
    assert found == {*strangers, in_trash(sha256).key}


def test_an_upload_in_parts_that_nobody_ends_is_ended_after_a_day(settings: LazySettings, store: Any) -> None:
    name = settings.BLOB_STORAGE["bucket_name"]
    for key in ("mail/blobs/ab/half", "elsewhere/half"):
        upload = store.create_multipart_upload(Bucket=name, Key=key)
        store.upload_part(Bucket=name, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"half")
    # Whenever it began, moto says that it was on the tenth of November 2010.
    begun = datetime(2010, 11, 10, 21, tzinfo=UTC)
    assert blob_trash.sweep(everything, begun + timedelta(hours=23)).leftovers == 0
    assert blob_trash.sweep(everything, begun + timedelta(hours=25), dry_run=True).leftovers == 1
    assert blob_trash.sweep(everything, begun + timedelta(hours=25)).leftovers == 1
    left = store.list_multipart_uploads(Bucket=name)["Uploads"]
    assert [upload["Key"] for upload in left] == ["elsewhere/half"]


def test_a_process_that_was_forked_has_a_connection_of_its_own() -> None:
    sha256 = blobs.put(b"content")
    mine = place()._client  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = blobs.read(sha256) == b"content" and place()._client is not mine  # type: ignore[attr-defined]
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert blobs.read(sha256) == b"content"


def test_nothing_stays_in_the_spool_folder(settings: LazySettings, tmp_path: Any) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    with blobs.BlobWriter() as writer:
        writer.write(b"x" * 9_000_000)
        name = writer.finish()
    with blobs.open_blob(name):
        assert list(settings.SPOOL_DIR.iterdir()) == []
