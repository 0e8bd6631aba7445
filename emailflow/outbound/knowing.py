"""What ``notify`` must know of a conversation before a mail of it is written. Reads only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.utils import timezone

from emailflow.inbound.house import House
from emailflow.models import Mailbox, Message, Protocol, Suppression, Template
from emailflow.outbound.compose import Identity, Quoted, Thread
from tickets.models import (
    Attachment,
    Comment,
    CommentState,
    EmailLog,
    Participant,
    ParticipantRole,
    ParticipantState,
    Ticket,
)
from tickets.services.unit import UnitOfWork

MAX_REFERENCES = 20
MAX_RECIPIENTS = 50


@dataclass(frozen=True, slots=True)
class Person:
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who gets an answer, from which mailbox, behind which mail."""

    mailbox: Mailbox | None
    thread: Thread
    recipients: tuple[Person, ...]
    quoted: Quoted | None
    attachments: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, ticket: Ticket, comment: Comment, unit: UnitOfWork, house: House) -> Self:
        """Five statements."""
        return cls(
            mailbox=_mailbox_of(ticket, house),
            thread=_thread_of(ticket),
            recipients=tuple(_recipients(ticket, comment, house)),
            quoted=_quoted(ticket, comment),
            attachments=tuple(_files(comment, unit)),
        )


def identity_of(mailbox: Mailbox | None) -> Identity:
    """As whom to write; for a ticket that came by no mailbox, and finds none, as DEFAULT_FROM_EMAIL."""
    if mailbox is None:
        return Identity(settings.DEFAULT_FROM_EMAIL, "", plus_addressing=False, signature="", slug="")
    return Identity(
        address=_address(mailbox) or settings.DEFAULT_FROM_EMAIL,
        name=mailbox.from_name or mailbox.name,
        plus_addressing=mailbox.plus_addressing and bool(_address(mailbox)),
        signature=mailbox.signature,
        slug=mailbox.slug,
    )


def _address(mailbox: Mailbox) -> str:
    return mailbox.from_address or next((str(address) for address in mailbox.addresses), "")


def suppressed(recipients: Sequence[str]) -> dict[str, str]:
    """Address -> why it gets nothing."""
    return dict(Suppression.objects.filter(address__in=recipients).values_list("address", "reason"))


def templates() -> list[Template]:
    return list(Template.objects.all())


def _mailbox_of(ticket: Ticket, house: House) -> Mailbox | None:
    """Where its last mail came in; else the first mailbox that can write."""
    rows = Message.objects.filter(ticket=ticket).exclude(mailbox__protocol=Protocol.BUILTIN)
    last = rows.order_by("-id").values_list("mailbox_id", flat=True).first()
    if last is not None and last in house.mailboxes:
        return house.mailboxes[last]
    able = (box for box in house.mailboxes.values() if box.enabled and not box.archived_at and _address(box))
    return min(able, key=lambda box: box.pk, default=None)


def _thread_of(ticket: Ticket) -> Thread:
    """The mails of the conversation, the last one as what is answered; a stranger's mail is not."""
    rows = EmailLog.objects.filter(ticket=ticket).exclude(comment__is_unverified=True).order_by("-id")
    found = list(rows.values_list("email_message_id", flat=True)[:MAX_REFERENCES])
    ids = [value for value in reversed(found) if not value.endswith("@no-id.invalid>")]
    return Thread(ticket.ticket_number, ticket.subject, ids[-1] if ids else "", tuple(ids[:-1]))


def _recipients(ticket: Ticket, comment: Comment, house: House) -> Iterable[Person]:
    """The requester and who takes part; neither ourselves, nor the one who writes, nor anybody who was refused."""
    rows = list(Participant.objects.filter(ticket=ticket).order_by("id"))
    refused = {row.address for row in rows if row.state == ParticipantState.REFUSED}
    people: dict[str, Person] = {}
    if ticket.contact is not None and "@" in ticket.contact.email:
        people[ticket.contact.email] = Person(ticket.contact.email, ticket.contact.name)
    for row in rows:
        if row.state == ParticipantState.CONFIRMED and row.role != ParticipantRole.WATCHER:
            people.setdefault(row.address, Person(row.address, row.name))
    own = comment.author_user.email.lower() if comment.author_user is not None else ""
    skip = refused | house.addresses | {own}
    return [person for address, person in people.items() if address not in skip][:MAX_RECIPIENTS]


def _quoted(ticket: Ticket, comment: Comment) -> Quoted | None:
    """The last thing that the customer said."""
    said = Comment.objects.filter(
        ticket=ticket,
        is_internal=False,
        is_unverified=False,
        state=CommentState.PUBLISHED,
        author_contact__isnull=False,
        created_at__lte=comment.created_at,
    ).exclude(pk=comment.pk)
    last = said.select_related("author_contact").order_by("-created_at", "-id").first()
    if last is None or last.author_contact is None:
        return None
    author = last.author_contact.name or last.author_contact.email
    return Quoted(author, timezone.localtime(last.created_at), last.reply_text or last.body_text)


def _files(comment: Comment, unit: UnitOfWork) -> Iterable[dict[str, str]]:
    """Of a comment that is written just now they still wait in the unit."""
    waiting = [row for row in unit.queued(Attachment) if row.comment is comment]
    for file in [*Attachment.objects.filter(comment=comment).order_by("id"), *waiting]:
        yield {"sha256": file.sha256, "name": file.name, "mime_type": file.mime_type, "cid": file.cid}
