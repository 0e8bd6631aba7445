"""The places where blobs can be, for tests that promise the same of each: a folder, and a bucket. A pytest plugin."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings, settings

from tickets.blob_places import place
from tickets.blob_places.base import Stored


@pytest.fixture(params=["disk", "bucket"])
def anywhere(request: pytest.FixtureRequest, settings: LazySettings, tmp_path: Path) -> str:
    """Runs the test once with blobs in an empty folder and once with blobs in an empty bucket."""
    settings.BLOB_DIR = tmp_path / "blobs"
    settings.SPOOL_DIR = tmp_path / "spool"
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    return str(request.param)


def in_place(sha256: str) -> Stored:
    """The blob where it belongs, not in the trash."""
    found = place().look(sha256)
    assert found is not None, f"{sha256[:12]} is not in its place"
    return found


def is_in_place(sha256: str) -> bool:
    return place().look(sha256) is not None


def trash() -> list[str]:
    return sorted(found.sha256 for found in place().trash())


def in_trash(sha256: str) -> Stored:
    return next(found for found in place().trash() if found.sha256 == sha256)


def throw_away(sha256: str) -> None:
    """Into the trash, as ``prune`` does."""
    assert place().to_trash(in_place(sha256)) is not None


def age(found: Stored, hours: float) -> None:
    """Let it seem to have come there so much earlier than it did."""
    if settings.BLOB_STORAGE is None:
        os.utime(found.key, (found.modified - hours * 3600,) * 2)
    else:
        _object_of_moto(found.key).last_modified -= timedelta(hours=hours)


def destroy(found: Stored) -> None:
    """Gone, as by a broken disk."""
    place().delete(found)


def damage(found: Stored, content: bytes) -> None:
    """Other bytes under its name."""
    if settings.BLOB_STORAGE is None:
        Path(found.key).write_bytes(content)
    else:
        from tests.objectstore import client

        endpoint = settings.BLOB_STORAGE["endpoint_url"]
        client(endpoint).put_object(Bucket=settings.BLOB_STORAGE["bucket_name"], Key=found.key, Body=content)


def _object_of_moto(key: str) -> Any:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    # The server is a thread of this process.
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[settings.BLOB_STORAGE["bucket_name"]].keys[key]
