"""From a POP3 server to the ledger, and what is left on the server."""

import poplib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from emailflow import tasks
from emailflow.models import Delivery, Mailbox, Message
from emailflow.services import mailboxes
from emailflow.services.mailboxes import pull_mailbox, save_mailbox
from tests.dovecot import HOST, Account
from tests.mailboxes import ACTOR, commits_fail, imap_mailbox, later, mail
from tests.scripted_pop3 import ScriptedPop3
from tests.tls import server_context
from tickets import blobs
from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


def pop3_mailbox(account: Account, **changes: Any) -> Mailbox:
    values = {"protocol": "pop3", "port": account.server.pop3_port}
    return imap_mailbox(account, **values | changes)


def scripted_mailbox(server: ScriptedPop3, **changes: Any) -> Mailbox:
    values: dict[str, Any] = {
        "slug": "scripted", "name": "Scripted", "protocol": "pop3", "host": HOST, "port": server.port,
        "security": "plain", "username": "anna", "start_policy": "all",
    }  # fmt: skip
    return save_mailbox(actor=ACTOR, mailbox=Mailbox(**values | changes), secret="right")


def left_on(account: Account) -> int:
    client = poplib.POP3(HOST, account.server.pop3_port)
    client.user(account.user)
    client.pass_(account.password)
    count = client.stat()[0]
    client.quit()
    return count


def subjects() -> list[str]:
    return sorted(Message.objects.values_list("subject", flat=True))


def days_old(days: int, subject: str) -> bytes:
    date = format_datetime(datetime.now(UTC) - timedelta(days=days))
    return f"Received: from a by b; {date}\r\n".encode() + mail(subject)


@pytest.mark.dovecot
def test_mail_that_arrives_by_lmtp_becomes_a_ticket(mail_account: Account) -> None:
    pop3_mailbox(mail_account)
    mail_account.deliver(mail("Ingen internet"))
    assert tasks.pull_due_mailboxes() == 1
    tasks.sweep()
    assert Ticket.objects.get().subject == "Ingen internet"


@pytest.mark.dovecot
def test_bytes_are_the_same_as_by_imap(mail_account: Account) -> None:
    line = "x" * 200_000
    mail_account.deliver(mail(text=f".\r\n..dots\r\n{line}\r\næøå"))
    pull_mailbox(pop3_mailbox(mail_account))
    pull_mailbox(imap_mailbox(mail_account))
    by_pop3, by_imap = Message.objects.order_by("pk")
    assert by_pop3.sha256 == by_imap.sha256


@pytest.mark.dovecot
def test_mail_is_left_unless_wished_otherwise_and_comes_once(mail_account: Account) -> None:
    mailbox = pop3_mailbox(mail_account)
    mail_account.deliver(mail(), mail())
    assert pull_mailbox(mailbox).sentences == ["2 new mails stored."]
    assert pull_mailbox(mailbox).sentences == ["No new mail."]
    assert left_on(mail_account) == 2


@pytest.mark.dovecot
def test_stored_mail_is_deleted_where_wished(mail_account: Account) -> None:
    mailbox = pop3_mailbox(mail_account, after_read="delete")
    mail_account.deliver(mail(), mail(), mail())
    assert pull_mailbox(mailbox).new == 3
    assert left_on(mail_account) == 0
    assert set(Delivery.objects.values_list("state", flat=True)) == {"deleted"}
    mail_account.deliver(mail())
    assert pull_mailbox(mailbox).new == 1


@pytest.mark.dovecot
def test_a_failing_commit_deletes_nothing(mail_account: Account) -> None:
    mailbox = pop3_mailbox(mail_account, after_read="delete")
    mail_account.deliver(mail("One"), mail("Two"))
    with commits_fail():
        assert not pull_mailbox(mailbox).ok
    assert left_on(mail_account) == 2
    with later(hours=1):
        assert pull_mailbox(Mailbox.objects.get(pk=mailbox.pk)).ok
    assert subjects() == ["One", "Two"]
    assert left_on(mail_account) == 0


@pytest.mark.dovecot
def test_first_connect_from_now_on_brings_and_deletes_no_old_mail(mail_account: Account) -> None:
    mail_account.deliver(mail("Old"), mail("Older"))
    mailbox = pop3_mailbox(mail_account, start_policy="now", after_read="delete")
    assert pull_mailbox(mailbox).skipped == 2
    mail_account.deliver(mail("New"))
    pull_mailbox(mailbox)
    assert subjects() == ["New"]
    assert left_on(mail_account) == 2


def test_first_connect_with_days_goes_by_when_the_server_got_the_mail() -> None:
    undated = b"Subject: Undated\r\n\r\nHello\r\n"
    mails = {"a": days_old(30, "Long ago"), "b": days_old(6, "Young enough"), "c": undated}
    with ScriptedPop3(mails) as server:
        pull_mailbox(scripted_mailbox(server, start_policy="days", start_days=7))
    assert subjects() == ["Undated", "Young enough"]


def test_a_server_that_names_all_its_mails_anew_brings_back_nothing_old() -> None:
    old, known = days_old(30, "From before"), days_old(0, "Known")
    with ScriptedPop3({"a1": old}) as server:
        mailbox = scripted_mailbox(server, start_policy="now")
        pull_mailbox(mailbox)
        server.mails["a2"] = known
        pull_mailbox(mailbox)
        server.mails.clear()
        server.mails.update({"b1": old, "b2": known, "b3": days_old(0, "New")})
        report = pull_mailbox(mailbox)
    assert (report.new, report.known) == (1, 1)
    assert subjects() == ["Known", "New"]


def test_a_name_that_was_deleted_and_comes_again_is_looked_at_again() -> None:
    with ScriptedPop3({"1": mail("First")}) as server:
        mailbox = scripted_mailbox(server, after_read="delete")
        pull_mailbox(mailbox)
        # Servers that count from one in each session do so, against RFC 1939.
        server.mails["1"] = mail("Second")
        assert pull_mailbox(mailbox).new == 1
        assert server.mails == {}
    assert subjects() == ["First", "Second"]


def test_two_mails_under_one_name_both_arrive() -> None:
    with ScriptedPop3({"same": mail("One"), "same 2": mail("Two")}) as server:
        pull_mailbox(scripted_mailbox(server))
    assert subjects() == ["One", "Two"]


def test_one_mail_that_cannot_be_fetched_is_set_aside_and_never_deleted() -> None:
    mails = {"a": mail("One"), "b": mail("Broken on the server"), "c": mail("Three")}
    with ScriptedPop3(mails, on_retr=lambda uid: "refuse" if uid == "b" else None) as server:
        mailbox = scripted_mailbox(server, after_read="delete")
        assert pull_mailbox(mailbox).new == 2
        for day in range(1, 5):
            with later(days=day):
                report = pull_mailbox(mailbox)
        assert "set aside after five tries" in str(report)
        assert list(server.mails) == ["b"]
    assert Delivery.objects.get(uid="b").state == "unfetchable"


@pytest.mark.parametrize("fault", ["hang up", "cut"])
def test_a_mail_that_breaks_the_connection_does_not_keep_the_others_out(fault: str) -> None:
    mails = {"a": mail("One"), "b": mail("Evil"), "c": mail("Three")}
    with ScriptedPop3(mails, on_retr=lambda uid: fault if uid == "b" else None) as server:
        pull_mailbox(scripted_mailbox(server))
    assert subjects() == ["One", "Three"]
    assert Delivery.objects.get(uid="b").attempts == 1


def test_a_session_that_does_not_end_well_has_deleted_nothing_and_is_done_again() -> None:
    with ScriptedPop3({"a": mail()}, answers={"QUIT": b"-ERR some mails not removed\r\n"}) as server:
        mailbox = scripted_mailbox(server, after_read="delete")
        report = pull_mailbox(mailbox)
        assert "not removed" in str(report)
        assert Delivery.objects.get().state == "stored"
        server.answers.clear()
        pull_mailbox(mailbox)
        assert server.mails == {}
    assert Delivery.objects.get().state == "deleted"
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"PASS": b"-ERR [AUTH] no\r\n"}, "The server did not accept the password"),
        ({"PASS": b"-ERR [IN-USE] locked\r\n"}, "The server lets nobody in right now"),
        ({"PASS": b"-ERR [SYS/TEMP] later\r\n"}, "The server lets nobody in right now"),
        ({"UIDL": b"-ERR unknown command\r\n"}, "The server gives its mails no lasting names (UIDL)"),
        ({"": b"220 smtp ready\r\n"}, "is not a POP3 server"),
    ],
)
def test_what_the_server_does_not_do_is_said_in_words(answers: dict[str, bytes], words: str) -> None:
    with ScriptedPop3({}, answers=answers) as server:
        report = mailboxes.test_connection(scripted_mailbox(server))
    assert not report.ok
    assert words in str(report)
    assert "right" not in str(report).replace("right now", "")


def test_a_good_connection_says_what_it_found() -> None:
    with ScriptedPop3({"a": mail()}) as server:
        report = mailboxes.test_connection(scripted_mailbox(server))
    assert report.sentences == [
        f"Connected to {HOST}, without TLS.", "Logged in as anna.", "The mailbox holds 1 mail.",
        "The first look fetches everything that is there.",
    ]  # fmt: skip


def test_tls_and_stls_go_all_the_way(trusted: Path) -> None:
    context = server_context(trusted)
    for number, (security, server) in enumerate([
        ("tls", ScriptedPop3({"a": mail("One")}, tls=context)),
        ("starttls", ScriptedPop3({"a": mail("Two")}, upgrade=context)),
    ]):  # fmt: skip
        with server:
            report = pull_mailbox(scripted_mailbox(server, slug=f"s{number}", host="localhost", security=security))
            assert report.new == 1, str(report)
    assert subjects() == ["One", "Two"]


def test_without_the_upgrade_no_password_is_sent(certificate: Path) -> None:
    context = server_context(certificate)
    for number, (server, words) in enumerate([
        (ScriptedPop3({}), "offers no encryption (STLS)"),
        (ScriptedPop3({}, answers={"CAPA": b"-ERR what?\r\n"}), "offers no encryption (STLS)"),
        (ScriptedPop3({}, upgrade=context, answers={"STLS": b"-ERR not now\r\n"}), "refuses to begin encryption"),
        (ScriptedPop3({}, upgrade=context), "No TLS certificate that fits localhost"),
    ]):  # fmt: skip
        with server:
            report = pull_mailbox(scripted_mailbox(server, slug=f"s{number}", host="localhost", security="starttls"))
            assert words in report.error
            assert not {"USER", "PASS"} & set(server.commands)


def test_the_mail_is_kept_as_it_came_with_its_dots() -> None:
    raw = b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nend.\r\n"
    with ScriptedPop3({"a": raw}) as server:
        pull_mailbox(scripted_mailbox(server))
    assert blobs.read(Message.objects.get().sha256) == raw
