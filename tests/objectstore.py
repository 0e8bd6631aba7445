"""An S3-compatible object store for tests: moto's server, in a thread of the test run. A pytest plugin."""

import logging
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

# What opens moto, which takes any key; a developer's own key must not decide.
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}
REGION = "eu-north-1"


def client(endpoint: str) -> Any:
    """A client of the store, to look at it without Hub."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def make_bucket(endpoint: str) -> str:
    """A new, empty one. Returns its name."""
    name = f"hub-{uuid.uuid4().hex}"
    client(endpoint).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The address of the server."""
    from moto.server import ThreadedMotoServer

    # A line a request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket_url(object_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """``BLOB_STORAGE_URL`` of an empty bucket; the keys are in the environment, for processes too."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return f"s3://{make_bucket(object_store)}/mail/blobs?endpoint_url={object_store}&region_name={REGION}"


@pytest.fixture
def bucket(bucket_url: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> str:
    """This process keeps its blobs in an empty bucket."""
    use(settings, bucket_url, monkeypatch)
    return bucket_url


def use(settings: LazySettings, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the settings say what ``BLOB_STORAGE_URL=url`` would make them say."""
    from hub.settings import env

    monkeypatch.setitem(os.environ, "BLOB_STORAGE_URL", url)
    settings.BLOB_STORAGE = env.bucket("BLOB_STORAGE_URL")
