"""Rows of the outbox that are in no table, and the mails that are made of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from emailflow.inbound.parse import parse
from emailflow.mail import ParsedMail
from emailflow.outbound.compose import Composed, Identity, Quoted, Thread, as_message, compose

NUMBER = "TKT-20251215-001"
DOMAIN = "help.example"
IDENTITY = Identity(
    address=f"support@{DOMAIN}", name="Support", plus_addressing=True, signature="Hub ApS", slug="support"
)
THREAD = Thread(
    number=NUMBER,
    subject="Printeren virker ikke",
    last_message_id="<last@kunde.example>",
    references=("<root@kunde.example>", "<next@help.example>"),
)
QUOTED = Quoted("Anna Ågård", datetime(2026, 3, 2, 10, 11, tzinfo=UTC), "Hej\n\nDen går i stå.\n> sagde I ikke det?")


@dataclass
class Row:
    """The columns that a mail is made of."""

    sender: str = f"Support <support@{DOMAIN}>"
    recipient: str = "anna@kunde.example"
    recipient_name: str = "Anna"
    header_message_id: str = "<1@help.example>"
    subject: str = "Hej"
    text: str = "Hej\n"
    html: str = "<p>Hej</p>"
    headers: dict[str, str] = field(default_factory=dict)
    created_at: datetime = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)


def composed(**changes: Any) -> Composed:
    """An answer of staff, as most of them are."""
    given: dict[str, Any] = {
        "kind": "reply",
        "identity": IDENTITY,
        "thread": THREAD,
        "key": "12",
        "outgoing_key": "77",
        "body": "Hej Anna\n\nPrøv at slukke og tænde.",
        "agent_signature": "Bo",
        "quoted": QUOTED,
        "automatic": False,
        "language": "en",
    }
    return compose(**given | changes)


def row_of(mail: Composed, **changes: Any) -> Row:
    columns = {name: getattr(mail, name) for name in Row.__dataclass_fields__ if hasattr(mail, name)}
    return Row(**columns | changes)


def raw(row: Row, *files: tuple[bytes, str, str, str]) -> bytes:
    return as_message(row, files).as_bytes()


def read(row: Row, *files: tuple[bytes, str, str, str]) -> ParsedMail:
    """The mail as our own parser sees it."""
    return parse(raw(row, *files))


def read_by_stdlib(row: Row, *files: tuple[bytes, str, str, str]) -> EmailMessage:
    message = message_from_bytes(raw(row, *files), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
