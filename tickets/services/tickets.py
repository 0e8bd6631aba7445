"""Opening and changing tickets. The only writer of tickets."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from tickets import audit
from tickets.actors import Actor
from tickets.errors import ServiceError, TicketsAreOff
from tickets.models import (
    Comment,
    Contact,
    Customer,
    Participant,
    ParticipantRole,
    ParticipantState,
    Priority,
    SearchKind,
    SearchText,
    Source,
    Status,
    Team,
    Ticket,
    TicketTag,
    User,
)
from tickets.services import files
from tickets.services.comments import write_comment
from tickets.services.files import Upload
from tickets.services.unit import UnitOfWork, in_unit, locked, send_changed, send_opened
from tickets.storable import storable, storable_json

MAX_TAG = 60


def open_ticket(
    *,
    actor: Actor,
    subject: str,
    source: str,
    description: str = "",
    body_text: str = "",
    body_html: str = "",
    reply_text: str | None = None,
    is_internal: bool = False,
    is_unverified: bool = False,
    sender_verdict: str = "",
    remarks: Sequence[str] = (),
    priority: str | None = None,
    category: str = "",
    customer: Customer | None = None,
    contact: Contact | None = None,
    author_user: User | None = None,
    assigned_to_user: User | None = None,
    assigned_team: Team | None = None,
    tags: Iterable[str] = (),
    custom_fields: Mapping[str, Any] | None = None,
    participants: Sequence[Participant] = (),
    uploads: Sequence[Upload] = (),
    message_at: datetime | None = None,
    unit: UnitOfWork | None = None,
) -> Ticket:
    """Open a ticket with its first message.

    Writes ticket, number, comment, participants, tags, files, search texts, audit rows. The contact becomes
    the confirmed requester; the ticket gets the contact's customer unless another is named. Within ``unit``
    the ticket has its id and number only after the flush. Raises ServiceError naming the field, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    moment = timezone.now()
    values = _checked(
        {
            "priority": priority or settings.TICKET_DEFAULT_PRIORITY,
            "source": source,
            "subject": subject,
            "category": category,
            "custom_fields": custom_fields or {},
        }
    )
    description, body_text, body_html = storable(description), storable(body_text), storable(body_html)
    assigned_to_user = assigned_to_user or default_assignee()
    _check_assignee(assigned_to_user)
    names = clean_tags(tags)
    stored = files.store(uploads)
    with in_unit(unit) as work:
        ticket = Ticket(
            subject=values["subject"],
            description=description or body_text,
            status=Status.OPEN,
            priority=values["priority"],
            category=values["category"],
            source=source,
            customer_id=customer.pk if customer else contact.customer_id if contact else None,
            contact=contact,
            assigned_to_user=assigned_to_user,
            assigned_team=assigned_team,
            custom_fields=values["custom_fields"],
            created_at=moment,
            updated_at=moment,
        )
        work.open(ticket)
        if names:
            work.tag(ticket, names)
        comment = Comment(
            ticket=ticket,
            author_contact=contact if author_user is None else None,
            author_user=author_user,
            body_text=body_text or description,
            reply_text=(body_text or description) if reply_text is None else storable(reply_text),
            body_html=body_html,
            is_internal=is_internal,
            is_unverified=is_unverified,
            sender_verdict=sender_verdict,
            source=source,
            remarks=list(remarks),
            created_at=message_at or moment,
        )
        write_comment(work, ticket=ticket, comment=comment, actor=actor, uploads=stored)
        _add_participants(work, ticket, contact, participants)
        if ticket.subject:
            work.add(SearchText(ticket=ticket, kind=SearchKind.SUBJECT, text=ticket.subject))
        new = _for_audit(ticket, names)
        # Late: a contact that this unit makes has no id yet.
        work.add_late(
            lambda: audit.entry(
                actor=actor,
                action="ticket.opened",
                entity=ticket,
                ticket_id=ticket.pk,
                new=new | {"contact": contact.pk if contact else None},
            )
        )
        send_opened(work, ticket, comment, actor)
    return ticket


def _add_participants(unit: UnitOfWork, ticket: Ticket, contact: Contact | None, others: Sequence[Participant]) -> None:
    if contact is not None:
        unit.add(
            Participant(
                ticket=ticket,
                address=contact.email,
                name=contact.name,
                role=ParticipantRole.REQUESTER,
                state=ParticipantState.CONFIRMED,
                added_by="opened the ticket",
                created_at=ticket.created_at,
            )
        )
    for other in others:
        if contact is None or other.address != contact.email:
            other.ticket = ticket
            unit.add(other)


def _for_audit(ticket: Ticket, tags: Sequence[str]) -> dict[str, Any]:
    return {
        "status": str(ticket.status),
        "priority": str(ticket.priority),
        "source": str(ticket.source),
        "customer": ticket.customer_id,
        "assigned_to_user": ticket.assigned_to_user_id,
        "assigned_team": ticket.assigned_team_id,
        "tags": list(tags),
    }


def change_ticket(
    *, actor: Actor, ticket: Ticket, changes: Mapping[str, Any], unit: UnitOfWork | None = None
) -> Ticket:
    """Set fields of a ticket: those of ``CHANGEABLE``, and ``tags`` (all of them, a list of names).

    Writes only what differs, the dates that follow from the status, an audit row. Without ``unit``: one
    transaction, the ticket row locked. Raises ServiceError naming the field, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    wanted = dict(changes)
    tags = wanted.pop("tags", None)
    values = _checked(wanted)
    with in_unit(unit) as work:
        if unit is None:
            # Closes the race between two changes: the second compares with what the first has written.
            ticket = locked(ticket)
        old = {name: getattr(ticket, _column(name)) for name in values}
        new = {name: _plain(value) for name, value in values.items()}
        differs = {name for name in values if old[name] != new[name]}
        if "assigned_to_user" in differs:
            _check_assignee(values["assigned_to_user"])
        tag_change = _set_tags(work, ticket, tags) if tags is not None else None
        if not differs and not tag_change:
            return ticket
        fields: dict[str, Any] = {"updated_at": timezone.now()}
        for name in differs:
            fields[_column(name) if not isinstance(values[name], models.Model) else name] = values[name]
        if "status" in differs:
            fields |= _dates_of_status(ticket, values["status"])
        if "subject" in differs:
            _search_subject(work, ticket, values["subject"])
        work.change(ticket, fields)
        before = {name: _audited(name, old[name]) for name in differs}
        after = {name: _audited(name, new[name]) for name in differs}
        if tag_change:
            before["tags"], after["tags"] = tag_change
        work.audit(actor=actor, action="ticket.changed", entity=ticket, ticket=ticket, old=before, new=after)
        send_changed(work, ticket, before, after, actor)
    return ticket


def add_tags(*, actor: Actor, ticket: Ticket, names: Iterable[str], unit: UnitOfWork | None = None) -> None:
    """Add tags, keep those that are there.

    Writes the new ones, the ticket's ``updated_at`` and an audit row; nothing when all are there. Without ``unit``:
    one transaction, the ticket row locked. Raises ServiceError for a word that cannot be a tag, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    cleaned = clean_tags(names)
    if not cleaned:
        return
    with in_unit(unit) as work:
        if unit is None:
            # Closes the race with another change of the same ticket: what both add is noted once.
            ticket = locked(ticket)
        there = work.tags_of(ticket)
        if ticket.pk is not None:
            there |= set(TicketTag.objects.filter(ticket=ticket.pk).values_list("tag__name", flat=True))
        added = tuple(name for name in cleaned if name not in there)
        if not added:
            return
        work.tag(ticket, added)
        if ticket.pk is not None:
            work.change(ticket, {"updated_at": timezone.now()})
        work.audit(actor=actor, action="ticket.tagged", entity=ticket, ticket=ticket, new={"tags": list(added)})
        send_changed(work, ticket, {"tags": sorted(there)}, {"tags": sorted({*there, *added})}, actor)


def clean_tags(names: Iterable[str]) -> tuple[str, ...]:
    """Lower case, no #, no spaces, each once, in order. Raises ServiceError for one that cannot be a tag."""
    cleaned = []
    for name in names:
        tag = re.sub(r"\s+", "-", str(name).strip().lstrip("#").strip()).lower()
        if not tag:
            continue
        if len(tag) > MAX_TAG or re.search(r"[^\w\-./+]", tag):
            raise ServiceError(f"'{name}' cannot be a tag: letters, digits, - _ . / + only.", field="tags")
        cleaned.append(tag)
    return tuple(dict.fromkeys(cleaned))


def _set_tags(unit: UnitOfWork, ticket: Ticket, names: Iterable[str]) -> tuple[list[str], list[str]] | None:
    wanted = clean_tags(names)
    rows = {row.tag.name: row.pk for row in TicketTag.objects.filter(ticket=ticket.pk).select_related("tag")}
    if set(rows) == set(wanted):
        return None
    gone = [pk for name, pk in rows.items() if name not in wanted]
    if gone:
        TicketTag.objects.filter(pk__in=gone).delete()
    added = tuple(name for name in wanted if name not in rows)
    if added:
        unit.tag(ticket, added)
    return sorted(rows), sorted(wanted)


def _search_subject(unit: UnitOfWork, ticket: Ticket, subject: str) -> None:
    if ticket.pk is None:
        unit.forget(lambda row: isinstance(row, SearchText) and row.ticket is ticket and row.kind == SearchKind.SUBJECT)
    else:
        SearchText.objects.filter(ticket=ticket.pk, kind=SearchKind.SUBJECT).delete()
    if subject:
        unit.add(SearchText(ticket=ticket, kind=SearchKind.SUBJECT, text=subject))


def _dates_of_status(ticket: Ticket, status: str) -> dict[str, Any]:
    moment = timezone.now()
    if status == Status.RESOLVED:
        return {"resolved_at": moment, "closed_at": None}
    if status == Status.CLOSED:
        return {"resolved_at": ticket.resolved_at or moment, "closed_at": moment}
    return {"resolved_at": None, "closed_at": None}


def _column(name: str) -> str:
    field = Ticket._meta.get_field(name)
    return str(getattr(field, "attname", name))


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, models.Model) else value


def _audited(name: str, value: Any) -> Any:
    """No texts in the audit log: of a text only that it changed, of custom fields their names."""
    if name in {"subject", "description"}:
        return "(text)"
    if name == "custom_fields":
        return sorted(value or {})
    return _plain(value) if value is None or isinstance(value, int) else str(value)


def default_assignee() -> User | None:
    """TICKET_AUTO_ASSIGN: the configured user while active; a missing one leaves the ticket unassigned."""
    if not settings.TICKET_AUTO_ASSIGN or settings.TICKET_DEFAULT_ASSIGNEE_ID is None:
        return None
    return User.objects.filter(pk=settings.TICKET_DEFAULT_ASSIGNEE_ID, is_active=True).first()


def _check_assignee(user: User | None) -> None:
    if user is not None and not user.is_active:
        raise ServiceError(f"{user} is not an active user.", field="assigned_to_user")


def _one_of(choices: Sequence[str], field: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ServiceError(f"'{value}' is not one of {', '.join(choices)}.", field=field)
        return str(value)

    return check


def _text(field: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ServiceError("This must be a text.", field=field)
        text = storable(value)
        return " ".join(text.split()) if field == "subject" else text

    return check


def _row(model: type[models.Model], field: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None or isinstance(value, model):
            return value
        found = model._default_manager.filter(pk=value).first() if isinstance(value, int) else None
        if found is None:
            raise ServiceError(f"There is no {model._meta.verbose_name} {value}.", field=field)
        return found

    return check


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ServiceError("This must be an object with names and values.", field="custom_fields")
    try:
        cleaned: dict[str, Any] = storable_json(value)
    except (TypeError, ValueError) as error:
        raise ServiceError(f"This cannot be kept: {error}.", field="custom_fields") from error
    return cleaned


CHANGEABLE: dict[str, Callable[[Any], Any]] = {
    "subject": _text("subject"),
    "status": _one_of(Status.values, "status"),
    "priority": _one_of(Priority.values, "priority"),
    "category": _text("category"),
    "customer": _row(Customer, "customer"),
    "contact": _row(Contact, "contact"),
    "assigned_to_user": _row(User, "assigned_to_user"),
    "assigned_team": _row(Team, "assigned_team"),
    "custom_fields": _mapping,
}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks = CHANGEABLE | {"source": _one_of(Source.values, "source")}
    result = {}
    for name, value in values.items():
        if name not in checks:
            raise ServiceError(f"'{name}' is not a field of a ticket that can be changed.", field=name)
        result[name] = checks[name](value)
    return result
