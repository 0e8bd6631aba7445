"""What staff do with mails in the ledger: run them again, ignore them, make a ticket of them."""

from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from emailflow.inbound.claim import claim_one
from emailflow.inbound.pipeline import process_by_hand
from emailflow.models import Message, Outcome, State
from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError, TicketsAreOff

RESTING = (State.PROCESSED, State.FAILED, State.WAITING, State.RECEIVED)


def reprocess(*, actor: Actor, messages: Iterable[Message]) -> int:
    """Start a new run of these mails with today's rules; the next worker takes them. Returns how many.

    A reprocessed mail is no longer live: nobody gets an automatic mail about it. Raises ServiceError when the
    raw mail is not kept, Conflict when a worker has one of them right now; then none is started.
    """
    wanted = list(messages)
    for message in wanted:
        if not message.raw_kept:
            raise ServiceError(f"Mail {message.pk}: its raw form is not kept any more, so it cannot be run again.")
    # All or none, each only while no worker has it: the row count of the UPDATE tells.
    with transaction.atomic():
        for message in wanted:
            _restart(message)
            audit.record(
                actor=actor,
                action="mail.reprocessed",
                entity=message,
                ticket_id=message.ticket_id,
                old={"state": str(message.state), "outcome": str(message.outcome)},
            )
    return len(wanted)


def _restart(message: Message) -> None:
    changed = Message.objects.filter(pk=message.pk, state__in=RESTING).update(
        state=State.RECEIVED,
        outcome=Outcome.NONE,
        live=False,
        run=F("run") + 1,
        attempts=0,
        waits=0,
        alone=False,
        next_attempt_at=Now(),
        lease_token="",
        last_error="",
        trouble_since=None,
    )
    if not changed:
        raise Conflict(f"Mail {message.pk} is being processed right now.")


def ignore(*, actor: Actor, messages: Iterable[Message]) -> int:
    """Staff have looked: these mails need no ticket. Returns how many. Raises ServiceError for one on a ticket."""
    wanted = list(messages)
    for message in wanted:
        if message.ticket_id is not None:
            raise ServiceError(f"Mail {message.pk} belongs to a ticket and cannot be ignored.")
    # All or none, each only while no worker has it.
    with transaction.atomic():
        for message in wanted:
            changed = Message.objects.filter(pk=message.pk, state__in=RESTING, ticket=None).update(
                state=State.PROCESSED, outcome=Outcome.IGNORED, last_error=""
            )
            if not changed:
                raise Conflict(f"Mail {message.pk} is being processed right now.")
            audit.record(
                actor=actor,
                action="mail.ignored",
                entity=message,
                old={"state": str(message.state), "outcome": str(message.outcome)},
                new={"outcome": "ignored"},
            )
    return len(wanted)


def make_ticket(*, actor: Actor, message: Message) -> Message:
    """Open a ticket for a mail that no rule took, or link it where threading says. Returns the mail's row.

    Raises TicketsAreOff, ServiceError for a mail on a ticket or without its raw form, Conflict when a worker
    has it right now.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    if message.ticket_id is not None:
        raise ServiceError(f"Mail {message.pk} already belongs to a ticket.")
    # Started and claimed in one commit: no worker comes in between and runs the rules instead.
    with transaction.atomic():
        reprocess(actor=actor, messages=[message])
        claim = claim_one(message.pk)
        if not claim.messages:
            raise Conflict(f"Mail {message.pk} is being processed right now.")
    process_by_hand(claim, actor)
    return Message.objects.select_related("ticket", "mailbox").get(pk=message.pk)
