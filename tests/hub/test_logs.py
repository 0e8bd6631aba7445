"""What the log holds: numbers of mail and ticket; and what it never holds: addresses, subjects, texts, secrets."""

import ast
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connection

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from hub.logs import LONGEST, JsonFormatter, LineFormatter, harmless
from tests.mails import mail
from tickets.models import Ticket

PROJECT = Path(__file__).resolve().parents[2]
Read = Callable[[], list[str]]


@pytest.fixture(params=[LineFormatter, JsonFormatter], ids=["line", "json"])
def read(request: pytest.FixtureRequest) -> Iterator[Read]:
    """Everything that is logged during the test, as a deployer would read it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: stream.getvalue().splitlines()
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from mette@nordwind.example: no", "from m…@nordwind.example: no"),
        ("<a.b+c@x.example>, (æ@ø.example)", "<a…@x.example>, (æ…@ø.example)"),
        ("smtp://hub:s3cret@mail.example:25", "smtp://h…@mail.example:25"),
        ("nothing @ all", "nothing @ all"),
        ("mail 17: failed\nDETAIL:  Failing row contains (1, Kære I,\nhjælp!).", "mail 17: failed\n"),
    ],
)
def test_addresses_are_shortened_and_quoted_rows_left_out(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_a_long_text_is_cut_and_costs_no_time() -> None:
    assert len(harmless("a" * 10_000_000)) < LONGEST + 50
    assert len(harmless("@a" * 10_000_000)) < 2 * LONGEST


@pytest.mark.django_db
def test_each_filed_mail_is_one_line_with_what_became_of_it(read: Read) -> None:
    message = receive_bytes(
        mail("Hemmelig tekst", subject="Hemmeligt emne"), mailbox=Mailbox.objects.get(slug="test")
    ).message
    process_due()
    number = Ticket.objects.get().ticket_number
    (line,) = [line for line in read() if f"mail {message.pk}: " in line]
    assert f"ticket_created {number} in 0." in line
    if line.startswith("{"):
        fields = json.loads(line)
        assert (fields["mail"], fields["ticket"], fields["outcome"]) == (message.pk, number, "ticket_created")
        assert 0 < fields["seconds"] < 60
        assert (fields["level"], fields["logger"]) == ("INFO", "emailflow.inbound.settle")
    assert not any(word in "\n".join(read()) for word in ("emmelig", "mette@", "Mette Lund"))


@pytest.mark.django_db
def test_a_row_that_the_database_refuses_is_not_quoted(read: Read) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite quotes no rows")
    message = receive_bytes(mail(subject="Hemmeligt emne"), mailbox=Mailbox.objects.get(slug="test")).message
    try:
        Message.objects.filter(pk=message.pk).update(state="no such state")
    except DatabaseError:
        logging.getLogger("test").exception("mail %s: refused", message.pk)
    text = "\n".join(read())
    assert "violates check constraint" in text
    assert "Hemmeligt" not in text


def test_no_log_call_prints_what_is_private() -> None:
    """Looks at the arguments of every log call: nothing of a mail but its numbers."""
    private = {"subject", "body_text", "text", "html", "raw", "from_address", "email", "address", "secret", "password"}
    private |= {"description", "reply_text", "content", "token", "headers"}
    found = []
    for path in sorted(PROJECT.glob("*/**/*.py")):
        if path.parts[len(PROJECT.parts)] not in ("hub", "emailflow", "tickets"):
            continue
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("logger."):
                names = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
                names |= {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
                found += [f"{path.name}:{call.lineno}: {name}" for name in names & private]
    assert found == []
