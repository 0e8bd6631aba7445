"""Raw mail goes when its time is over, and nothing else does."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.inbound.retention import let_go
from emailflow.models import Mailbox, Message
from emailflow.services.messages import reprocess
from tests.mails import mail
from tickets import blobs
from tickets.actors import Actor
from tickets.errors import ServiceError

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def empty_store(settings: LazySettings, tmp_path: Path) -> None:
    settings.BLOB_DIR = tmp_path / "blobs"


def stored(days_old: int, **columns: object) -> Message:
    message = receive_bytes(mail(), mailbox=Mailbox.objects.get(slug="test")).message
    process_due()
    Message.objects.filter(pk=message.pk).update(stored_at=NOW - timedelta(days=days_old), **columns)
    moment = (NOW - timedelta(days=days_old)).timestamp()
    os.utime(blobs.path_of(message.sha256), (moment, moment))
    return Message.objects.get(pk=message.pk)


def kept(message: Message) -> bool:
    message.refresh_from_db()
    return message.raw_kept and blobs.path_of(message.sha256).exists()


def test_raw_mail_of_a_ticket_goes_after_the_period_and_replay_says_so(settings: LazySettings) -> None:
    settings.MAIL_RAW_RETENTION_DAYS = 90
    old, young = stored(91), stored(89)

    assert let_go(NOW) == 1

    assert (kept(old), kept(young)) == (False, True)
    with pytest.raises(ServiceError, match="not kept any more"):
        reprocess(actor=Actor.of_system("test"), messages=[old])


@pytest.mark.parametrize(
    "columns",
    [{"outcome": "unrouted"}, {"state": "failed", "outcome": ""}, {"state": "waiting", "outcome": ""}],
)
def test_mail_that_waits_for_staff_is_kept_for_ever(columns: dict[str, object], settings: LazySettings) -> None:
    settings.MAIL_RAW_RETENTION_DAYS = 0
    message = stored(4000, **columns)

    let_go(NOW)

    assert kept(message)


def test_ignored_mail_is_kept_thirty_days_at_least(settings: LazySettings) -> None:
    settings.MAIL_RAW_RETENTION_DAYS = 0
    young, old = stored(29, outcome="ignored"), stored(31, outcome="ignored")

    let_go(NOW)

    assert (kept(young), kept(old)) == (True, False)


def test_blob_that_another_row_names_stays(settings: LazySettings) -> None:
    settings.MAIL_RAW_RETENTION_DAYS = 1
    message = stored(5)
    other = receive_bytes(blobs.read(message.sha256), mailbox=Mailbox.objects.get(slug="api")).message
    moment = (NOW - timedelta(days=5)).timestamp()
    os.utime(blobs.path_of(message.sha256), (moment, moment))

    let_go(NOW)

    assert kept(other)


def test_trash_is_emptied_a_day_later(settings: LazySettings) -> None:
    settings.MAIL_RAW_RETENTION_DAYS = 1
    message = stored(5)
    let_go(NOW)
    assert blobs.exists(message.sha256)
    os.utime(settings.BLOB_DIR / "trash" / message.sha256, (0, 0))

    let_go(NOW)

    assert not blobs.exists(message.sha256)
