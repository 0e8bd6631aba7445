"""``prune`` says what it would remove, removes that, and nothing that a ticket or the ledger needs."""

import os
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Failure, Task

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from hub.pruning import prune_in_background
from tests.mails import mail
from tickets import blobs
from tickets.models import Attachment, AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_store(settings: LazySettings, tmp_path: Path) -> None:
    settings.BLOB_DIR = tmp_path / "blobs"


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("prune", *arguments, stdout=output)
    return output.getvalue()


def make_old(sha256: str) -> None:
    moment = (timezone.now() - timedelta(days=400)).timestamp()
    os.utime(blobs.path_of(sha256), (moment, moment))


def test_files_of_tickets_stay_and_raw_mail_and_strays_go() -> None:
    raw = mail(files={"plan.bin": b"\0plan"})
    message = receive_bytes(raw, mailbox=Mailbox.objects.get(slug="test")).message
    process_due()
    Message.objects.update(stored_at=timezone.now() - timedelta(days=400))
    attachment = Attachment.objects.get()
    stray = blobs.put(b"nobody names me")
    for sha256 in (message.sha256, attachment.sha256, stray):
        make_old(sha256)
    entries = AuditEntry.objects.count()

    said = run("--dry-run")
    assert "Nothing is removed" in said
    assert "Raw mails whose time is over: 1." in said
    assert blobs.path_of(stray).exists()
    assert Message.objects.get().raw_kept

    run()
    assert not blobs.path_of(stray).exists()
    assert not blobs.path_of(message.sha256).exists()
    assert blobs.read(attachment.sha256) == b"\0plan"
    message.refresh_from_db()
    assert (message.raw_kept, message.outcome) == (False, "ticket_created")
    assert AuditEntry.objects.count() == entries


def test_old_reports_of_tasks_go_and_young_ones_stay() -> None:
    for name, days in (("old", 91), ("young", 89)):
        moment = timezone.now() - timedelta(days=days)
        Failure.objects.create(id=name, name=name, func="f", started=moment, stopped=moment, success=False)
    assert "older than 90 days: 1." in prune_in_background()
    assert list(Task.objects.values_list("name", flat=True)) == ["young"]
