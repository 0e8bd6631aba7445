"""Blobs in an S3-compatible object store that several machines share. The only file that knows boto3.

``prefix/AB/ABCD…`` is a blob, ``prefix/trash/ABCD…/<token>`` a copy of one that nothing names. A store has no rename,
only copy and delete. So each move to the trash makes an entry of its own, before the blob goes: whoever deletes an old
entry, or puts it back, never takes the one that another process has just made.

The store must be consistent (what was written is read and listed at once), as those of Amazon, Ceph and MinIO are.
"""

import errno
import hashlib
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import randbelow
from typing import Any, BinaryIO, cast

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from storages.backends.s3 import S3Storage

from tickets.blob_places.base import Draft, Stored, StoreUnreachable

AT_ONCE = 8
# With two tries, less than a minute: a mail is leased for three.
_CONNECT, _READ, _TRIES = 5, 20, 2
_GONE = frozenset({"NoSuchKey", "NoSuchUpload", "404"})
_PIECE = 1 << 20
_BLOB = re.compile(r"(?P<folder>[0-9a-f]{2})/(?P<sha256>(?P=folder)[0-9a-f]{62})")
_TRASHED = re.compile(r"trash/(?P<sha256>[0-9a-f]{64})(/[0-9a-f]+)?")


class _File:
    """A draft in the spool folder without a name: a killed writer leaves nothing behind."""

    def __init__(self, bucket: "Bucket") -> None:
        self.bucket = bucket
        self.stream = _spool()

    def keep(self, sha256: str, *, sync: bool) -> None:
        self.stream.seek(0)
        self.bucket.upload(sha256, self.stream)

    def drop(self) -> None:
        self.stream.close()


class Bucket:
    def __init__(self, bucket_name: str, location: str = "", addressing_style: str = "auto", **options: str) -> None:
        self.bucket_name = bucket_name
        self.prefix = f"{location}/" if location else ""
        self._options = {**options, "bucket_name": bucket_name}
        self._addressing_style = addressing_style
        self._connect()
        # A connection must not be used by two processes.
        os.register_at_fork(after_in_child=self._connect)

    def _connect(self) -> None:
        """Makes the client anew at its next use. django-storages finds the keys in the environment."""
        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=AT_ONCE + 2,
            s3={"addressing_style": self._addressing_style},
        )
        transfer = TransferConfig(use_threads=False)
        self._ahead = _Ahead()
        self._storage: Any = S3Storage(**self._options, client_config=config, transfer_config=transfer)

    @property
    def _client(self) -> Any:
        """Unlike the rest of boto3, a client may be used by several threads."""
        return self._storage.bucket.meta.client

    def put(self, content: bytes, *, sync: bool) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        key = self._key(sha256)
        with self._told(key):
            self._client.put_object(Bucket=self.bucket_name, Key=key, Body=content)
        return sha256

    def put_many(self, contents: Iterable[bytes]) -> list[str]:
        """Several at once: each waits for the network, not for this machine."""
        waiting = list(contents)
        if len(waiting) < 2:
            return [self.put(content, sync=True) for content in waiting]
        with self._told(self.prefix):
            # Made here, before threads ask for it all at once.
            _ = self._client
        with ThreadPoolExecutor(min(AT_ONCE, len(waiting))) as pool:
            return list(pool.map(lambda content: self.put(content, sync=True), waiting))

    def draft(self) -> Draft:
        return _File(self)

    def upload(self, sha256: str, stream: BinaryIO) -> None:
        """A big one goes up in parts, and is there when the last one is."""
        key = self._key(sha256)
        with self._told(key):
            self._client.upload_fileobj(_Unclosed(stream), self.bucket_name, key, Config=self._storage.transfer_config)

    def expect(self, names: Sequence[str]) -> None:
        """Fetches several at once: each waits for the network. What this thread expected before is dropped."""
        self._ahead.drop()
        if len(names) > 1:
            with self._told(self.prefix):
                _ = self._client
            self._ahead.begin({name: partial(self._download, self._key(name)) for name in names})

    def open(self, sha256: str) -> BinaryIO:
        """A copy in the spool folder, without a name there: it is gone when it is closed."""
        key = self._key(sha256)
        fetched = self._ahead.take(sha256)
        stream = fetched.result() if fetched is not None else self._download(key)
        if stream is None:
            for trashed in self._in_trash(sha256):
                self.put_back(trashed)
            # Also where there was none: another reader may just have put it back.
            stream = self._download(key)
        if stream is None:
            raise FileNotFoundError(errno.ENOENT, "This is not in the object store", self._url(key))
        return stream

    def exists(self, sha256: str) -> bool:
        return self.look(sha256) is not None or bool(self._in_trash(sha256)) or self.look(sha256) is not None

    def check(self) -> None:
        """Asks for a list, which is the right that is most often forgotten."""
        with self._told(self.prefix):
            self._client.list_objects_v2(Bucket=self.bucket_name, Prefix=self.prefix, MaxKeys=1)

    def names(self) -> Iterator[str]:
        """A page of a thousand at a time; another process may move any of them meanwhile."""
        first = f"{randbelow(256):02x}"
        for found in self._list("", _BLOB, after=first, until="g"):
            yield found.sha256
        for found in self._list("", _BLOB, after="/", until=first):
            yield found.sha256

    def look(self, sha256: str) -> Stored | None:
        key = self._key(sha256)
        with self._told(key):
            try:
                head = self._client.head_object(Bucket=self.bucket_name, Key=key)
            except ClientError as error:
                if _is_gone(error):
                    return None
                raise
        return Stored(sha256, head["ContentLength"], head["LastModified"].timestamp(), key)

    def to_trash(self, blob: Stored) -> Stored | None:
        key = f"{self.prefix}trash/{blob.sha256}/{uuid.uuid4().hex}"
        if not self._copy(blob.key, key):
            return None
        self._delete(blob.key)
        return Stored(blob.sha256, blob.size, blob.modified, key)

    def trash(self) -> Iterator[Stored]:
        return self._list("trash/", _TRASHED)

    def put_back(self, trashed: Stored) -> None:
        # False: a reader was faster, and its copy is in its place already.
        if self._copy(trashed.key, self._key(trashed.sha256)):
            self._delete(trashed.key)

    def delete(self, trashed: Stored) -> None:
        self._delete(trashed.key)

    def unfinished(self, before: float) -> Iterator[str]:
        """Uploads in parts whose process died; their parts are stored, and paid for, until somebody ends them."""
        with self._told(self.prefix):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket_name, Prefix=self.prefix):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"].timestamp() < before:
                        yield f"{upload['UploadId']} {upload['Key']}"

    def forget(self, unfinished: str) -> None:
        upload, _, key = unfinished.partition(" ")
        with self._told(key):
            try:
                self._client.abort_multipart_upload(Bucket=self.bucket_name, Key=key, UploadId=upload)
            except ClientError as error:
                if not _is_gone(error):
                    raise

    def _key(self, sha256: str) -> str:
        return f"{self.prefix}{sha256[:2]}/{sha256}"

    def _url(self, key: str) -> str:
        return f"s3://{self.bucket_name}/{key}"

    def _in_trash(self, sha256: str) -> list[Stored]:
        return list(self._list(f"trash/{sha256}/", _TRASHED))

    def _list(self, start: str, form: re.Pattern[str], *, after: str = "", until: str = "") -> Iterator[Stored]:
        """What begins with ``start`` and has that form, in order; whatever else is there is not ours."""
        beginning = self.prefix + start
        with self._told(beginning):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=beginning, StartAfter=self.prefix + after if after else ""
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self.prefix)
                    if until and key >= until:
                        return
                    if match := form.fullmatch(key):
                        yield Stored(match["sha256"], found["Size"], found["LastModified"].timestamp(), found["Key"])

    def _download(self, key: str) -> BinaryIO | None:
        stream = _spool()
        try:
            with self._told(key):
                body = self._client.get_object(Bucket=self.bucket_name, Key=key)["Body"]
                for piece in body.iter_chunks(_PIECE):
                    stream.write(piece)
        except FileNotFoundError:
            stream.close()
            return None
        except BaseException:
            stream.close()
            raise
        stream.seek(0)
        return stream

    def _copy(self, source: str, target: str) -> bool:
        """Inside the store. False when the source is gone. Up to 5 GB, which no mail has."""
        try:
            with self._told(source):
                self._client.copy_object(
                    Bucket=self.bucket_name, Key=target, CopySource={"Bucket": self.bucket_name, "Key": source}
                )
        except FileNotFoundError:
            return False
        return True

    def _delete(self, key: str) -> None:
        with self._told(key):
            self._client.delete_object(Bucket=self.bucket_name, Key=key)

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Whatever the store or the network says becomes an OSError: FileNotFoundError for what is not there."""
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            if isinstance(error, ClientError) and _is_gone(error):
                raise FileNotFoundError(errno.ENOENT, "This is not in the object store", self._url(key)) from error
            words = f"the object store does not do its work: {' '.join(str(error).split())[:300]}"
            raise StoreUnreachable(errno.EIO, words, self._url(key)) from error


class _Ahead(threading.local):
    """What a thread has said that it will read next."""

    def __init__(self) -> None:
        self._futures: dict[str, Future[BinaryIO | None]] = {}

    def begin(self, jobs: dict[str, Callable[[], BinaryIO | None]]) -> None:
        pool = ThreadPoolExecutor(AT_ONCE)
        self._futures = {name: pool.submit(job) for name, job in jobs.items()}
        # Its threads end with the last job.
        pool.shutdown(wait=False)

    def take(self, sha256: str) -> Future[BinaryIO | None] | None:
        return self._futures.pop(sha256, None)

    def drop(self) -> None:
        """Nobody has asked for these after all: an error came in between."""
        for future in self._futures.values():
            if not future.cancel():
                future.add_done_callback(_close)
        self._futures = {}


def _close(future: "Future[BinaryIO | None]") -> None:
    if future.exception() is None and (stream := future.result()) is not None:
        stream.close()


class _Unclosed:
    """s3transfer closes what it has uploaded; the draft is closed by its owner."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell

    def close(self) -> None:
        pass


def _is_gone(error: ClientError) -> bool:
    """The object, not the bucket: a missing bucket is a wrong setting, and no mail is gone because of it."""
    return error.response.get("Error", {}).get("Code") in _GONE


def _spool() -> BinaryIO:
    folder = Path(settings.SPOOL_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))
