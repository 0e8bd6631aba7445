"""Messages and notes of a thread. The only writer of comments and of who takes part."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError, TicketsAreOff
from tickets.models import (
    Comment,
    CommentState,
    Contact,
    Participant,
    ParticipantRole,
    ParticipantState,
    SearchKind,
    SearchText,
    Source,
    Ticket,
    User,
)
from tickets.services import files, publishing
from tickets.services.files import Upload
from tickets.services.unit import UnitOfWork, in_unit, locked
from tickets.storable import storable


def add_comment(
    *,
    actor: Actor,
    ticket: Ticket,
    body_text: str,
    source: str,
    body_html: str = "",
    reply_text: str | None = None,
    is_internal: bool = False,
    is_unverified: bool = False,
    sender_verdict: str = "",
    author_user: User | None = None,
    author_contact: Contact | None = None,
    system_code: str = "",
    system_params: dict[str, Any] | None = None,
    remarks: Sequence[str] = (),
    uploads: Sequence[Upload] = (),
    created_at: datetime | None = None,
    unit: UnitOfWork | None = None,
) -> Comment:
    """Add a message or note to a ticket.

    Writes comment, files, search text and audit row; touches the ticket's ``updated_at`` and, for the first
    public answer of staff, ``first_response_at``. Without ``unit``: one transaction, the ticket row locked.
    What staff answer is ``held`` for REPLY_UNDO_SECONDS, unless it came by mail (see ``publishing``).
    Raises ServiceError for an empty comment, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    if not (body_text.strip() or body_html.strip() or uploads or system_code or actor.type == "mail"):
        raise ServiceError("A comment needs a text or a file.", field="body_text")
    body_text, body_html = storable(body_text), storable(body_html)
    stored = files.store(uploads)
    answers = author_user is not None and not is_internal
    held_until = publishing.held_until() if answers and source != Source.EMAIL else None
    with in_unit(unit) as work:
        if unit is None:
            # Closes the race with another change of the same ticket: both see each other's fields.
            ticket = locked(ticket)
        # After the lock: messages of one ticket have their times in the order in which they were written.
        moment = timezone.now()
        comment = Comment(
            ticket=ticket,
            author_user=author_user,
            author_contact=author_contact,
            body_text=body_text,
            reply_text=body_text if reply_text is None else storable(reply_text),
            body_html=body_html,
            is_internal=is_internal,
            state=CommentState.HELD if held_until else CommentState.PUBLISHED,
            held_until=held_until,
            is_unverified=is_unverified,
            sender_verdict=sender_verdict,
            source=source,
            system_code=system_code,
            system_params=system_params or {},
            remarks=list(remarks),
            created_at=created_at or moment,
        )
        write_comment(work, ticket=ticket, comment=comment, actor=actor, uploads=stored)
        if held_until:
            work.change(ticket, {"updated_at": moment})
        else:
            publishing.tell(work, ticket, comment, actor, moment)
    return comment


def write_comment(
    unit: UnitOfWork,
    *,
    ticket: Ticket,
    comment: Comment,
    actor: Actor,
    uploads: Sequence[Upload] = (),
) -> None:
    """Queue a comment with its files, search text and audit row. For services only."""
    unit.comment(comment)
    files.attach(unit=unit, ticket=ticket, comment=comment, uploads=uploads)
    text = comment.reply_text or comment.body_text
    if text.strip():
        kind = SearchKind.NOTE if comment.is_internal else SearchKind.COMMENT
        unit.add(SearchText(ticket=ticket, kind=kind, text=text))
    unit.audit(
        actor=actor,
        action="comment.added",
        entity=comment,
        ticket=ticket,
        new={"internal": comment.is_internal, "source": str(comment.source)},
    )


def decide_participant(*, actor: Actor, participant: Participant, confirm: bool) -> Participant:
    """Confirm or refuse somebody who wants to take part. Locks the row; a refused one stays refused.

    Raises ServiceError when a refused participant is to be confirmed, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    # Closes the race between two people who decide differently: the second sees what the first did.
    with transaction.atomic():
        row = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
        if row.state == ParticipantState.REFUSED and confirm:
            raise ServiceError("This address was refused before, and stays refused.", field="state")
        old = row.state
        row.state = ParticipantState.CONFIRMED if confirm else ParticipantState.REFUSED
        row.save(update_fields=["state"])
        audit.record(
            actor=actor,
            action="participant.confirmed" if confirm else "participant.refused",
            entity=row,
            ticket_id=row.ticket_id,
            old={"state": str(old)},
            new={"state": str(row.state)},
        )
    return row


def accept_comment(*, actor: Actor, comment: Comment, join: bool) -> Comment:
    """Take a stranger's message for what it says it is; with ``join`` its author takes part from now on.

    Writes comment, the ticket's ``updated_at``, audit rows and, with ``join``, the author's address as a confirmed
    participant. Locks ticket and comment. Raises Conflict for a message that waits for nobody, ServiceError at
    ``join`` for an author without an address or one that was refused, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    # Closes the race between two people who decide, and between them and a mail of the same sender.
    with in_unit(None) as work:
        ticket = locked(comment.ticket)
        row = Comment.objects.select_for_update(no_key=True).filter(pk=comment.pk, ticket=ticket.pk).first()
        if row is None:
            raise Conflict("This message is not there any more.")
        if not row.is_unverified:
            raise Conflict("This message is accepted already.")
        if join:
            _let_in(work, actor, ticket, row.author_contact)
        row.is_unverified = False
        row.save(update_fields=["is_unverified"])
        work.change(ticket, {"updated_at": timezone.now()})
        work.audit(
            actor=actor,
            action="comment.accepted",
            entity=row,
            ticket=ticket,
            old={"unverified": True},
            new={"unverified": False, "join": join},
        )
    return row


def _let_in(unit: UnitOfWork, actor: Actor, ticket: Ticket, contact: Contact | None) -> None:
    if contact is None:
        raise ServiceError("The address of its sender is not known: accept the message alone.", field="join")
    person, is_new = Participant.objects.select_for_update(no_key=True).get_or_create(
        ticket=ticket,
        address=contact.email,
        defaults={
            "name": contact.name,
            "role": ParticipantRole.CC,
            "state": ParticipantState.CONFIRMED,
            "added_by": actor.name,
            "created_at": timezone.now(),
        },
    )
    if person.state == ParticipantState.REFUSED:
        raise ServiceError("This address was refused before, and stays refused.", field="join")
    old = {}
    if not is_new:
        if person.state == ParticipantState.CONFIRMED:
            return
        old = {"state": str(person.state)}
        person.state = ParticipantState.CONFIRMED
        person.save(update_fields=["state"])
    new = {"state": str(ParticipantState.CONFIRMED)}
    unit.audit(actor=actor, action="participant.confirmed", entity=person, ticket=ticket, old=old, new=new)
