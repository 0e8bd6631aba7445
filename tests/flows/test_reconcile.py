"""What the server has and Hub has not is found, named, and fetched on demand."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from emailflow.inbound.lease import claim
from emailflow.inbound.reconcile import reconcile
from emailflow.models import Delivery, Mailbox, MailboxCursor, Message
from emailflow.services.mailboxes import pull_mailbox
from tests.dovecot import Account
from tests.mailboxes import drop, imap_mailbox, mail, maildir_mailbox
from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> tuple[str, bool]:
    """What the command prints, and whether it ends well."""
    output = StringIO()
    try:
        call_command("reconcile_mailbox", *arguments, stdout=output)
    except CommandError:
        return output.getvalue(), False
    return output.getvalue(), True


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def lose(subject: str) -> None:
    """The row of a mail is gone, as after a database was brought back from an old copy."""
    Message.objects.get(subject=subject).delete()


@pytest.mark.dovecot
def test_a_mailbox_that_is_read_to_the_end_lacks_nothing(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"))
    pull_mailbox(mailbox)
    output, well = run(mailbox.slug)
    assert well
    assert "2 mails on the server, 2 of them in the ledger." in output
    assert "Nothing is missing." in output


@pytest.mark.dovecot
def test_a_mail_that_the_ledger_lost_is_named_and_fetched(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"), mail("Three"))
    pull_mailbox(mailbox)
    name = Message.objects.get(subject="Two").message_id
    lose("Two")
    assert pull_mailbox(mailbox).new == 0

    output, well = run(mailbox.slug, "--format", "jsonl")
    assert not well
    gap, summary = lines_of(output)
    assert (gap["mail"]["uid"], gap["mail"]["reason"], gap["mail"]["message_id"]) == ("2", "missing", name)
    assert (summary["summary"]["on_server"], summary["summary"]["missing"]) == (3, 1)

    output, well = run(mailbox.slug, "--fetch")
    assert well
    assert "Fetched now: 1 new mail stored." in output
    assert Ticket.objects.filter(subject="Two").count() == 1
    assert run(mailbox.slug)[1]


@pytest.mark.dovecot
def test_without_its_deliveries_mail_is_known_by_message_id(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"))
    pull_mailbox(mailbox)
    Delivery.objects.all().delete()
    assert reconcile(mailbox).gaps == []


@pytest.mark.dovecot
def test_a_copied_message_id_hides_no_other_mail(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    first = mail("Parcel 1", text="It is on its way.")
    other = first.replace(b"It is on its way.", b"It has come to you today.")
    mail_account.deliver(first, other)
    pull_mailbox(mailbox)
    Message.objects.order_by("size").last().delete()  # type: ignore[union-attr]
    assert [gap.offer.uid for gap in reconcile(mailbox).gaps] == ["2"]


@pytest.mark.dovecot
def test_mail_without_a_message_id_is_compared_by_its_bytes(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    bare = [b"\r\n".join(line for line in raw.split(b"\r\n") if not line.startswith(b"Message-ID"))
            for raw in (mail("One"), mail("Two"))]  # fmt: skip
    mail_account.deliver(*bare)
    pull_mailbox(mailbox)
    Delivery.objects.all().delete()
    lose("Two")
    comparison = reconcile(mailbox)
    assert [gap.offer.uid for gap in comparison.gaps] == ["2"]
    assert comparison.known == 1


@pytest.mark.dovecot
def test_mail_from_before_the_first_connect_is_not_missing(mail_account: Account) -> None:
    mail_account.deliver(mail("Old"))
    mailbox = imap_mailbox(mail_account, start_policy="now")
    pull_mailbox(mailbox)
    mail_account.deliver(mail("New"))
    pull_mailbox(mailbox)
    comparison = reconcile(mailbox, fetch=True)
    assert (comparison.known, comparison.left_alone, comparison.gaps) == (1, 1, [])
    assert list(Message.objects.values_list("subject", flat=True)) == ["New"]


@pytest.mark.dovecot
def test_new_numbers_of_the_server_are_no_missing_mail(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"))
    pull_mailbox(mailbox)
    MailboxCursor.objects.update(uidvalidity="1")
    Delivery.objects.update(uidvalidity="1")
    lose("Two")
    comparison = reconcile(mailbox)
    assert (comparison.known, [gap.offer.uid for gap in comparison.gaps]) == (1, ["2"])


@pytest.mark.dovecot
def test_what_was_set_aside_is_named_and_gets_another_try(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"))
    pull_mailbox(mailbox)
    lose("One")
    Delivery.objects.update(state="unfetchable", attempts=5, last_error="The server does not give the mail")
    output, well = run(mailbox.slug)
    assert not well
    assert "set aside" in output
    assert "The server does not give the mail" in output
    assert run(mailbox.slug, "--fetch")[1]
    assert Delivery.objects.get().message == Message.objects.get()


def test_a_maildir_is_compared_by_its_names(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail("One"))
    drop(tmp_path, mail("Two"))
    pull_mailbox(mailbox)
    lose("Two")
    assert [gap.reason for gap in reconcile(mailbox).gaps] == ["missing"]
    assert reconcile(mailbox, fetch=True).ok
    assert Message.objects.count() == 2


def test_mail_that_was_moved_away_is_only_counted(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail("One")).rename(tmp_path / "new" / "1700000000.M1.host")
    pull_mailbox(mailbox)
    (tmp_path / "new" / "1700000000.M1.host").unlink()
    comparison = reconcile(mailbox)
    assert (comparison.ok, comparison.only_here) == (True, 1)


def test_a_mailbox_that_was_never_read_says_so(tmp_path: Path) -> None:
    output, well = run(maildir_mailbox(tmp_path).slug)
    assert (well, "never been read" in output) == (False, True)


def test_while_somebody_reads_the_mailbox_it_says_so(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    pull_mailbox(mailbox)
    assert claim(mailbox.pk, 60)
    assert "is reading this mailbox right now" in reconcile(mailbox).sentences[0]
    Mailbox.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert reconcile(mailbox).ok


def test_an_unknown_mailbox_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    slug = maildir_mailbox(tmp_path).slug
    with pytest.raises(CommandError, match=slug):
        call_command("reconcile_mailbox", "nobody")
