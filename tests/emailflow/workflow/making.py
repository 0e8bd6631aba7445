"""Facts and workflows for tests of the rules."""

from datetime import UTC, datetime
from typing import Any

from emailflow.mail import Address, MailAttachment, ParsedMail
from emailflow.workflow.base import Facts, Step, WorkflowSpec

PDF = MailAttachment("Faktura 12.PDF", b"%PDF-1.4", "0" * 64, "application/pdf")
LOGO = MailAttachment("logo.png", b"\x89PNG", "1" * 64, "image/png", inline=True, content_id="logo")


def make_mail(**changes: Any) -> ParsedMail:
    fields: dict[str, Any] = {
        "subject": "Printeren er nede",
        "sender": Address("Mette@Example.dk", "Mette Holm"),
        "to": (Address("support@hub.example"),),
        "cc": (Address("chef@example.dk"),),
        "text": "Hej, printeren på 2. sal er nede.\n\n> old words",
        "reply_text": "Hej, printeren på 2. sal er nede.",
        "attachments": (PDF,),
    }
    return ParsedMail(**{**fields, **changes})


def make_facts(mail: ParsedMail | None = None, **changes: Any) -> Facts:
    fields: dict[str, Any] = {
        "message_pk": 1,
        "mailbox_slug": "support",
        "received_at": datetime(2025, 12, 15, 9, 0, tzinfo=UTC),
        "label": "support_request",
        "confidence": 0.8,
    }
    return Facts(mail=mail or make_mail(), **{**fields, **changes})


def make_workflow(pk: int = 1, **changes: Any) -> WorkflowSpec:
    fields: dict[str, Any] = {
        "name": f"Rule {pk}",
        "trigger": "support_request",
        "threshold": 0.7,
        "steps": (Step("create_ticket"),),
    }
    return WorkflowSpec(id=pk, **{**fields, **changes})


# For each condition, parameters that hold for make_facts().
HOLDING: dict[str, dict[str, Any]] = {
    "sender": {"operator": "is", "part": "domain", "values": ["example.dk"]},
    "recipient": {"operator": "is", "part": "address", "values": ["support@hub.example"]},
    "subject": {"operator": "is", "match": "words", "values": ["nede"]},
    "body": {"operator": "is", "match": "anywhere", "values": ["printer"]},
    "mailbox": {"operator": "is", "mailboxes": ["support"]},
    "attachment": {"operator": "is", "test": "type", "values": ["application/pdf"]},
    "kind": {"operator": "is", "kinds": ["person"]},
    "verdict": {"operator": "is", "verdicts": ["none"]},
}
