"""``check_integrity`` finds what is broken, says it in words, and mends what can be mended."""

import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from emailflow.models import Delivery, Mailbox, Message
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets import blobs
from tickets.models import Attachment, Comment, EmailLog, SearchText, Ticket, TicketNumber
from tickets.search import search

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def whole(settings: LazySettings, tmp_path: Path, deliver: Deliver) -> Message:
    """A mail with a file and a reply, filed; nothing is wrong with them."""
    settings.BLOB_DIR = tmp_path / "blobs"
    message = deliver(
        mail("The plan", subject="Roof", message_id="<1@nordwind.example>", files={"plan.bin": b"\0plan"})
    )
    deliver(mail("Any news?", subject="Re: Roof", in_reply_to="<1@nordwind.example>"))
    assert check() == (["Nothing is wrong."], True)
    return message


def check(*arguments: str) -> tuple[list[str], bool]:
    """The lines that it prints, and whether all is well in the end."""
    output = StringIO()
    try:
        call_command("check_integrity", *arguments, stdout=output)
    except CommandError:
        return output.getvalue().splitlines(), False
    return output.getvalue().splitlines(), True


def damage(sha256: str) -> None:
    blobs.path_of(sha256).write_bytes(b"\0PLAN"[: blobs.path_of(sha256).stat().st_size])


def remove(sha256: str) -> None:
    blobs.path_of(sha256).unlink()


@pytest.mark.parametrize(("break_it", "word"), [(damage, "damaged"), (remove, "missing")])
def test_a_file_that_is_lost_is_taken_out_of_the_raw_mail_again(break_it: Callable[[str], None], word: str) -> None:
    attachment = Attachment.objects.get()
    break_it(attachment.sha256)
    lines, well = check()
    assert not well
    assert lines == [
        f"File {attachment.pk} of {attachment.ticket.ticket_number} is {word} in the store - --repair can mend it"
    ]
    assert check("--repair")[1]
    assert blobs.read(attachment.sha256) == b"\0plan"
    assert check()[1]


def test_raw_mail_that_is_lost_is_told_and_its_files_cannot_be_mended(whole: Message) -> None:
    remove(whole.sha256)
    remove(Attachment.objects.get().sha256)
    lines, well = check("--repair")
    assert not well
    assert f"The raw form of mail {whole.pk} is missing in the store" in lines[0]
    assert lines[1].endswith("- not repaired")


def test_a_quick_look_reads_no_file_and_sees_a_wrong_size() -> None:
    sha256 = Attachment.objects.get().sha256
    damage(sha256)
    assert check("--quick")[1]
    blobs.path_of(sha256).write_bytes(b"short")
    os.truncate(blobs.path_of(sha256), 1)
    assert not check("--quick")[1]


def test_raw_mail_that_was_let_go_is_not_missed(whole: Message) -> None:
    Message.objects.filter(pk=whole.pk).update(raw_kept=False)
    remove(whole.sha256)
    assert check()[1]


def test_a_mail_that_lost_its_ticket_gets_it_back_from_the_log(whole: Message) -> None:
    ticket = whole.ticket
    Message.objects.filter(pk=whole.pk).update(ticket=None)
    lines, well = check()
    assert not well
    assert f"Mail {whole.pk}" in lines[0]
    assert check("--repair")[1]
    whole.refresh_from_db()
    assert whole.ticket == ticket


def test_a_mail_without_a_log_row_is_told(whole: Message) -> None:
    EmailLog.objects.filter(source_key=f"in:{whole.pk}").delete()
    assert "is not in the e-mail log of its ticket" in check("--repair")[0][0]


def test_a_ticket_without_its_opening_comment_is_told() -> None:
    ticket = Ticket.objects.get()
    EmailLog.objects.update(comment=None)
    Attachment.objects.all().delete()
    SearchText.objects.exclude(kind="subject").delete()
    Comment.objects.all().delete()
    assert check()[0] == [f"{ticket.ticket_number} has no opening comment"]


def test_a_counter_that_would_give_a_number_twice_is_raised() -> None:
    TicketNumber.objects.update(last=0)
    lines, well = check("--repair")
    assert well
    assert "the number 1 is given - repaired" in lines[0]
    assert TicketNumber.objects.get().last == 1


def test_lost_search_rows_are_written_again() -> None:
    SearchText.objects.filter(kind="comment").delete()
    SearchText.objects.create(ticket=Ticket.objects.get(), kind="note", text="nobody wrote this")
    assert not search(Ticket.objects.all(), "news").exists()
    assert not check()[1]
    assert check("--repair")[1]
    assert search(Ticket.objects.all(), "news").exists()
    assert not search(Ticket.objects.all(), "nobody wrote").exists()


@pytest.mark.django_db(transaction=True)
def test_a_lost_trigger_is_made_again() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TRIGGER tticket_audit_log_append_only ON tticket_audit_log")
        else:
            cursor.execute("DROP TRIGGER tticket_audit_log_no_update")
    assert "tticket_audit_log" in check()[0][0]
    assert check("--repair")[1]
    assert check()[1]


def test_ids_that_would_be_given_twice_are_raised() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence('tticket_tickets', 'id'), 1, false)")
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'tticket_tickets'")
    lines, well = check("--repair")
    assert well
    assert "The ids of tticket_tickets" in lines[0]
    assert check()[1]


@pytest.mark.parametrize("state", ["received", "processing", "waiting"])
def test_a_mail_that_is_stuck_is_told(whole: Message, state: str) -> None:
    long_ago = timezone.now() - timedelta(minutes=16)
    Message.objects.filter(pk=whole.pk).update(state=state, outcome="", next_attempt_at=long_ago)
    assert f"Mail {whole.pk} is stuck in the state {state}" in check()[0][0]


def test_mail_that_a_server_gave_and_the_ledger_lost_is_told(mailbox: Mailbox) -> None:
    Delivery.objects.create(mailbox=mailbox, source="s", uid="7", state="stored")
    assert "reconcile_mailbox support --fetch" in check()[0][0]
