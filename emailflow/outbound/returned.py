"""A report about a mail that we sent finds its row of the outbox. Called by ``inbound.apply``, inside its transaction.

By the address it came back to (VERP), then by the returned Message-ID together with the failed recipient, then by a
token of the ticket with the recipient. A row changes only where the report returns something that we alone could have
signed; anybody can write the rest.

A hard bounce and a complaint suppress the address until staff release it, but only with a proof that nobody else in the
thread has: Message-ID and token are known to all who take part, and one of them could cut off another.
"""

from collections.abc import Iterable

from django.utils import timezone

from emailflow.inbound.parsing.bounces.words import in_words
from emailflow.inbound.work import Work
from emailflow.mail import Bounce, Report
from emailflow.models import OutboxState, Outgoing, Suppression
from tickets import tokens
from tickets.actors import Actor
from tickets.services.unit import UnitOfWork

CHANGES = (Report.BOUNCE, Report.COMPLAINT)
MOST_ROWS = 500  # of one ticket
# Only what has left can come back; a mail that a person cancelled afterwards stays cancelled.
CAN_BOUNCE = (OutboxState.SENT, OutboxState.SENDING)


def note_return(work: Work, unit: UnitOfWork) -> None:
    """Mark what ``work`` reports as bounced, and suppress addresses that can never be reached.

    Writes outbox rows at once, suppressions and audit rows into the unit. Nothing for a suspected report, a delay or
    a success.
    """
    bounce = work.mail.bounce
    if bounce is None or bounce.suspected or bounce.report not in CHANGES:
        return
    words = in_words(bounce)
    rows, proven = _find(work, bounce)
    for row in rows:
        hard = bounce.report is Report.COMPLAINT or any(
            one.hard for one in bounce.reports if row.recipient in _lower(one.addresses)
        )
        changed = Outgoing.objects.filter(pk=row.pk, state__in=CAN_BOUNCE).update(
            state=OutboxState.BOUNCED, reason=words, lease_token="", lease_until=None
        )
        if not changed or row.ticket is None:
            continue
        actor = Actor.of_mail(work.message.pk)
        new = {"state": "bounced", "status": bounce.status, "hard": hard}
        unit.audit(actor=actor, action="outgoing.bounced", entity=row, ticket=row.ticket, new=new)
        if hard and proven:
            unit.keep_first(Suppression)
            unit.add(Suppression(address=row.recipient, reason=words[:500], outgoing=row, created_at=timezone.now()))


def _find(work: Work, bounce: Bounce) -> tuple[list[Outgoing], bool]:
    """The rows that it is about, and whether only their recipient's mail server can have written it."""
    rows = Outgoing.objects.select_related("ticket").filter(ticket__isnull=False)
    came_to = {address.key for address in work.mail.recipients}
    numbers = {number for address in came_to for number in tokens.verified_numbers(address)}
    if numbers:
        # Compared here: on its way an address may lose its capitals.
        of_tickets = rows.filter(ticket__ticket_number__in=numbers).order_by("-id")[:MOST_ROWS]
        # An envelope sender without a token is the mailbox itself, which everybody knows.
        by_address = [
            row
            for row in of_tickets
            if row.envelope_from.lower() in came_to and tokens.verified_numbers(row.envelope_from)
        ]
        if by_address:
            return by_address, True
    failed = _lower(address for one in bounce.reports for address in one.addresses)
    failed |= _lower(bounce.feedback.original_recipients) if bounce.feedback else set()
    message_id = bounce.original_message_id
    if failed and tokens.verified_numbers(message_id):
        sent = list(rows.filter(header_message_id=message_id)[:MOST_ROWS])
        by_id = [row for row in sent if row.recipient in failed]
        if by_id:
            # Nobody but the one recipient has seen this Message-ID, and there was no better address to come back to.
            return by_id, len(sent) == 1 and not tokens.verified_numbers(by_id[0].envelope_from)
    marked = [signal.ticket_number for signal in work.signals if signal.rank in (1, 2, 3)]
    if not marked or not failed:
        return [], False
    latest = rows.filter(ticket__ticket_number__in=marked, recipient__in=failed, state__in=CAN_BOUNCE)
    return list(latest.order_by("-id")[:1]), False


def _lower(addresses: Iterable[str]) -> set[str]:
    return {address.lower() for address in addresses}
