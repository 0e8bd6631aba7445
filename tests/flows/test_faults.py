"""Servers that stall, folders that vanish, mailboxes that are put away: and no mail that is lost by it."""

from contextlib import suppress

import pytest
from django.db import OperationalError, connection
from imapclient import IMAPClient

from emailflow import tasks
from emailflow.inbound.pull import pull
from emailflow.models import Delivery, Mailbox, Message
from emailflow.services.mailboxes import archive_mailbox, bring_back_mailbox, pull_mailbox, save_mailbox
from emailflow.sources import imap, pop3, wire
from tests.dovecot import HOST, Account
from tests.mailboxes import ACTOR, imap_mailbox, later, mail
from tests.scripted_imap import ScriptedImap
from tests.scripted_pop3 import ScriptedPop3
from tickets.errors import Conflict
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


def mailbox_at(server: ScriptedImap | ScriptedPop3) -> Mailbox:
    row = Mailbox(
        slug="scripted", name="Scripted", host=HOST, port=server.port, security="plain", username="anna",
        protocol="imap" if isinstance(server, ScriptedImap) else "pop3", start_policy="all",
    )  # fmt: skip
    return save_mailbox(actor=ACTOR, mailbox=row, secret="right")


def subjects() -> list[str]:
    return sorted(Message.objects.values_list("subject", flat=True))


def client_of(account: Account) -> IMAPClient:
    client = IMAPClient(HOST, port=account.server.imap_port, ssl=False)
    client.login(account.user, account.password)
    return client


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds instead of minutes until a server is given up."""
    monkeypatch.setattr(imap, "READ_SECONDS", 1)
    monkeypatch.setattr(pop3, "READ_SECONDS", 1)
    monkeypatch.setattr(wire, "PIECE_SECONDS", 1.5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("fault", "words"), [("stall", "stopped answering"), ("trickle", "sends so slowly that it was given up")]
)
def test_a_mail_in_whose_middle_the_server_stalls_keeps_no_other_out(fault: str, words: str) -> None:
    broken = True
    mails = {1: mail("One"), 2: mail("Stalls", text="x" * 5000), 3: mail("Three")}
    with ScriptedImap(mails, on_body=lambda uid: fault if broken and uid == 2 else None) as server:
        mailbox = mailbox_at(server)
        pull_mailbox(mailbox)
        assert subjects() == ["One", "Three"]
        row = Delivery.objects.get(uid="2")
        assert (row.state, row.attempts) == ("seen", 1)
        assert words in row.last_error
        assert Mailbox.objects.get(pk=mailbox.pk).lease_token == ""
        broken = False
        with later(hours=1):
            pull_mailbox(mailbox)
    assert subjects() == ["One", "Stalls", "Three"]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_always_stalls_gives_the_mailbox_back_and_costs_no_mail() -> None:
    broken = True
    mails = {uid: mail(f"Number {uid}") for uid in range(1, 7)}
    with ScriptedImap(mails, on_body=lambda uid: "stall" if broken else None) as server:
        mailbox = mailbox_at(server)
        report = pull_mailbox(mailbox)
        assert "stopped answering" in report.error
        assert Mailbox.objects.get(pk=mailbox.pk).lease_token == ""
        broken = False
        with later(hours=2):
            assert pull_mailbox(mailbox).ok
    assert Message.objects.count() == 6


@pytest.mark.usefixtures("impatient")
def test_a_pop3_mail_that_ends_in_the_middle_is_not_half_stored() -> None:
    mails = {"a": mail("One"), "b": mail("Cut", text="x\r\n" * 5000)}
    with ScriptedPop3(mails, on_retr=lambda uid: "stall" if uid == "b" else None) as server:
        pull_mailbox(mailbox_at(server))
    assert subjects() == ["One"]
    assert "stopped answering" in Delivery.objects.get(uid="b").last_error


@pytest.mark.dovecot
def test_a_folder_that_is_deleted_is_said_in_words_and_read_when_it_is_back(mail_account: Account) -> None:
    with client_of(mail_account) as client:
        client.create_folder("Support")
        client.append("Support", mail("Before"))
    mailbox = imap_mailbox(mail_account, folder="Support", after_read="seen")
    pull_mailbox(mailbox)
    with client_of(mail_account) as client:
        client.append("Support", mail("Never seen by us"))
        client.delete_folder("Support")
    report = pull_mailbox(mailbox)
    assert report.error == "The folder Support does not exist on the server"
    mailbox.refresh_from_db()
    assert mailbox.last_error == "The folder Support does not exist on the server"
    assert subjects() == ["Before"]
    with client_of(mail_account) as client:
        client.create_folder("Support")
        client.append("Support", mail("After"))
    assert pull_mailbox(mailbox).ok
    assert subjects() == ["After", "Before"]
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.last_error) == (0, "")


@pytest.mark.dovecot
def test_an_archived_mailbox_is_not_read_keeps_its_mail_and_can_come_back(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("Before"))
    assert tasks.pull_due_mailboxes() == 1
    archive_mailbox(actor=ACTOR, mailbox=mailbox)
    mail_account.deliver(mail("While it was away"))
    assert tasks.pull_due_mailboxes() == 0
    assert pull_mailbox(mailbox).error == "This mailbox is archived"
    assert subjects() == ["Before"]
    assert Delivery.objects.filter(mailbox=mailbox, message__isnull=False).count() == 1
    bring_back_mailbox(actor=ACTOR, mailbox=mailbox)
    assert tasks.pull_due_mailboxes() == 1
    assert subjects() == ["Before", "While it was away"]
    assert AuditEntry.objects.filter(action="mailbox.brought_back", entity_id=mailbox.pk).count() == 1


def test_only_an_archived_mailbox_is_brought_back() -> None:
    with pytest.raises(Conflict):
        bring_back_mailbox(actor=ACTOR, mailbox=Mailbox.objects.get(slug="api"))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connection that could break")
def test_a_mailbox_whose_look_lost_the_database_is_free_for_the_next_look(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"))
    left = [1]

    def cut() -> bool:
        if left and left.pop():
            with suppress(OperationalError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return False

    report = pull(mailbox, stopping=cut)
    mailbox.refresh_from_db()
    assert "The database does not take the mail" in report.error
    assert (mailbox.lease_token, mailbox.failures) == ("", 1)
    assert pull(mailbox).new == 2
