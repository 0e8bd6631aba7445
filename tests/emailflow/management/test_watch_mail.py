"""``watch_mail`` and ``pull_mail`` as ``up`` and people run them: processes that are started and stopped."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from emailflow.models import Mailbox
from tests.dovecot import HOST, Account
from tests.mailboxes import ACTOR, drop, imap_mailbox, mail, maildir_mailbox
from tests.scripted_imap import ScriptedImap
from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


@contextmanager
def running(environment: dict[str, str], log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *command],
            env=environment, cwd=ROOT, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def has_ticket(subject: str) -> bool:
    return Ticket.objects.filter(subject=subject).exists()


def test_a_mail_put_into_the_drop_folder_becomes_a_ticket_by_itself(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    maildir_mailbox(tmp_path / "drop", interval=3600)
    log = tmp_path / "log"
    drop(tmp_path / "drop", mail("There before"))
    with running(process_environment, log, "watch_mail"):
        until(lambda: has_ticket("There before"), log)
        drop(tmp_path / "drop", mail("Put in later"))
        until(lambda: has_ticket("Put in later"), log)
        (tmp_path / "drop" / "new" / "by-hand.eml").write_bytes(mail("Copied by hand"))
        until(lambda: has_ticket("Copied by hand"), log)


def test_mail_that_somebody_else_stored_is_processed(process_environment: dict[str, str], tmp_path: Path) -> None:
    from emailflow.inbound.receive import receive_bytes

    log = tmp_path / "log"
    with running(process_environment, log, "watch_mail"):
        receive_bytes(mail("Stored by the API"), mailbox=Mailbox.objects.get(slug="api"))
        until(lambda: has_ticket("Stored by the API"), log)


@pytest.mark.dovecot
def test_imap_mailboxes_are_read_at_their_interval(
    process_environment: dict[str, str], tmp_path: Path, mail_account: Account
) -> None:
    imap_mailbox(mail_account, interval=5)
    log = tmp_path / "log"
    mail_account.deliver(mail("First look"))
    with running(process_environment, log, "watch_mail"):
        until(lambda: has_ticket("First look"), log)
        mail_account.deliver(mail("Second look"))
        until(lambda: has_ticket("Second look"), log)


@pytest.mark.dovecot
def test_an_imap_server_tells_of_new_mail_by_itself(
    process_environment: dict[str, str], tmp_path: Path, mail_account: Account
) -> None:
    imap_mailbox(mail_account, interval=3600)
    log = tmp_path / "log"
    mail_account.deliver(mail("Before"))
    with running(process_environment, log, "watch_mail") as process:
        until(lambda: has_ticket("Before"), log)
        for number in range(3):
            mail_account.deliver(mail(f"Burst {number} a"), mail(f"Burst {number} b"))
            until(lambda number=number: has_ticket(f"Burst {number} a") and has_ticket(f"Burst {number} b"), log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "Traceback" not in log.read_text()
    assert "in the middle" not in log.read_text()


def test_a_server_that_stalls_holds_up_no_drop_folder_and_no_stop(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    maildir_mailbox(tmp_path / "drop")
    log = tmp_path / "log"
    asked: list[int] = []
    over = threading.Event()

    def stall(uid: int) -> str | None:
        asked.append(uid)
        over.wait()
        return "hang up"

    with ScriptedImap({1: mail("Never")}, on_body=stall) as server:
        from emailflow.services.mailboxes import save_mailbox

        row = Mailbox(
            slug="slow", name="Slow", host=HOST, port=server.port, security="plain", username="anna",
            start_policy="all",
        )  # fmt: skip
        save_mailbox(actor=ACTOR, mailbox=row, secret="right")
        with running(process_environment, log, "watch_mail") as process:
            until(lambda: bool(asked), log)
            drop(tmp_path / "drop", mail("Quick"))
            until(lambda: has_ticket("Quick"), log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            assert len(asked) == 1, "the server still stalls"
        over.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_asked(process_environment: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    maildir_mailbox(tmp_path / "drop")
    log = tmp_path / "log"
    with running(process_environment, log, "watch_mail") as process:
        drop(tmp_path / "drop", mail("It runs"))
        until(lambda: has_ticket("It runs"), log)
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
    assert "Traceback" not in log.read_text()


def test_it_outlives_a_database_that_restarts(process_environment: dict[str, str], tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server that restarts")
    maildir_mailbox(tmp_path / "drop")
    log = tmp_path / "log"
    with running(process_environment, log, "watch_mail") as process:
        drop(tmp_path / "drop", mail("Before"))
        until(lambda: has_ticket("Before"), log)
        with connection.cursor() as cursor:
            for _ in range(3):
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        drop(tmp_path / "drop", mail("After"))
        until(lambda: has_ticket("After"), log)
        assert process.poll() is None


@pytest.mark.dovecot
def test_pull_mail_once_makes_tickets_and_says_what_it_found(
    process_environment: dict[str, str], tmp_path: Path, mail_account: Account
) -> None:
    mailbox = imap_mailbox(mail_account)
    mail_account.deliver(mail("Pulled by hand"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "pull_mail", mailbox.slug, "--once"],
        env=process_environment, cwd=ROOT, capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.decode() == f"{mailbox.slug}: 1 new mail stored.\n"
    assert has_ticket("Pulled by hand")


@pytest.mark.dovecot
def test_pull_mail_once_ends_with_1_when_a_mailbox_has_trouble(
    process_environment: dict[str, str], mail_account: Account
) -> None:
    imap_mailbox(mail_account, slug="good")
    imap_mailbox(mail_account, slug="bad", secret="wrong")
    mail_account.deliver(mail("Of the good one"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "pull_mail", "--once"],
        env=process_environment, cwd=ROOT, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "bad: The server did not accept the password." in done.stdout.decode()
    assert has_ticket("Of the good one")
