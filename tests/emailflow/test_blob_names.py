"""Files that a row still needs are named: they are neither pruned nor left out of a backup."""

import pytest

from emailflow.blob_names import all_named, named
from tests.outgoing import outgoing

pytestmark = pytest.mark.django_db
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def file(sha256: str) -> dict[str, str]:
    return {"sha256": sha256, "name": "x", "mime_type": "text/plain", "cid": ""}


def test_files_of_mail_that_waits_or_may_be_sent_again_are_named() -> None:
    outgoing(attachments=[file(A), file(B)])
    outgoing(attachments=[file(B)], state="failed", reason="no")
    outgoing(attachments=[file(C)], state="sent")
    assert named([A, B, C]) == {A, B}
    assert named([C]) == set()
    assert named([]) == set()
    assert list(all_named()) == [A, B]
