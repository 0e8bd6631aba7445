"""Mailboxes, mails and trouble for the tests of what comes in."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import time_machine
from django.db import connection
from django.db.models import F
from django.utils import timezone

from emailflow.models import Delivery, Mailbox
from emailflow.services.mailboxes import save_mailbox
from tests.dovecot import HOST, Account
from tickets.actors import Actor

ACTOR = Actor.of_system("tests")


def mail(subject: str = "Printeren er død", *, text: str = "Hjælp!", sender: str = "anna@kunde.example") -> bytes:
    """A mail of its own, with CRLF as it travels."""
    lines = [
        f"From: Anna <{sender}>",
        "To: support@hub.example",
        f"Subject: {subject}",
        f"Message-ID: <{uuid.uuid4().hex}@kunde.example>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        text,
        "",
    ]
    return "\r\n".join(lines).encode()


def imap_mailbox(account: Account, **changes: Any) -> Mailbox:
    """A mailbox that reads everything of ``account``, saved through the service."""
    values: dict[str, Any] = {
        "slug": f"m{uuid.uuid4().hex[:8]}",
        "name": "Support",
        "host": HOST,
        "port": account.server.imap_port,
        "security": "plain",
        "username": account.user,
        "start_policy": "all",
    }
    secret = changes.pop("secret", account.password)
    return save_mailbox(actor=ACTOR, mailbox=Mailbox(**values | changes), secret=secret)


def maildir_mailbox(path: Path, **changes: Any) -> Mailbox:
    """A mailbox that reads everything of the Maildir at ``path``, which is made here."""
    path.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "slug": f"m{uuid.uuid4().hex[:8]}",
        "name": "Drop",
        "protocol": "maildir",
        "path": str(path),
        "start_policy": "all",
    }
    return save_mailbox(actor=ACTOR, mailbox=Mailbox(**values | changes), secret=None)


def drop(path: Path, raw: bytes, name: str = "", folder: str = "new") -> Path:
    """Delivers as a mail program does: into tmp, then by rename."""
    (path / "tmp").mkdir(parents=True, exist_ok=True)
    (path / folder).mkdir(exist_ok=True)
    name = name or f"1700000000.M{uuid.uuid4().hex[:10]}.host"
    (path / "tmp" / name).write_bytes(raw)
    return (path / "tmp" / name).rename(path / folder / name)


@contextmanager
def later(**passed: float) -> Iterator[None]:
    """That much later: for this process, and for what waits by the clock of the database."""
    time = timedelta(**passed)
    Delivery.objects.update(next_try_at=F("next_try_at") - time)
    with time_machine.travel(timezone.now() + time):
        yield


@contextmanager
def commits_fail() -> Iterator[None]:
    """The database itself refuses every transaction that stores a mail: on PostgreSQL at its very commit."""
    if connection.vendor == "postgresql":
        make = [
            "CREATE FUNCTION refuse_mail() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the disk of the database is full'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse_mail AFTER INSERT ON email_messages "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_mail()",
        ]
        remove = ["DROP TRIGGER refuse_mail ON email_messages", "DROP FUNCTION refuse_mail()"]
    else:
        make = [
            "CREATE TRIGGER refuse_mail AFTER INSERT ON email_messages "
            "BEGIN SELECT RAISE(ABORT, 'the disk of the database is full'); END"
        ]
        remove = ["DROP TRIGGER refuse_mail"]
    _execute(make)
    try:
        yield
    finally:
        _execute(remove)


def _execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
