"""Shows what the parser makes of mail files, one JSON object a line. Touches no database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.bounces.words import in_words
from emailflow.inbound.screen import screen
from emailflow.mail import Address, Bounce, MailAttachment, ParsedMail, ReportedRecipient


class Command(BaseCommand):
    help = "Parses mail files (.eml) and prints one JSON object for each. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a file that holds one mail")
        parser.add_argument("--format", choices=["jsonl"], default="jsonl", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        unread = 0
        for name in options["files"]:
            try:
                raw = Path(name).read_bytes()
            except OSError as error:
                unread += 1
                self.stderr.write(f"{name}: cannot be read: {error.strerror or error}")
                continue
            self.stdout.write(json.dumps(as_json(name, parse(raw)), ensure_ascii=False))
        if unread:
            raise CommandError(f"{unread} of {len(options['files'])} files could not be read.")


def as_json(name: str, mail: ParsedMail) -> dict[str, Any]:
    """One mail as the command prints it; what is missing is null, '' or an empty list."""
    return {
        "file": name,
        "from": _address(mail.sender),
        "to": [_address(address) for address in mail.to],
        "cc": [_address(address) for address in mail.cc],
        "reply_to": [_address(address) for address in mail.reply_to],
        "subject": mail.subject,
        "message_id": mail.message_id or None,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "date": mail.date.isoformat() if mail.date else None,
        "text": mail.text,
        "reply_text": mail.reply_text,
        "has_html": mail.has_html,
        "attachments": [_attachment(attachment) for attachment in mail.attachments],
        "kind": screen(mail)[0].value,
        "bounce": _bounce(mail.bounce),
        "notes": list(mail.notes),
        "forwarded_from": _address(mail.forwarded_from) if mail.forwarded_from else None,
        "defects": list(mail.defects),
    }


def _address(address: Address) -> dict[str, str]:
    return {"name": address.name, "address": address.address}


def _attachment(attachment: MailAttachment) -> dict[str, Any]:
    return {
        "name": attachment.name,
        "size": attachment.size,
        "mime_type": attachment.mime_type,
        "sha256": attachment.sha256,
        "inline": attachment.inline,
        "content_id": attachment.content_id,
    }


def _bounce(bounce: Bounce | None) -> dict[str, Any] | None:
    if bounce is None:
        return None
    return {
        "recipients": list(bounce.recipients),
        "status": bounce.status,
        "original_message_id": bounce.original_message_id,
        "report": bounce.report.value,
        "suspected": bounce.suspected,
        "hard": bounce.hard,
        "words": in_words(bounce),
        "reports": [_reported(one) for one in bounce.reports],
    }


def _reported(one: ReportedRecipient) -> dict[str, Any]:
    return {
        "address": one.address,
        "original": one.original,
        "action": one.action,
        "status": one.status,
        "diagnostic": one.diagnostic,
        "hard": one.hard,
    }
