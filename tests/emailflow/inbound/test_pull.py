"""Promises of the pull that need no server: the ledger, the lease and what its report says."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from emailflow import tasks
from emailflow.inbound.due import due, pull_due
from emailflow.inbound.lease import LeaseLost, claim
from emailflow.inbound.pull import pull
from emailflow.inbound.pull_report import PullReport
from emailflow.inbound.reconcile import reconcile
from emailflow.models import Delivery, Mailbox, Message
from emailflow.services.mailboxes import save_mailbox
from tests.mailboxes import ACTOR, commits_fail, drop, mail, maildir_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_many_claims_at_once_exactly_one_succeeds(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    barrier = threading.Barrier(4)
    won = []

    def take() -> None:
        barrier.wait()
        try:
            if claim(mailbox.pk, 60) is not None:
                won.append(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_reader_whose_lease_was_taken_over_can_write_nothing(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    slow = claim(mailbox.pk, -1)
    quick = claim(mailbox.pk, 60)
    assert slow is not None
    assert quick is not None
    with pytest.raises(LeaseLost):
        slow.extend()
    assert not slow.finish(last_error="late")
    assert Mailbox.objects.get(pk=mailbox.pk).last_error == ""
    quick.extend()


def test_a_mailbox_that_is_being_read_is_not_due(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    assert list(due()) == [mailbox]
    assert claim(mailbox.pk, 60) is not None
    assert list(due()) == []


def test_only_mailboxes_that_are_on_and_due_are_pulled(tmp_path: Path) -> None:
    for name in ("on", "off", "archived"):
        drop(tmp_path / name, mail(name))
    maildir_mailbox(tmp_path / "on")
    maildir_mailbox(tmp_path / "off", enabled=False)
    archived = maildir_mailbox(tmp_path / "archived")
    Mailbox.objects.filter(pk=archived.pk).update(archived_at=archived.created_at)
    assert tasks.pull_due_mailboxes() == 1
    assert tasks.pull_due_mailboxes() == 0
    assert list(Message.objects.values_list("subject", flat=True)) == ["on"]


def test_trouble_of_one_mailbox_stops_no_other(tmp_path: Path) -> None:
    broken = maildir_mailbox(tmp_path / "broken")
    Mailbox.objects.filter(pk=broken.pk).update(path="not/absolute")
    maildir_mailbox(tmp_path / "good")
    drop(tmp_path / "good", mail())
    tasks.pull_due_mailboxes()
    broken.refresh_from_db()
    assert "not an absolute path" in broken.last_error
    assert Message.objects.count() == 1


def test_an_error_that_nobody_expected_is_that_mailbox_s_trouble_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: object, **__: object) -> None:
        raise ValueError("a library stumbles")

    monkeypatch.setattr("socket.create_connection", raises)
    row = Mailbox(slug="broken", name="Broken", host="127.0.0.1", username="anna", start_policy="all")
    broken = save_mailbox(actor=ACTOR, mailbox=row, secret="right")
    good = maildir_mailbox(tmp_path)
    drop(tmp_path, mail())

    reports = pull_due()

    assert [report.mailbox for report in reports] == [broken.name, good.name]
    assert Message.objects.get().mailbox == good
    broken.refresh_from_db()
    assert "could not read this mailbox (ValueError)" in broken.last_error
    assert (broken.failures, broken.lease_token, broken.lease_until) == (1, "", None)
    assert broken.last_error_at is not None
    assert broken.next_pull_at is not None
    assert broken.next_pull_at - broken.last_error_at == timedelta(seconds=2 * broken.interval)
    assert [record.exc_info is not None for record in caplog.records if "the look failed" in record.message] == [True]
    assert "log of Hub" in str(reconcile(broken).error)
    assert claim(broken.pk, 60) is not None


def test_a_good_look_clears_the_trouble(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail())
    with commits_fail():
        pull(mailbox)
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.last_success_at) == (1, None)
    assert "could not be stored" in mailbox.last_error
    Delivery.objects.update(next_try_at=None)
    pull(mailbox)
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.last_error) == (0, "")
    assert mailbox.last_success_at is not None
    assert mailbox.next_pull_at is not None
    assert mailbox.next_pull_at - mailbox.last_success_at == timedelta(seconds=mailbox.interval)


def test_what_is_known_costs_no_statement_a_mail(tmp_path: Path) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert pull(mailbox).new == 0
        return len(asked)

    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail())
    pull(mailbox)
    few = statements()
    for _ in range(120):
        drop(tmp_path, mail())
    pull(mailbox)
    assert statements() == few


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (PullReport("Support"), "No new mail."),
        (PullReport("Support", new=1), "1 new mail stored."),
        (PullReport("Support", new=12, known=3), "12 new mails stored, 3 were here before."),
        (PullReport("Support", busy=True), "The watcher is reading this mailbox right now: try again in a minute."),
        (PullReport("Support", error="Nobody answers at mail.example:993"), "Nobody answers at mail.example:993."),
        (
            PullReport("Support", new=2, waiting=1, error="The connection was lost"),
            "2 new mails stored. 1 mail not fetched yet, and tried again later. The connection was lost.",
        ),
    ],
)
def test_the_report_speaks_in_sentences(report: PullReport, text: str) -> None:
    assert str(report) == text
