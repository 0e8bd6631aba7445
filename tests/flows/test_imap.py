"""From a real mail server to the ledger and to a ticket, and what the server hears in return."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from imapclient import IMAPClient

from emailflow import tasks
from emailflow.inbound.lease import claim
from emailflow.models import Delivery, Mailbox, Message
from emailflow.services.mailboxes import pull_mailbox, save_mailbox
from tests.dovecot import HOST, Account, Dovecot
from tests.mailboxes import ACTOR, commits_fail, imap_mailbox, later, mail
from tickets.models import Ticket

pytestmark = [pytest.mark.dovecot, pytest.mark.django_db(transaction=True)]


def client_of(account: Account, folder: str = "INBOX") -> IMAPClient:
    client = IMAPClient(HOST, port=account.server.imap_port, ssl=False)
    client.login(account.user, account.password)
    client.select_folder(folder)
    return client


def flags_of(account: Account, folder: str = "INBOX") -> list[set[bytes]]:
    """The flags that say something; the server sets \\Recent by itself."""
    with client_of(account, folder) as client:
        return [set(flags) - {b"\\Recent"} for flags in client.get_flags(client.search()).values()]


def subjects() -> list[str]:
    return sorted(Message.objects.values_list("subject", flat=True))


def test_mail_that_arrives_by_lmtp_becomes_a_ticket(mail_account: Account) -> None:
    imap_mailbox(mail_account)
    mail_account.deliver(mail("Ingen internet"))
    assert tasks.pull_due_mailboxes() == 1
    tasks.sweep()
    ticket = Ticket.objects.get()
    assert ticket.subject == "Ingen internet"
    assert Message.objects.get().ticket == ticket


def test_bytes_are_kept_as_the_server_has_them(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail(text="æøå €"))
    pull_mailbox(mailbox)
    with client_of(mail_account) as client:
        server_has = client.fetch([1], ["RFC822.SIZE"])[1][b"RFC822.SIZE"]
    assert Message.objects.get().size == server_has


def test_mail_that_a_human_has_read_still_arrives(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("One"), mail("Two"))
    with client_of(mail_account) as client:
        client.add_flags([1], [b"\\Seen"])
    pull_mailbox(mailbox)
    mail_account.deliver(mail("Three"))
    with client_of(mail_account) as client:
        client.fetch([3], ["BODY[]"])
    pull_mailbox(mailbox)
    assert subjects() == ["One", "Three", "Two"]


def test_reading_leaves_mail_untouched_unless_wished_otherwise(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail())
    pull_mailbox(mailbox)
    assert flags_of(mail_account) == [set()]


def test_a_second_look_finds_nothing_new(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail(), mail())
    assert pull_mailbox(mailbox).sentences == ["2 new mails stored."]
    assert pull_mailbox(mailbox).sentences == ["No new mail."]


def test_the_same_bytes_twice_in_a_mailbox_are_one_mail(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    raw = mail()
    with client_of(mail_account) as client:
        client.append("INBOX", raw)
        client.append("INBOX", raw)
    report = pull_mailbox(mailbox)
    assert report.sentences == ["1 new mail stored, 1 was here before."]
    assert Delivery.objects.filter(message=Message.objects.get(), state="stored").count() == 2


def test_first_connect_from_now_on_brings_no_old_mail(mail_account: Account) -> None:
    mail_account.deliver(mail("Old"), mail("Older"))
    mailbox = imap_mailbox(mail_account, start_policy="now")
    assert pull_mailbox(mailbox).skipped == 2
    mail_account.deliver(mail("New"))
    pull_mailbox(mailbox)
    assert subjects() == ["New"]


def test_first_connect_with_days_brings_the_mail_of_these_days(mail_account: Account) -> None:
    now = datetime.now(UTC)
    with client_of(mail_account) as client:
        client.append("INBOX", mail("Long ago"), msg_time=now - timedelta(days=30))
        client.append("INBOX", mail("Just too old"), msg_time=now - timedelta(days=7, hours=1))
        client.append("INBOX", mail("Young enough"), msg_time=now - timedelta(days=6))
    mailbox = imap_mailbox(mail_account, start_policy="days", start_days=7)
    pull_mailbox(mailbox)
    assert subjects() == ["Young enough"]
    with client_of(mail_account) as client:
        client.append("INBOX", mail("Put here now, but old"), msg_time=now - timedelta(days=30))
    pull_mailbox(mailbox)
    assert subjects() == ["Put here now, but old", "Young enough"]


def test_where_reading_begins_is_fixed_at_the_first_connect(mail_account: Account) -> None:
    mail_account.deliver(mail("Old"))
    mailbox = imap_mailbox(mail_account, start_policy="now")
    pull_mailbox(mailbox)
    mailbox.start_policy = "all"
    pull_mailbox(save_mailbox(actor=ACTOR, mailbox=mailbox))
    assert subjects() == []


def test_another_folder_has_a_first_connect_of_its_own(mail_account: Account) -> None:
    mail_account.deliver(mail("In the inbox"))
    with client_of(mail_account) as client:
        client.create_folder("Support")
        client.append("Support", mail("In the folder"))
    mailbox = imap_mailbox(mail_account)
    pull_mailbox(mailbox)
    mailbox.folder, mailbox.start_policy = "Support", "now"
    pull_mailbox(save_mailbox(actor=ACTOR, mailbox=mailbox))
    assert subjects() == ["In the inbox"]
    with client_of(mail_account) as client:
        client.append("Support", mail("Later in the folder"))
    pull_mailbox(mailbox)
    assert subjects() == ["In the inbox", "Later in the folder"]


def test_a_folder_made_anew_loses_doubles_and_digs_up_nothing(mail_account: Account) -> None:
    old, known = mail("From before"), mail("Known")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    with client_of(mail_account) as client:
        client.create_folder("Support")
        client.append("Support", old, msg_time=long_ago)
    mailbox = imap_mailbox(mail_account, folder="Support", start_policy="now")
    pull_mailbox(mailbox)
    with client_of(mail_account) as client:
        client.append("Support", known)
    pull_mailbox(mailbox)
    with client_of(mail_account) as client:
        client.delete_folder("Support")
        client.create_folder("Support")
        client.append("Support", old, msg_time=long_ago)
        client.append("Support", known)
        client.append("Support", mail("New"))
    pull_mailbox(mailbox)
    assert subjects() == ["Known", "New"]
    assert Delivery.objects.values("uidvalidity").distinct().count() == 2


@pytest.mark.parametrize(("action", "flag"), [("seen", b"\\Seen"), ("flag", b"\\Flagged")])
def test_stored_mail_is_marked_as_wished(mail_account: Account, action: str, flag: bytes) -> None:
    mailbox = imap_mailbox(mail_account, after_read=action)
    mail_account.deliver(mail(), mail())
    pull_mailbox(mailbox)
    assert flags_of(mail_account) == [{flag}, {flag}]


def test_stored_mail_is_moved_as_wished(mail_account: Account) -> None:
    with client_of(mail_account) as client:
        client.create_folder("Done")
    mailbox = imap_mailbox(mail_account, after_read="move", move_to="Done")
    mail_account.deliver(mail(), mail())
    pull_mailbox(mailbox)
    assert flags_of(mail_account) == []
    assert flags_of(mail_account, "Done") == [set(), set()]


def test_moving_takes_no_mail_along_that_others_have_deleted(mail_account: Account) -> None:
    with client_of(mail_account) as client:
        client.create_folder("Done")
        client.append("INBOX", mail("Old, deleted by a colleague"))
        client.add_flags([1], [b"\\Deleted"])
    mailbox = imap_mailbox(mail_account, after_read="move", move_to="Done", start_policy="now")
    pull_mailbox(mailbox)
    mail_account.deliver(mail("New"))
    pull_mailbox(mailbox)
    assert flags_of(mail_account) == [{b"\\Deleted"}]
    assert len(flags_of(mail_account, "Done")) == 1


@pytest.mark.parametrize("action", ["seen", "flag", "move"])
def test_a_failing_commit_leaves_the_server_untouched(mail_account: Account, action: str) -> None:
    with client_of(mail_account) as client:
        client.create_folder("Done")
    mailbox = imap_mailbox(mail_account, after_read=action, move_to="Done")
    mail_account.deliver(mail("One"), mail("Two"))
    with commits_fail():
        report = pull_mailbox(mailbox)
    assert not report.ok
    assert "the disk of the database is full" in str(report)
    assert Message.objects.count() == 0
    assert flags_of(mail_account) == [set(), set()]
    with later(hours=1):
        assert pull_mailbox(Mailbox.objects.get(pk=mailbox.pk)).ok
    assert subjects() == ["One", "Two"]
    assert flags_of(mail_account) != [set(), set()]


def test_database_trouble_never_sets_a_mail_aside(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail())
    with commits_fail():
        for hours in range(1, 9):
            with later(hours=hours):
                pull_mailbox(mailbox)
    assert Delivery.objects.get().state == "seen"
    with later(days=1):
        assert pull_mailbox(mailbox).new == 1


def test_what_the_server_would_not_do_is_done_at_the_next_look(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account, after_read="move", move_to="Done")
    mail_account.deliver(mail())
    report = pull_mailbox(mailbox)
    assert report.sentences == ["1 new mail stored.", "The folder Done does not exist on the server."]
    with client_of(mail_account) as client:
        client.create_folder("Done")
    pull_mailbox(mailbox)
    assert (flags_of(mail_account), flags_of(mail_account, "Done")) == ([], [set()])
    assert subjects() == ["Printeren er død"]


def test_without_move_the_mail_is_copied_and_only_it_expunged(second_dovecot: Callable[..., Dovecot]) -> None:
    server = second_dovecot(WithoutMove)
    server.start()
    account = server.account()
    with client_of(account) as client:
        assert not client.has_capability("MOVE")
        client.create_folder("Done")
        client.append("INBOX", mail("Deleted by a colleague"))
        client.add_flags([1], [b"\\Deleted"])
    mailbox = imap_mailbox(account, after_read="move", move_to="Done", start_policy="now")
    pull_mailbox(mailbox)
    account.deliver(mail("New"))
    pull_mailbox(mailbox)
    assert flags_of(account) == [{b"\\Deleted"}]
    assert len(flags_of(account, "Done")) == 1
    assert subjects() == ["New"]


def test_two_at_once_store_every_mail_once(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(*(mail(f"Number {number}") for number in range(60)))
    barrier = threading.Barrier(2)
    reports = []

    def pull() -> None:
        barrier.wait()
        try:
            reports.append(pull_mailbox(Mailbox.objects.get(pk=mailbox.pk)))
        finally:
            connection.close()

    threads = [threading.Thread(target=pull) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Message.objects.count() == 60
    assert sum(report.new for report in reports) == 60
    assert sum(report.known for report in reports) == 0


def test_a_mailbox_that_somebody_reads_is_left_to_him(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail())
    lease = claim(mailbox.pk, 60)
    assert lease is not None
    assert pull_mailbox(mailbox).busy
    assert Message.objects.count() == 0
    lease.finish()
    assert pull_mailbox(mailbox).new == 1


def test_a_reader_that_died_holds_the_mailbox_only_until_its_lease_ends(mail_account: Account) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail())
    assert claim(mailbox.pk, -1) is not None
    assert pull_mailbox(mailbox).new == 1


def test_names_and_passwords_may_have_danish_letters(second_dovecot: Callable[..., Dovecot]) -> None:
    server = second_dovecot()
    server.password = "blåbærgrød"
    server.start()
    account = server.account()
    with IMAPClient(HOST, port=server.imap_port, ssl=False) as client:
        client.plain_login(account.user, account.password)
        client.create_folder("Forespørgsler")
        client.append("Forespørgsler", mail("Æblegrød"))
    mailbox = imap_mailbox(account, folder="Forespørgsler")
    assert pull_mailbox(mailbox).ok
    assert subjects() == ["Æblegrød"]


class WithoutMove(Dovecot):
    """Knows UIDPLUS (RFC 4315) but not MOVE (RFC 6851)."""

    def _config(self) -> str:
        return f"{super()._config()}\nprotocol imap {{\n  imap_capability = IMAP4rev1 UIDPLUS\n}}\n"
