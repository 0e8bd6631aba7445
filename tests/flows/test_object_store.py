"""Files and raw mail in an object store: the whole way of a mail, and what happens while the store is away."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.raw import BIG_MAIL
from emailflow.inbound.receive import Incoming, receive_bytes, receive_file, receive_many
from emailflow.models import Mailbox, Message, Outcome, State
from tests.mails import mail
from tests.objectstore import client, make_bucket, use
from tests.places import age, damage, destroy, in_place, in_trash, is_in_place, trash
from tests.postgresql import free_port, programs_on_path
from tests.rest import API, caller, staff
from tickets import blobs
from tickets.models import Attachment, Comment, Ticket

ROOT = Path(__file__).resolve().parents[2]
Installation = Callable[..., dict[str, str]]

in_process = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


def mailbox() -> Mailbox:
    return Mailbox.objects.get(slug="test")


def deliver(raw: bytes) -> Message:
    message = receive_bytes(raw, mailbox=mailbox()).message
    process_due()
    message.refresh_from_db()
    return message


@pytest.fixture
def nowhere(bucket: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Call it with True, and the store does not answer; with False, and it is back."""
    gone = f"s3://hub?endpoint_url=http://127.0.0.1:{free_port()}&region_name=eu-north-1"
    return lambda away: use(settings, gone if away else bucket, monkeypatch)


class TestWholeWay:
    pytestmark = in_process

    def test_a_mail_is_a_ticket_and_its_file_can_be_downloaded(self, settings: LazySettings, tmp_path: Path) -> None:
        settings.BLOB_DIR = tmp_path / "blobs"
        raw = mail("Here is the plan.", subject="Plan", files={"plan.bin": b"\0plan" * 5000})
        message = deliver(raw)
        assert message.outcome == Outcome.TICKET_CREATED
        file = Attachment.objects.get()
        reader = caller(staff("reader", "Managers"), "read")
        answer = reader.get(f"{API}/attachments/{file.pk}/download")
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content) == b"\0plan" * 5000
        assert answer["Content-Length"] == str(file.size)
        assert b"".join(reader.get(f"{API}/messages/{message.pk}/raw").streaming_content) == raw
        assert not settings.BLOB_DIR.exists()

    def test_a_big_mail_goes_through_files_and_leaves_none(self, settings: LazySettings, tmp_path: Path) -> None:
        settings.SPOOL_DIR = tmp_path / "spool"
        content = bytes(range(256)) * 40_000
        raw = mail(subject="Big", files={"big.bin": content})
        assert len(raw) > BIG_MAIL
        (tmp_path / "mail").write_bytes(raw)
        receive_file(tmp_path / "mail", mailbox=mailbox())
        process_due()
        assert blobs.read(Attachment.objects.get().sha256) == content
        assert list(settings.SPOOL_DIR.iterdir()) == []

    def test_prune_lets_raw_mail_go_after_a_day_in_the_trash_and_keeps_files(self) -> None:
        message = deliver(mail(files={"plan.bin": b"\0plan"}))
        file = Attachment.objects.get()
        for sha256 in (message.sha256, file.sha256):
            age(in_place(sha256), 24 * 400)
        Message.objects.update(stored_at=timezone.now() - timedelta(days=400))
        call_command("prune", stdout=StringIO())
        assert trash() == [message.sha256]
        age(in_trash(message.sha256), 25)
        call_command("prune", stdout=StringIO())
        assert not blobs.exists(message.sha256)
        assert blobs.read(file.sha256) == b"\0plan"

    def test_what_is_lost_or_damaged_is_found_and_mended(self, capsys: pytest.CaptureFixture[str]) -> None:
        deliver(mail(files={"a.bin": b"\0a", "b.bin": b"\0b"}))
        lost, damaged = Attachment.objects.order_by("name")
        destroy(in_place(lost.sha256))
        damage(in_place(damaged.sha256), b"\0x")
        with pytest.raises(CommandError, match=r"^Wrong: 2\."):
            call_command("check_integrity")
        said = capsys.readouterr().out
        assert f"File {lost.pk}" in said and "missing in the store" in said
        assert f"File {damaged.pk}" in said and "damaged in the store" in said
        call_command("check_integrity", "--repair")
        assert is_in_place(lost.sha256)
        assert (blobs.read(lost.sha256), blobs.read(damaged.sha256)) == (b"\0a", b"\0b")


class TestWhileItIsAway:
    pytestmark = in_process

    def test_nothing_is_taken_for_stored(self, nowhere: Callable[[bool], None]) -> None:
        nowhere(True)
        raw = mail(subject="First")
        with pytest.raises(OSError):
            receive_bytes(raw, mailbox=mailbox())
        sender = caller(staff("sender", "Agents"), "inbound")
        answer = sender.post(f"{API}/inbound/raw", raw, content_type="message/rfc822")
        assert answer.status_code == 503, answer.content
        assert not Message.objects.exists()
        nowhere(False)
        assert deliver(raw).outcome == Outcome.TICKET_CREATED

    def test_a_program_is_told_to_come_again_and_nothing_is_written(self, nowhere: Callable[[bool], None]) -> None:
        ticket = deliver(mail(files={"plan.bin": b"\0plan"})).ticket
        assert ticket is not None
        agent = caller(staff("agent", "Agents"), "read", "write")
        nowhere(True)
        file = SimpleUploadedFile("new.bin", b"\0new")
        wish = {"body_text": "See the file.", "attachments": file}
        answers = [
            agent.get(f"{API}/attachments/{Attachment.objects.get().pk}/download"),
            agent.post(f"{API}/tickets/{ticket.pk}/comments", wish, format="multipart"),
        ]
        assert [answer.status_code for answer in answers] == [503, 503], [answer.content for answer in answers]
        assert all(int(answer["Retry-After"]) > 0 for answer in answers)
        assert (Comment.objects.count(), Attachment.objects.count()) == (1, 1)

    def test_mails_wait_and_keep_their_attempts_and_their_tickets_come(self, nowhere: Callable[[bool], None]) -> None:
        receive_many([Incoming(mail(subject=f"Mail {number}"), mailbox()) for number in range(12)])
        nowhere(True)
        process_due()
        rows = list(Message.objects.all())
        assert {(row.state, row.attempts) for row in rows} == {(State.WAITING, 0)}
        assert all("object store" in row.last_error and row.trouble_since for row in rows)
        nowhere(False)
        Message.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
        process_due()
        assert Ticket.objects.count() == 12

    def test_a_group_asks_once_and_not_for_each_mail(
        self, nowhere: Callable[[bool], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        receive_many([Incoming(mail(subject=f"Mail {number}"), mailbox()) for number in range(12)])
        nowhere(True)
        process_due()
        assert not [record for record in caplog.records if "in halves" in record.getMessage()]

    def test_a_check_says_that_the_store_does_not_answer_and_calls_no_mail_lost(
        self, nowhere: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        deliver(mail())
        nowhere(True)
        with pytest.raises(CommandError, match="could not be finished: the object store does not do its work"):
            call_command("check_integrity")
        assert "backup" not in capsys.readouterr().out


def manage(environment: dict[str, str], *arguments: str, ok: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_backup_holds_what_is_in_the_bucket_and_fills_another_one(
    new_installation: Installation, bucket_url: str, object_store: str, tmp_path: Path
) -> None:
    first = new_installation(BLOB_STORAGE_URL=bucket_url, PATH=programs_on_path())
    manage(first, "migrate", "-v0")
    (tmp_path / "1.eml").write_bytes(mail("Hjælp", subject="Printer", files={"plan.bin": b"\0plan" * 1000}))
    manage(first, "import_mail", str(tmp_path / "1.eml"))
    archive = tmp_path / "hub.tar"
    said = manage(first, "backup", str(archive))
    assert "2 files" in said and "Verified." in said

    other_bucket = make_bucket(object_store)
    url = f"s3://{other_bucket}?endpoint_url={object_store}"
    second = new_installation(BLOB_STORAGE_URL=url, PATH=programs_on_path())
    manage(second, "restore", str(archive))
    assert "Nothing is wrong." in manage(second, "check_integrity")

    def names(bucket: str) -> list[str]:
        found = client(object_store).list_objects_v2(Bucket=bucket)["Contents"]
        return sorted(entry["Key"].rpartition("/")[2] for entry in found)

    assert names(other_bucket) == names(urlsplit(bucket_url).netloc)
    # From the bucket into a folder: the archive does not say where files are kept.
    third = new_installation(PATH=programs_on_path())
    manage(third, "restore", str(archive))
    assert "Nothing is wrong." in manage(third, "check_integrity")


@pytest.mark.slow
def test_up_does_not_start_on_a_bucket_that_does_not_answer(new_installation: Installation, bucket_url: str) -> None:
    url = bucket_url.replace("s3://hub-", "s3://other-")
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", "0"],
        cwd=ROOT,
        env=new_installation(BLOB_STORAGE_URL=url),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("BLOB_STORAGE_URL: ") and done.stderr.count("\n") == 1
    assert "NoSuchBucket" in done.stderr
