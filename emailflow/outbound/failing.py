"""How staff hear of a mail that could not be sent: a note in the thread that it belongs to."""

from django.conf import settings
from django.utils import timezone

from emailflow.models import Outgoing
from tickets.actors import Actor
from tickets.models import Comment, Source, Ticket
from tickets.services.comments import add_comment

NOT_SENT = "mail_not_sent"


def note_failure(row: Outgoing, reason: str) -> None:
    """Add an internal note with recipient and reason. Call it inside a transaction; locks the ticket.

    Nothing for a mail without a ticket, and with TICKET_ENABLED=false; the row itself says it all the same.
    """
    if row.ticket is None or not settings.TICKET_ENABLED:
        return
    add_comment(
        actor=Actor.of_system("outbox"),
        ticket=row.ticket,
        body_text="",
        source=Source.MANUAL,
        is_internal=True,
        system_code=NOT_SENT,
        system_params={"outgoing": row.pk, "recipients": [row.recipient], "reason": reason},
    )


def not_sent_note(ticket: Ticket, recipient: str, reason: str) -> Comment:
    """The same note, not yet written, for an answer that never became a mail."""
    return Comment(
        ticket=ticket,
        source=Source.MANUAL,
        is_internal=True,
        system_code=NOT_SENT,
        system_params={"recipients": [recipient], "reason": reason},
        created_at=timezone.now(),
    )
