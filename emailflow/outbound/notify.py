"""Decides who hears of what, and writes the rows of the outbox into the unit of work of what caused them.

An answer of staff goes to the requester and to whoever takes part; somebody who opens a ticket by mail hears its
number. Whatever is not sent is a row that says why. Nothing here opens a socket, and a broken template becomes a
failed row, never a lost ticket.
"""

import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from emailflow.inbound.house import House, our_house
from emailflow.models import Channel, Mailbox, OutboxKind, OutboxState, Outgoing
from emailflow.outbound import guard, knowing, templates
from emailflow.outbound.compose import Composed, Quoted, Thread, compose
from emailflow.outbound.failing import not_sent_note
from tickets.actors import Actor
from tickets.clock import database_now
from tickets.errors import ServiceError
from tickets.models import Comment, Contact, Ticket, User
from tickets.services.unit import Collector, UnitOfWork
from tickets.sql.insert import insert

logger = logging.getLogger(__name__)

KEY_SPACE = 10**9  # of what tells the bounces of two recipients of one ticket apart


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket that a mail has opened. ``refusal``: why its sender hears nothing, or ''."""

    ticket: Ticket
    message_pk: int
    mailbox: Mailbox
    recipient: str
    recipient_name: str
    message_id: str
    references: tuple[str, ...]
    refusal: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row before the guard has looked at it."""

    kind: OutboxKind
    ticket: Ticket
    comment: Comment | None
    mailbox: Mailbox | None
    recipient: str
    recipient_name: str
    thread: Thread
    key: str
    dedupe_key: str
    automatic: bool
    refusal: str = ""
    message: str = ""
    author: User | None = None
    quoted: Quoted | None = None
    attachments: Sequence[dict[str, str]] = ()
    language: str = ""


class Notices(Collector):
    """What one unit of work has to tell; rows are made for all of it at once, with few statements."""

    def __init__(self) -> None:
        self._opened: list[Opened] = []
        self._answers: list[tuple[Ticket, Comment]] = []

    def opened(self, opened: Opened) -> None:
        self._opened.append(opened)

    def answered(self, ticket: Ticket, comment: Comment) -> None:
        """A public message of staff. ``ticket`` is locked, the comment has its id."""
        self._answers.append((ticket, comment))

    def rows(self, unit: UnitOfWork) -> Iterable[Outgoing]:
        house = our_house()
        drafts = [*map(_acknowledgement, self._opened), *self._replies(unit, house)]
        if not drafts:
            return []
        unit.keep_first(Outgoing)
        now = database_now()
        recipients = sorted({draft.recipient for draft in drafts})
        suppressed = knowing.suppressed(recipients)
        counts = guard.counts_of(recipients, now)
        words = knowing.templates()
        rows = []
        for draft in drafts:
            reason = draft.refusal or guard.may_send(
                recipient=draft.recipient,
                suppressed=suppressed,
                counts=counts,
                automatic=draft.automatic,
                ours=house.addresses,
                acknowledgement=draft.kind == OutboxKind.ACKNOWLEDGEMENT,
            )
            row = _row(draft, reason, words, now)
            rows.append(row)
            if draft.kind == OutboxKind.REPLY and row.state != OutboxState.QUEUED:
                _tell_staff(unit, draft, row)
            if not reason:
                counts.add(draft.recipient, automatic=draft.automatic)
        return rows

    def _replies(self, unit: UnitOfWork, house: House) -> Iterator[_Draft]:
        for ticket, comment in self._answers:
            known = knowing.Conversation.of(ticket, comment, unit, house)
            for person in known.recipients:
                yield _Draft(
                    kind=OutboxKind.REPLY,
                    ticket=ticket,
                    comment=comment,
                    mailbox=known.mailbox,
                    recipient=person.address,
                    recipient_name=person.name,
                    thread=known.thread,
                    key=str(comment.pk),
                    dedupe_key=f"comment:{comment.pk}:{person.address}",
                    automatic=False,
                    message=comment.body_text,
                    author=comment.author_user,
                    quoted=known.quoted,
                    attachments=known.attachments,
                    language=_language(ticket.contact),
                )


def _tell_staff(unit: UnitOfWork, draft: _Draft, row: Outgoing) -> None:
    """A note in the thread: it must not look answered when nobody was reached."""
    reason = row.reason or row.last_error
    comment = not_sent_note(draft.ticket, draft.recipient, reason)
    insert([comment])
    unit.audit(
        actor=Actor.of_system("outbox"),
        action="comment.added",
        entity=comment,
        ticket=draft.ticket,
        new={"internal": True, "source": str(comment.source)},
    )


def _acknowledgement(opened: Opened) -> _Draft:
    return _Draft(
        kind=OutboxKind.ACKNOWLEDGEMENT,
        ticket=opened.ticket,
        comment=None,
        mailbox=opened.mailbox,
        recipient=opened.recipient,
        recipient_name=opened.recipient_name,
        thread=Thread(opened.ticket.ticket_number, opened.ticket.subject, opened.message_id, opened.references),
        key=f"a{opened.message_pk}",
        dedupe_key=f"ack:{opened.message_pk}",
        automatic=True,
        refusal=opened.refusal,
        language=_language(opened.ticket.contact),
    )


def _language(contact: Contact | None) -> str:
    return (contact.language if contact is not None else "") or settings.LANGUAGE_CODE


def _row(draft: _Draft, reason: str, words: Sequence[templates.TemplateRow], now: datetime) -> Outgoing:
    row = Outgoing(
        channel=Channel.MAIL,
        kind=draft.kind,
        mailbox=draft.mailbox,
        ticket=draft.ticket,
        comment=draft.comment,
        author=draft.author,
        dedupe_key=draft.dedupe_key,
        recipient=draft.recipient,
        recipient_name=draft.recipient_name,
        attachments=list(draft.attachments),
        state=OutboxState.SUPPRESSED if reason else OutboxState.QUEUED,
        reason=reason,
        not_before=now,
        created_at=now,
    )
    try:
        written = _written(draft, words)
    except Exception as error:  # no table is touched here: a broken template must cost a mail, not a ticket
        known = isinstance(error, ServiceError)
        number = draft.ticket.ticket_number
        logger.error("ticket %s: a mail could not be written: %s", number, error, exc_info=not known)
        row.state = OutboxState.SUPPRESSED if reason else OutboxState.FAILED
        row.last_error = str(error) if known else f"{type(error).__name__}: {error}"
        return row
    for name in Composed.__slots__:
        setattr(row, name, getattr(written, name))
    return row


def _written(draft: _Draft, words: Sequence[templates.TemplateRow]) -> Composed:
    identity = knowing.identity_of(draft.mailbox)
    chosen = templates.choose(words, str(draft.kind), draft.language, draft.mailbox.pk if draft.mailbox else None)
    author = draft.author
    values = {
        "agent_name": (author.get_full_name() or author.get_username()) if author is not None else "",
        "customer_name": draft.recipient_name or draft.recipient,
        "mailbox_name": identity.name,
        "message": draft.message,
        "subject": draft.ticket.subject,
        "ticket_number": draft.ticket.ticket_number,
    }
    return compose(
        kind=str(draft.kind),
        identity=identity,
        thread=draft.thread,
        key=draft.key,
        outgoing_key=str(secrets.randbelow(KEY_SPACE)),
        body=templates.render(chosen.body, values),
        subject=templates.render(chosen.subject, values),
        agent_signature=author.signature if author is not None else "",
        quoted=draft.quoted,
        automatic=draft.automatic,
        language=chosen.language,
    )
