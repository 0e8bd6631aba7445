"""Which mail belongs to which ticket. The only writer of the e-mail log, and of what moves with a mail."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from tickets.actors import Actor
from tickets.models import Attachment, Comment, Direction, EmailLog, SearchKind, SearchText, Ticket
from tickets.services.unit import UnitOfWork
from tickets.sql.insert import STAYS, insert

_COMMENT_KINDS = (SearchKind.COMMENT, SearchKind.NOTE)


def log_incoming(
    unit: UnitOfWork,
    *,
    ticket: Ticket,
    comment: Comment,
    source_key: str,
    message_id: str,
    in_reply_to: Sequence[str],
    references: Sequence[str],
    subject: str,
    sender: str,
    received_at: datetime,
    is_reply: bool,
) -> None:
    """Queue the log row of a mail that came in. ``message_id`` with angle brackets."""
    unit.add(
        EmailLog(
            ticket=ticket,
            comment=comment,
            source_key=source_key,
            email_message_id=message_id,
            email_subject=subject,
            email_from=sender,
            email_received_at=received_at,
            is_reply=is_reply,
            direction=Direction.IN,
            thread_data={
                "message_id": message_id,
                "in_reply_to": " ".join(in_reply_to),
                "references": list(references),
            },
            created_at=timezone.now(),
        )
    )


def log_outgoing(
    *,
    ticket_id: int,
    comment_id: int,
    message_id: str,
    in_reply_to: Sequence[str],
    references: Sequence[str],
    subject: str,
    sender: str,
    sent_at: datetime,
) -> None:
    """Write the log row of an answer that went out, once however many it went to. Call it inside a transaction."""
    row = EmailLog(
        ticket_id=ticket_id,
        comment_id=comment_id,
        source_key=f"out:{comment_id}",
        email_message_id=message_id,
        email_subject=subject,
        email_from=sender,
        email_received_at=sent_at,
        is_reply=bool(in_reply_to),
        direction=Direction.OUT,
        thread_data={
            "message_id": message_id,
            "in_reply_to": " ".join(in_reply_to),
            "references": list(references),
        },
        created_at=timezone.now(),
    )
    insert([row], STAYS)


def move_mail(unit: UnitOfWork, *, actor: Actor, source_key: str, source: Ticket, target: Ticket) -> None:
    """Move a mail with its comment, files and search texts to another ticket.

    Writes at once; call it inside a transaction that has locked both tickets. The comment that opened a
    ticket moves as well; the ticket it leaves stays.
    """
    log = EmailLog.objects.filter(ticket=source, source_key=source_key).first()
    if log is None:
        return
    comment = log.comment
    log.ticket, log.is_reply = target, True
    log.save(update_fields=["ticket", "is_reply"])
    if comment is not None:
        names = list(Attachment.objects.filter(comment=comment, is_inline=False).values_list("name", flat=True))
        texts: list[tuple[tuple[str, ...], str]] = [(_COMMENT_KINDS, comment.reply_text or comment.body_text)]
        texts += [((SearchKind.ATTACHMENT,), name) for name in names]
        for kinds, text in texts:
            # One row each: another comment may say the very same and stays.
            row = SearchText.objects.filter(ticket=source, kind__in=kinds, text=text).order_by("id").first()
            if row is not None:
                row.ticket = target
                row.save(update_fields=["ticket"])
        Attachment.objects.filter(comment=comment).update(ticket=target)
        Comment.objects.filter(pk=comment.pk).update(ticket=target)
    unit.audit(
        actor=actor,
        action="mail.moved",
        entity=log,
        ticket=target,
        old={"ticket": source.pk},
        new={"ticket": target.pk},
    )
