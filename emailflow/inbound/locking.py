"""Locks the tickets that a group of mails leads to, in the order of their ids, and reads who takes part."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection

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


# One set of ids: with OR between two, PostgreSQL looks at every ticket there is.
_LOCK = """
SELECT ticket.id, EXISTS (
    SELECT 1 FROM tticket_participants who JOIN contacts ON contacts.id = ticket.contact_id
    WHERE who.ticket_id = ticket.id AND who.address = contacts.email AND who.state = %s
)
FROM tticket_tickets ticket
WHERE ticket.id IN (
    SELECT id FROM tticket_tickets WHERE id IN ({marks})
    UNION SELECT merged_into_id FROM tticket_tickets WHERE id IN ({marks}) AND merged_into_id IS NOT NULL
)
ORDER BY ticket.id {for_update}
"""


def lock(wanted: set[int]) -> dict[int, Ticket]:
    """The tickets and those they were merged into, locked by id, with the requester."""
    if not wanted:
        return {}
    ids = sorted(wanted)
    for_update = "FOR NO KEY UPDATE OF ticket" if connection.vendor == "postgresql" else ""
    sql = _LOCK.format(marks=", ".join(["%s"] * len(ids)), for_update=for_update)
    # Closes the race with staff who merge, close or change the ticket while the mail is filed.
    with connection.cursor() as cursor:
        cursor.execute(sql, [ParticipantState.REFUSED.value, *ids, *ids])
        refused = dict(cursor.fetchall())
    rows = Ticket.objects.filter(pk__in=refused).select_related("contact").order_by("pk")
    for row in rows:
        row.requester_refused = bool(refused[row.pk])  # type: ignore[attr-defined]
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
