"""Locks the tickets that a group of mails leads to, in the order of their ids, and reads who takes part."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Exists, OuterRef, Q

from emailflow.inbound.work import Work
from tickets.models import Participant, ParticipantState, Ticket


def leads(work: Work, seen: frozenset[int] = frozenset()) -> Iterable[int]:
    """The ids of all tickets that a mail may end up on; a mail of the same group leads where that one goes."""
    if work.found is not None:
        yield work.found.ticket_id
    if work.own_ticket_id is not None:
        yield work.own_ticket_id
    other = work.parent
    if other is not None and other.message.pk not in seen:
        if other.ticket is not None and other.ticket.pk is not None:
            yield other.ticket.pk
        yield from leads(other, seen | {other.message.pk})
    if work.duplicate_of is not None and work.duplicate_of.ticket_id is not None:
        yield work.duplicate_of.ticket_id


def lock(wanted: set[int]) -> dict[int, Ticket]:
    """The tickets and those they were merged into, locked by id, with the requester."""
    if not wanted:
        return {}
    targets = Ticket.objects.filter(pk__in=wanted, merged_into__isnull=False).values("merged_into")
    refused = Participant.objects.filter(
        ticket=OuterRef("pk"), address=OuterRef("contact__email"), state=ParticipantState.REFUSED
    )
    # Closes the race with staff who merge, close or change the ticket while the mail is filed.
    rows = (
        Ticket.objects.select_for_update(no_key=True, of=("self",))
        .filter(Q(pk__in=wanted) | Q(pk__in=targets))
        .select_related("contact")
        .annotate(requester_refused=Exists(refused))
        .order_by("pk")
    )
    return {row.pk: row for row in rows}


def participants_of(works: Sequence[Work], locked: Mapping[int, Ticket]) -> dict[int, dict[str, str]]:
    """Who takes part, for the tickets where somebody other than the unrefused requester writes."""
    senders = {work.mail.sender.key for work in works if list(leads(work))}
    open_question = [
        ticket.pk
        for ticket in locked.values()
        if ticket.contact is None or ticket.requester_refused or senders != {ticket.contact.email}  # type: ignore[attr-defined]
    ]
    if not open_question:
        return {}
    return read_participants(open_question)


def read_participants(tickets: Collection[int]) -> dict[int, dict[str, str]]:
    """Ticket -> address -> state. One statement."""
    found: dict[int, dict[str, str]] = {pk: {} for pk in tickets}
    rows = Participant.objects.filter(ticket__in=tickets).values_list("ticket_id", "address", "state")
    for ticket_id, address, state in rows:
        found[ticket_id][address] = state
    return found
