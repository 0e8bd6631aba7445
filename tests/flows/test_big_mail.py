"""Mails that are too big to be held in memory go through a file, and arrive as they were sent."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from emailflow.inbound.spool import clear_spool, spool_file
from emailflow.models import Delivery, Mailbox, Message
from emailflow.services.mailboxes import pull_mailbox, save_mailbox
from tests.dovecot import HOST, Account
from tests.mailboxes import ACTOR, commits_fail, drop, imap_mailbox, later, mail, maildir_mailbox
from tests.scripted_imap import ScriptedImap
from tickets import blobs

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024
# A process of its own, because a process never gives back what it once needed most. Not by getrusage: its
# figure begins with what the process needed that started this one.
MEASURE = """
import re, sys
import django
django.setup()
from emailflow.models import Mailbox
from emailflow.services.mailboxes import pull_mailbox
def most():
    return int(re.search("VmHWM:\\\\s+(\\\\d+) kB", open("/proc/self/status").read())[1])
small, big = (Mailbox.objects.get(slug=slug) for slug in ("small", "big"))
assert pull_mailbox(small).new == 1
before = most()
report = pull_mailbox(big)
assert report.new == 1, str(report)
print((most() - before) / 1024)
"""


def big_mail(subject: str, megabytes: int) -> bytes:
    # Every line differs, so that a piece that is lost, doubled or in the wrong place shows.
    count = megabytes * MEGABYTE // 78
    return mail(subject, text="\r\n".join(f"{number:076d}" for number in range(count)))


def mailbox_at(server: ScriptedImap) -> Mailbox:
    row = Mailbox(
        slug="scripted", name="Scripted", host=HOST, port=server.port, security="plain", username="anna",
        start_policy="all",
    )  # fmt: skip
    return save_mailbox(actor=ACTOR, mailbox=row, secret="right")


def spooled() -> list[Path]:
    folder = Path(settings.SPOOL_DIR)
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.dovecot
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_big_mail_arrives_byte_for_byte(mail_account: Account, protocol: str) -> None:
    server = mail_account.server
    port = server.imap_port if protocol == "imap" else server.pop3_port
    raw = big_mail("Byggetegninger", 12)
    mail_account.deliver(mail("Small"), raw, mail("Small too"))
    report = pull_mailbox(imap_mailbox(mail_account, protocol=protocol, port=port))
    assert report.new == 3
    row = Message.objects.get(subject="Byggetegninger")
    stored = blobs.read(row.sha256)
    assert row.size == len(stored)
    # The server has put its own lines before it.
    assert stored.endswith(raw)
    assert row.message_id
    assert spooled() == []


def test_a_big_file_of_a_maildir_arrives_byte_for_byte(tmp_path: Path) -> None:
    raw = big_mail("In the drop folder", 9)
    drop(tmp_path, raw)
    pull_mailbox(maildir_mailbox(tmp_path))
    assert blobs.read(Message.objects.get().sha256) == raw


def test_a_server_that_gives_less_than_one_asks_for_loses_nothing() -> None:
    raw = big_mail("In small pieces", 9)
    with ScriptedImap({1: raw}, piece=300_000) as server:
        pull_mailbox(mailbox_at(server))
        assert any(b"<300000." in command for command in server.commands)
    assert blobs.read(Message.objects.get().sha256) == raw


@pytest.mark.parametrize("fault", ["hang up", "leave out", "refuse"])
def test_half_of_a_big_mail_is_never_stored(fault: str) -> None:
    broken = True
    asked = 0

    def in_the_middle(uid: int) -> str | None:
        nonlocal asked
        asked += uid == 2
        return fault if broken and uid == 2 and asked % 4 == 0 else None

    raw = big_mail("Big", 9)
    with ScriptedImap({1: mail("One"), 2: raw, 3: mail("Three")}, on_body=in_the_middle) as server:
        mailbox = mailbox_at(server)
        pull_mailbox(mailbox)
        assert sorted(Message.objects.values_list("subject", flat=True)) == ["One", "Three"]
        assert Delivery.objects.get(uid="2").attempts == 1
        assert spooled() == []
        broken = False
        with later(hours=1):
            assert pull_mailbox(mailbox).new == 1
    assert blobs.read(Message.objects.get(subject="Big").sha256) == raw


def test_a_big_mail_that_the_database_refuses_comes_again() -> None:
    raw = big_mail("Big", 9)
    with ScriptedImap({1: raw}) as server:
        mailbox = mailbox_at(server)
        with commits_fail():
            assert not pull_mailbox(mailbox).ok
        assert spooled() == []
        with later(hours=1):
            assert pull_mailbox(mailbox).new == 1


@pytest.mark.dovecot
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process needed most")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_mail_of_47_megabytes_needs_no_memory_of_its_size(
    process_environment: dict[str, str], mail_account: Account, protocol: str
) -> None:
    server = mail_account.server
    values: dict[str, Any] = {"protocol": protocol}
    values["port"] = server.imap_port if protocol == "imap" else server.pop3_port
    other = server.account()
    other.deliver(mail("Small"))
    mail_account.deliver(big_mail("Big", 47))
    imap_mailbox(other, slug="small", **values)
    imap_mailbox(mail_account, slug="big", **values)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env=process_environment | {"DJANGO_SETTINGS_MODULE": "hub.settings"}, cwd=ROOT, capture_output=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert float(done.stdout) < 16


def test_what_a_killed_process_left_in_the_spool_goes_after_a_day() -> None:
    with spool_file() as young:
        left = Path(settings.SPOOL_DIR) / "mail-left-behind"
        left.write_bytes(b"half a mail")
        with time_machine.travel(timezone.now() + timedelta(hours=23)):
            assert clear_spool() == 0
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            assert clear_spool() == 2
        assert not left.exists()
        assert not young.exists()
