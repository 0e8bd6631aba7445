"""Where the bytes of blobs are kept: a folder of this machine, or a bucket that several machines share.

Used by ``tickets.blobs`` and ``tickets.blob_trash`` only; nobody else asks where a blob is.
"""

from functools import cache

from django.conf import settings

from tickets.blob_places.base import Place
from tickets.blob_places.disk import Disk

_disk = Disk()


def place() -> Place:
    """The one that ``BLOB_STORAGE_URL`` chooses; the folder ``DATA_DIR/blobs`` where it is not set."""
    if settings.BLOB_STORAGE is None:
        return _disk
    return _bucket(**settings.BLOB_STORAGE)


@cache
def _bucket(**options: str) -> Place:
    # Only here: what it imports is an optional extra, and takes a while.
    from tickets.blob_places.bucket import Bucket

    return Bucket(**options)
