"""What staff read when a mail server does not do what it should, and that no such trouble costs a mail."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emailflow.models import Delivery, Mailbox, Message
from emailflow.services import mailboxes
from emailflow.services.mailboxes import pull_mailbox, save_mailbox
from emailflow.sources.base import Position, SourceError
from emailflow.sources.imap import ImapSource
from tests.dovecot import HOST, Account
from tests.mailboxes import ACTOR, imap_mailbox, later, mail
from tests.postgresql import free_port
from tests.scripted_imap import ScriptedImap
from tests.tls import server_context
from tickets.models import AuditEntry

database = pytest.mark.django_db(transaction=True)


def source(port: int, *, host: str = HOST, security: str = "plain", password: str = "right") -> ImapSource:
    return ImapSource(host=host, port=port, security=security, username="anna", password=password)


def trouble(wrong: ImapSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        wrong.connect()
    return caught.value


def scripted_mailbox(server: ScriptedImap) -> Mailbox:
    row = Mailbox(
        slug="scripted", name="Scripted", host=HOST, port=server.port, security="plain", username="anna",
        start_policy="all",
    )  # fmt: skip
    return save_mailbox(actor=ACTOR, mailbox=row, secret="right")


@pytest.mark.dovecot
@database
def test_wrong_password_is_said_in_words(mail_account: Account) -> None:
    report = mailboxes.test_connection(imap_mailbox(mail_account, secret="wrong"))
    assert (report.ok, str(report)) == (False, "The server did not accept the password.")


@pytest.mark.dovecot
@database
def test_unknown_folder_is_said_in_words(mail_account: Account) -> None:
    report = mailboxes.test_connection(imap_mailbox(mail_account, folder="Support"))
    assert (report.ok, str(report)) == (False, "The folder Support does not exist on the server.")


@pytest.mark.dovecot
@database
def test_the_folder_that_mail_is_moved_to_is_looked_for_before_it_is_needed(mail_account: Account) -> None:
    report = mailboxes.test_connection(imap_mailbox(mail_account, after_read="move", move_to="Done"))
    assert (report.ok, report.sentences[-1]) == (False, "The folder Done does not exist on the server.")
    (mail_account.folder() / ".Done").mkdir(parents=True)
    there = mailboxes.test_connection(imap_mailbox(mail_account, after_read="move", move_to="Done"))
    assert there.ok and there.sentences[-1] == "Mail can be moved to Done."


@pytest.mark.dovecot
@database
def test_a_good_connection_says_what_it_found_and_what_comes_next(mail_account: Account) -> None:
    mail_account.deliver(mail(), mail())
    report = mailboxes.test_connection(imap_mailbox(mail_account, start_policy="days", start_days=3))
    assert report.ok
    assert report.sentences[1:] == [
        f"Logged in as {mail_account.user}.",
        "The folder INBOX holds 2 mails.",
        "The first look fetches the mail of the last 3 days.",
    ]
    assert Delivery.objects.count() == 0


def test_nobody_listening_is_said_in_words() -> None:
    port = free_port()
    error = trouble(source(port))
    assert (error.message, error.permanent) == (f"Nobody answers at {HOST}:{port}", False)


def test_an_unknown_name_is_said_in_words() -> None:
    error = trouble(source(993, host="mail.invalid", security="tls"))
    assert error.message == "There is no machine called mail.invalid, or its name cannot be looked up"


def test_without_tls_no_other_machine_is_even_called() -> None:
    error = trouble(source(143, host="mail.example.com"))
    assert error.permanent
    assert "Choose TLS" in error.message


def test_a_server_that_speaks_no_imap_is_said_in_words() -> None:
    with ScriptedImap({}, greeting=b"220 smtp ready\r\n") as server:
        assert trouble(source(server.port)).message == f"What answers at {HOST}:{server.port} is not an IMAP server"


def test_a_server_without_tls_is_said_in_words() -> None:
    with ScriptedImap({}) as server:
        error = trouble(source(server.port, security="tls"))
        assert error.message == f"What answers at {HOST}:{server.port} does not speak TLS"


def test_a_server_that_is_busy_is_not_called_a_wrong_password() -> None:
    with ScriptedImap({}, login=b"NO [UNAVAILABLE] try later") as server:
        error = trouble(source(server.port))
        assert (error.message, error.permanent) == ("The server lets nobody in right now", False)


def test_a_certificate_of_nobody_we_trust_is_refused(certificate: Path) -> None:
    with ScriptedImap({}, tls=server_context(certificate)) as server:
        error = trouble(source(server.port, security="tls", host="localhost"))
        assert error.message.startswith("No TLS certificate that fits localhost")
        assert not server.commands


def test_a_certificate_of_another_name_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedImap({}, tls=server_context(certificate)) as server:
        error = trouble(source(server.port, security="tls", host="127.0.0.1"))
        assert error.message.startswith("No TLS certificate that fits 127.0.0.1")


def test_a_certificate_that_fits_is_accepted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedImap({1: mail()}, tls=server_context(certificate)) as server:
        good = source(server.port, security="tls", host="localhost")
        good.connect()
        assert good.count() == 1
        good.close()


def test_the_last_message_is_not_offered_again_and_again() -> None:
    # RFC 3501, 9: "*" is the largest UID in use, so that 8:* means 7:8 when 7 is the last one.
    with ScriptedImap({7: mail()}) as server:
        known = source(server.port)
        known.connect()
        assert [offer for portion in known.offers(Position(watermark=7)) for offer in portion] == []


@database
def test_one_mail_that_cannot_be_fetched_is_set_aside_after_five_tries() -> None:
    mails = {1: mail("One"), 2: mail("Broken on the server"), 3: mail("Three")}
    with ScriptedImap(mails, on_body=lambda uid: "refuse" if uid == 2 else None) as server:
        mailbox = scripted_mailbox(server)
        assert pull_mailbox(mailbox).new == 2
        for day in range(1, 5):
            with later(days=day):
                report = pull_mailbox(mailbox)
        assert "set aside after five tries" in str(report)
        row = Delivery.objects.get(uid="2")
        assert (row.state, row.attempts) == ("unfetchable", 5)
        assert "cannot open the mail" in row.last_error
        assert mailbox.cursors.get().watermark == 3
        mails[4] = mail("Four")
        assert pull_mailbox(mailbox).new == 1


@database
@pytest.mark.parametrize("fault", ["hang up", "leave out"])
def test_a_mail_that_breaks_the_connection_does_not_keep_the_others_out(fault: str) -> None:
    mails = {1: mail("One"), 2: mail("Evil"), 3: mail("Three")}
    with ScriptedImap(mails, on_body=lambda uid: fault if uid == 2 else None) as server:
        mailbox = scripted_mailbox(server)
        pull_mailbox(mailbox)
        assert sorted(Message.objects.values_list("subject", flat=True)) == ["One", "Three"]
        assert Delivery.objects.get(uid="2").attempts == 1
        # Not passed by: the watermark waits for it.
        assert mailbox.cursors.get().watermark == 1


@database
def test_a_line_that_keeps_breaking_costs_no_mail() -> None:
    broken = True
    mails = {uid: mail(f"Number {uid}") for uid in range(1, 9)}
    with ScriptedImap(mails, on_body=lambda uid: "hang up" if broken else None) as server:
        mailbox = scripted_mailbox(server)
        report = pull_mailbox(mailbox)
        assert not report.ok
        broken = False
        with later(hours=2):
            pull_mailbox(mailbox)
        assert Message.objects.count() == 8


@database
def test_a_mail_that_is_deleted_while_we_read_is_no_trouble() -> None:
    mails = {1: mail("One"), 2: mail("Soon gone")}

    def delete(uid: int) -> str | None:
        mails_left.pop(2, None)
        return "leave out" if uid == 2 else None

    mails_left = mails
    with ScriptedImap(mails, on_body=delete) as server:
        report = pull_mailbox(scripted_mailbox(server))
    assert report.ok
    assert report.new == 1
    assert report.gone == 1


@database
def test_trouble_makes_the_next_look_wait_longer_each_time() -> None:
    row = Mailbox(slug="dead", name="Dead", host=HOST, port=free_port(), security="plain", username="anna")
    mailbox = save_mailbox(actor=ACTOR, mailbox=row, secret="secret")
    pauses = []
    for _ in range(3):
        before = datetime.now(UTC)
        pull_mailbox(mailbox)
        mailbox.refresh_from_db()
        assert mailbox.next_pull_at is not None
        pauses.append(round((mailbox.next_pull_at - before).total_seconds()))
    assert pauses == [120, 240, 480]
    assert mailbox.last_error.startswith("Nobody answers at")
    assert mailbox.last_success_at is None


@pytest.mark.dovecot
@database
def test_the_password_is_shown_nowhere(mail_account: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "t0p-secret-word"
    mailbox = imap_mailbox(mail_account, secret=secret)
    report = pull_mailbox(mailbox)
    shown = [str(mailboxes.test_connection(mailbox)), str(report), repr(mailbox), caplog.text]
    shown += [str(values) for values in AuditEntry.objects.values_list("old_values", "new_values")]
    shown += [str(values) for values in Mailbox.objects.values()]
    assert not any(secret in text for text in shown)
