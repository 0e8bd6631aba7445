"""A backup of a working installation, brought back into another one, is the same helpdesk."""

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.mails import mail
from tests.postgresql import programs_on_path

ROOT = Path(__file__).resolve().parents[3]
Environment = dict[str, str]
Installation = Callable[[], Environment]
TABLES = (
    *("tticket_tickets", "tticket_comments", "tticket_attachments", "tticket_search", "tticket_audit_log"),
    *("tticket_ticket_numbers", "tticket_email_log", "contacts", "email_messages", "email_traces", "users"),
)

pytestmark = pytest.mark.slow


def manage(environment: Environment, *arguments: str, ok: bool = True) -> str:
    """What a command prints; its exit code is 0, or with ``ok=False`` another one."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def rows_of(environment: Environment) -> dict[str, list[Any]]:
    """Every row of the tables that matter."""
    if environment["DATABASE_URL"]:
        with psycopg.connect(environment["DATABASE_URL"]) as client:
            return {table: client.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}
    with closing(sqlite3.connect(Path(environment["DATA_DIR"]) / "hub.sqlite3")) as file:
        return {table: file.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


def files_of(environment: Environment) -> dict[str, str]:
    folder = Path(environment["DATA_DIR"]) / "blobs"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[0-9a-f][0-9a-f]/*")}


@pytest.fixture
def make(new_installation: Installation) -> Installation:
    return lambda: {**new_installation(), "PATH": programs_on_path()}


@pytest.fixture
def working(make: Installation, tmp_path: Path) -> Environment:
    """An installation with three mails on two tickets, one with a file."""
    environment = make()
    manage(environment, "migrate", "-v0")
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "1.eml").write_bytes(mail("Hjælp", subject="Printer", files={"plan.bin": b"\0plan" * 1000}))
    (folder / "2.eml").write_bytes(mail("Ingen internet", subject="Internet", message_id="<first@nordwind.example>"))
    (folder / "3.eml").write_bytes(mail("Stadig?", subject="Re: Internet", in_reply_to="<first@nordwind.example>"))
    manage(environment, "import_mail", str(folder))
    return environment


def test_everything_comes_back_and_the_helpdesk_goes_on(
    working: Environment, make: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "hub.tar"
    said = manage(working, "backup", str(archive))
    assert "2 tickets, 3 comments, 3 mails, 4 files" in said
    assert "Verified." in said
    other = make()
    assert "Restored, and compared with the backup." in manage(other, "restore", str(archive))
    assert rows_of(other) == rows_of(working)
    assert files_of(other) == files_of(working)
    for key in ("SECRET_KEY", "TOKEN_KEYS", "FIELD_ENCRYPTION_KEYS"):
        path = Path(other["DATA_DIR"]) / "secrets" / key
        assert path.read_bytes() == (Path(working["DATA_DIR"]) / "secrets" / key).read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    manage(other, "migrate", "-v0")
    (tmp_path / "4.eml").write_bytes(mail("Skærmen er sort", subject="Screen"))
    assert "1 ticket_created" in manage(other, "import_mail", str(tmp_path / "4.eml"))
    assert "Nothing is wrong." in manage(other, "check_integrity")


def test_what_is_there_is_replaced_only_by_force_and_never_while_it_is_used(
    working: Environment, tmp_path: Path
) -> None:
    before = rows_of(working)
    archive = tmp_path / "hub.tar"
    manage(working, "backup", str(archive))
    (tmp_path / "later.eml").write_bytes(mail(subject="After the backup"))
    manage(working, "import_mail", str(tmp_path / "later.eml"))
    later = rows_of(working)
    assert "not empty" in manage(working, "restore", str(archive), ok=False)
    holder = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v0", "-c",
         "from tickets.models import User; User.objects.count(); print('here', flush=True); input()"],
        cwd=ROOT, env=working, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout and holder.stdout.readline() == "here\n"
        assert "stop Hub" in manage(working, "restore", str(archive), "--force", ok=False)
    finally:
        holder.communicate("\n", timeout=60)
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(archive.read_bytes().replace(b"\0plan\0plan", b"\0PLAN\0plan", 1))
    assert "damaged" in manage(working, "restore", str(damaged), "--force", ok=False)
    assert rows_of(working) == later
    said = manage(working, "restore", str(archive), "--force")
    assert rows_of(working) == before
    if not os.environ["HUB_TEST_SERVER"]:
        assert "The old database is kept as" in said
