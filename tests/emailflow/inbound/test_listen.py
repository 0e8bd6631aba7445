"""New mail is heard of, not only looked for: and what becomes of a server that cannot tell, or hangs up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from emailflow.inbound.watch import Watcher
from emailflow.models import Mailbox, Message
from emailflow.services.mailboxes import archive_mailbox, bring_back_mailbox, save_mailbox
from tests.dovecot import HOST
from tests.mailboxes import ACTOR, mail
from tests.scripted_imap import ScriptedImap

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 30.0
IDLE = b"IMAP4rev1 IDLE"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def watching(**options: Any) -> Iterator[None]:
    watcher = Watcher(**options)

    def run() -> None:
        try:
            watcher.run()
            watcher.join()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        watcher.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def mailbox_at(server: ScriptedImap, **changes: Any) -> Mailbox:
    values: dict[str, Any] = {
        "slug": "scripted", "name": "Scripted", "host": HOST, "port": server.port, "security": "plain",
        "username": "anna", "start_policy": "all", "interval": 3600,
    }  # fmt: skip
    return save_mailbox(actor=ACTOR, mailbox=Mailbox(**values | changes), secret="right")


def stored(subject: str) -> bool:
    return Message.objects.filter(subject=subject).exists()


def add(server: ScriptedImap, subject: str) -> None:
    server.mails[max(server.mails, default=0) + 1] = mail(subject)


def test_mail_that_the_server_tells_of_is_fetched_at_once() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox_at(server)
        with watching():
            until(lambda: stored("First") and bool(server.idling))
            for number in range(5):
                add(server, f"Told {number}")
                server.announce()
            until(lambda: stored("Told 4"))
            assert Message.objects.count() == 6


def test_what_is_told_in_one_breath_with_the_beginning_is_not_missed() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox_at(server)
        with watching():
            until(lambda: stored("First") and bool(server.idling))
            add(server, "While nobody waited")
            server.chatter()
            until(lambda: stored("While nobody waited"))


def test_waiting_is_begun_anew_before_the_server_ends_it() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox_at(server)
        with watching(reissue=0.1):
            until(lambda: server.idled > 5)
            # Not told: found because waiting that begins anew looks too.
            add(server, "Not told of")
            until(lambda: stored("Not told of"))
        assert b"DONE\r\n" in server.commands


def test_a_connection_that_breaks_is_made_anew_and_costs_no_mail() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox_at(server)
        with watching():
            for number in range(3):
                until(lambda: bool(server.idling))
                add(server, f"While it broke {number}")
                server.hang_up()
                until(lambda number=number: stored(f"While it broke {number}"))


def test_a_server_that_cannot_tell_is_asked_in_its_interval() -> None:
    with ScriptedImap({1: mail("First")}) as server:
        mailbox_at(server, interval=5)
        with watching():
            until(lambda: stored("First"))
            add(server, "Second")
            until(lambda: stored("Second"))
        assert server.idled == 0


def test_an_archived_mailbox_is_neither_heard_nor_read_until_it_is_brought_back() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox = mailbox_at(server)
        with watching():
            until(lambda: stored("First") and bool(server.idling))
            archive_mailbox(actor=ACTOR, mailbox=mailbox)
            until(lambda: not server.idling)
            add(server, "While archived")
            server.announce()
            bring_back_mailbox(actor=ACTOR, mailbox=Mailbox.objects.get(pk=mailbox.pk))
            until(lambda: stored("While archived") and bool(server.idling))


def test_a_changed_folder_is_listened_to_instead_of_the_old_one() -> None:
    with ScriptedImap({1: mail("First")}, capabilities=IDLE) as server:
        mailbox = mailbox_at(server)
        with watching():
            until(lambda: bool(server.idling))
            mailbox = Mailbox.objects.get(pk=mailbox.pk)
            mailbox.folder = "Support"
            save_mailbox(actor=ACTOR, mailbox=mailbox)
            until(lambda: any(b"EXAMINE" in said and b"Support" in said for said in server.commands))
            until(lambda: len(server.idling) == 1)
