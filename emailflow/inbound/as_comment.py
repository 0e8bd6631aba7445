"""What of a mail becomes a ticket's description, a comment's files, a note's parameters. Pure."""

from typing import Any

from django.utils import timezone

from emailflow.inbound.parsing.bounces.words import in_words
from emailflow.inbound.work import Work
from tickets.services.files import Upload


def proves_itself(work: Work) -> bool:
    """Whether a delivery report returns something that only we could have signed."""
    return any(signal.rank in (1, 2, 3) for signal in work.signals)


def description(work: Work) -> str:
    received = timezone.localtime(work.message.received_at, timezone.get_default_timezone())
    return f"From: {work.mail.sender}\nReceived: {received:%Y-%m-%d %H:%M:%S %z}\n\n{work.mail.text}"


def uploads(work: Work) -> list[Upload]:
    return [
        Upload(
            name=attachment.name,
            content=attachment.content,
            content_id=attachment.content_id,
            inline=attachment.inline,
            mime_type=attachment.mime_type,
            sha256=attachment.sha256,
            stored_size=attachment.stored_size,
        )
        for attachment in work.mail.attachments
    ]


def note_params(work: Work) -> dict[str, Any]:
    bounce = work.mail.bounce
    params: dict[str, Any] = {"from": work.mail.sender.address, "reason": work.kind_reason}
    if bounce is not None:
        params |= {
            "recipients": list(bounce.recipients),
            "status": bounce.status,
            "diagnostic": bounce.diagnostic[:500],
            "report": bounce.report.value,
            "words": in_words(bounce),
        }
    return params
