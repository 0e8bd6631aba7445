"""An answer of staff waits some seconds before anybody hears of it, and can be taken back until then.

A held answer counts for nothing: no mail, no clock, no signal. What publishes it does all of that in one
transaction. Whoever comes first, the one who takes it back or the one who publishes it, changes its state; the other
finds it changed.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from tickets.actors import Actor
from tickets.clock import database_now
from tickets.errors import Conflict, ServiceError, TicketsAreOff
from tickets.models import Comment, CommentState, SearchKind, SearchText, Ticket
from tickets.services import files
from tickets.services.files import Upload
from tickets.services.unit import UnitOfWork, in_unit, locked, send_comment
from tickets.storable import storable

logger = logging.getLogger(__name__)

PUT_OFF = timedelta(minutes=10)


def held_until() -> datetime | None:
    """When an answer written now is published, by the database's clock; None: at once."""
    pause = timedelta(seconds=settings.REPLY_UNDO_SECONDS)
    return database_now() + pause if pause else None


def tell(unit: UnitOfWork, ticket: Ticket, comment: Comment, actor: Actor, moment: datetime) -> None:
    """What happens when a comment is there for all: the clocks, and the signal. For services only."""
    changes: dict[str, Any] = {"updated_at": moment}
    if comment.author_user_id is not None and not comment.is_internal and ticket.first_response_at is None:
        changes["first_response_at"] = moment
    unit.change(ticket, changes)
    send_comment(unit, ticket, comment, actor)


def publish_due(limit: int = 50) -> int:
    """Publish the answers that nobody can take back any more, one transaction each. Returns how many that were.

    Locks ticket and comment; writes comment, ticket, audit row, and what the receivers of the signal add. An answer
    that cannot be published is put off, so that it holds up no other one.
    """
    if not settings.TICKET_ENABLED:
        return 0
    due = Comment.objects.filter(state=CommentState.HELD, held_until__lte=database_now())
    published = 0
    for pk, ticket_pk in due.order_by("held_until", "id").values_list("pk", "ticket_id")[:limit]:
        try:
            published += _publish(pk, ticket_pk)
        except DatabaseError:
            raise
        except Exception:
            # A receiver may raise anything. The author finds the answer still held.
            logger.exception("comment %s: could not be published", pk, extra={"ticket": ticket_pk})
            later = database_now() + PUT_OFF
            Comment.objects.filter(pk=pk, state=CommentState.HELD).update(held_until=later)
    return published


def _publish(pk: int, ticket_pk: int) -> bool:
    # Closes the race with whoever takes it back, and with a second publisher.
    with in_unit(None) as work:
        ticket = Ticket.objects.select_for_update(no_key=True).filter(pk=ticket_pk).first()
        # As it is now: it may have been taken back, and sent again with other words.
        due = Comment.objects.filter(pk=pk, state=CommentState.HELD, held_until__lte=database_now())
        comment = due.select_related("author_user").first()
        if ticket is None or comment is None or not _leaves_held(comment, CommentState.PUBLISHED):
            return False
        author = comment.author_user
        actor = Actor.of_user(author) if author is not None else Actor.of_system("publishing")
        work.audit(actor=actor, action="comment.published", entity=comment, ticket=ticket, new={"state": "published"})
        tell(work, ticket, comment, actor, database_now())
    return True


def take_back(*, actor: Actor, comment: Comment) -> Comment:
    """Make a held answer a draft of its author again. Locks the ticket; writes comment, search text, audit row.

    Raises Conflict when it is published already, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    # Closes the race with the one who publishes it.
    with in_unit(None) as work:
        ticket = locked(comment.ticket)
        if not _leaves_held(comment, CommentState.DRAFT):
            raise Conflict("It is on its way already and cannot be taken back.")
        text = comment.reply_text or comment.body_text
        row = SearchText.objects.filter(ticket=ticket, kind=SearchKind.COMMENT, text=text).order_by("-id").first()
        if row is not None:
            row.delete()
        work.audit(
            actor=actor,
            action="comment.taken_back",
            entity=comment,
            ticket=ticket,
            old={"state": "held"},
            new={"state": "draft"},
        )
    return comment


def send_draft(*, actor: Actor, comment: Comment, body_text: str, uploads: Sequence[Upload] = ()) -> Comment:
    """Answer with a draft after all, with its files and ``uploads``; it can be taken back again.

    Locks the ticket; writes comment, files, search text, audit row, and what an answer writes that is published at
    once. Raises Conflict when it is no draft any more, ServiceError for an empty text, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    body_text = storable(body_text)
    if not body_text.strip():
        raise ServiceError("An answer needs a text.", field="body_text")
    stored = files.store(uploads)
    until = held_until()
    # Closes the race of two windows that send the same draft: one of them does.
    with in_unit(None) as work:
        ticket = locked(comment.ticket)
        moment = database_now()
        columns = {
            "state": CommentState.HELD if until else CommentState.PUBLISHED,
            "held_until": until,
            "body_text": body_text,
            "reply_text": body_text,
            "created_at": moment,
        }
        if not Comment.objects.filter(pk=comment.pk, state=CommentState.DRAFT).update(**columns):
            raise Conflict("This draft is not there any more.")
        for name, value in columns.items():
            setattr(comment, name, value)
        files.attach(unit=work, ticket=ticket, comment=comment, uploads=stored)
        work.add(SearchText(ticket=ticket, kind=SearchKind.COMMENT, text=body_text))
        work.audit(
            actor=actor,
            action="comment.added",
            entity=comment,
            ticket=ticket,
            new={"internal": False, "source": str(comment.source)},
        )
        if until:
            work.change(ticket, {"updated_at": moment})
        else:
            tell(work, ticket, comment, actor, moment)
    return comment


def discard_draft(*, actor: Actor, comment: Comment) -> None:
    """Throw away a draft with its files. Locks the ticket. Raises Conflict when it is no draft any more."""
    # Closes the race of two windows that use the same draft: one of them throws it away.
    with in_unit(None) as work:
        ticket = locked(comment.ticket)
        row = Comment.objects.filter(pk=comment.pk, state=CommentState.DRAFT).first()
        if row is None:
            raise Conflict("This draft is not there any more.")
        work.audit(actor=actor, action="draft.discarded", entity=row, ticket=ticket, old={"state": "draft"})
        # Not row.delete(), which takes the id that the audit row names.
        Comment.objects.filter(pk=row.pk).delete()


def _leaves_held(comment: Comment, state: CommentState) -> bool:
    """One UPDATE under the old state: the row count says who was first."""
    done = Comment.objects.filter(pk=comment.pk, state=CommentState.HELD).update(state=state, held_until=None)
    if done:
        comment.state, comment.held_until = state, None
    return bool(done)
