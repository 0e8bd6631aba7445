"""What staff do with mail that goes out: send it once more, stop it, let an address have mail again.

Used by the admin and the API. Whether a row is being sent at this moment is decided by one UPDATE under its old state.
"""

from collections.abc import Iterable

from django.db import transaction

from emailflow.models import OutboxKind, OutboxState, Outgoing, Suppression
from tickets import audit
from tickets.actors import Actor
from tickets.clock import database_now
from tickets.errors import Conflict, ServiceError
from tickets.models import CommentState

RETRYABLE = (
    OutboxState.QUEUED,
    OutboxState.FAILED,
    OutboxState.BOUNCED,
    OutboxState.SUPPRESSED,
    OutboxState.CANCELLED,
)
# Also one that failed: somebody has looked, and leaves it.
STOPPABLE = (OutboxState.HELD, OutboxState.QUEUED, OutboxState.FAILED)
_NOW = {
    OutboxState.SENDING: "is being sent right now",
    OutboxState.SENT: "has been sent already",
    OutboxState.HELD: "can still be taken back, and goes by itself when that time is over",
}


def retry(*, actor: Actor, rows: Iterable[Outgoing]) -> int:
    """Put mails into the queue again, due now, with all tries before them. Returns how many; all or none.

    Raises Conflict for one that is being sent or has been, ServiceError for one that nobody may have: its address is
    suppressed, its text was taken back or is internal, or it is an automatic mail that was not to be sent.
    """
    wanted = sorted(rows, key=lambda row: row.pk)
    found = Suppression.objects.filter(address__in={row.recipient for row in wanted})
    suppressed = dict(found.values_list("address", "reason"))
    for row in wanted:
        _check_retry(row, suppressed)
    now = database_now()
    # All or none, each only while no sender has it: the row count of the UPDATE tells.
    with transaction.atomic():
        for row in wanted:
            _change(
                row,
                RETRYABLE,
                state=OutboxState.QUEUED,
                reason="",
                not_before=now,
                attempts=0,
                smtp_code=None,
                last_error="",
            )
            _record(actor, "outgoing.retried", row, OutboxState.QUEUED)
    return len(wanted)


def cancel(*, actor: Actor, rows: Iterable[Outgoing]) -> int:
    """Stop mails that wait, and leave those that failed. Returns how many; all or none.

    Raises Conflict for one that is being sent, or has come to another end.
    """
    wanted = sorted(rows, key=lambda row: row.pk)
    # All or none, each only while no sender has it.
    with transaction.atomic():
        for row in wanted:
            reason = f"Cancelled by {actor.name or 'Hub'}. {row.reason}".strip()
            _change(row, STOPPABLE, state=OutboxState.CANCELLED, reason=reason)
            _record(actor, "outgoing.cancelled", row, OutboxState.CANCELLED)
    return len(wanted)


def release(*, actor: Actor, suppressions: Iterable[Suppression]) -> int:
    """Let addresses have mail again. Returns how many. What was not sent meanwhile stays so until it is retried."""
    wanted = sorted(suppressions, key=lambda row: row.pk)
    # The DELETE tells who was first, so that two clicks write one audit row.
    with transaction.atomic():
        for row in wanted:
            audit.record(
                actor=actor, action="suppression.released", entity=row, old={"since": row.created_at.isoformat()}
            )
            if not Suppression.objects.filter(pk=row.pk).delete()[0]:
                raise Conflict("This address is released already.")
    return len(wanted)


def _check_retry(row: Outgoing, suppressed: dict[str, str]) -> None:
    if row.recipient in suppressed:
        raise ServiceError(
            f"Mail {row.pk}: {row.recipient} gets no mail: {suppressed[row.recipient]} Release the address first."
        )
    if row.state == OutboxState.SUPPRESSED and row.kind == OutboxKind.ACKNOWLEDGEMENT:
        raise ServiceError(f"Mail {row.pk}: an automatic mail that was not to be sent stays so. Answer the ticket.")
    if not row.sender or not row.header_message_id:
        raise ServiceError(f"Mail {row.pk} was never written, so it cannot be sent. Answer the ticket once more.")
    if row.comment is not None and (row.comment.is_internal or row.comment.state != CommentState.PUBLISHED):
        raise ServiceError(f"Mail {row.pk}: its text was taken back or is internal.")


def _change(row: Outgoing, states: tuple[OutboxState, ...], **columns: object) -> None:
    if Outgoing.objects.filter(pk=row.pk, state__in=states).update(**columns):
        return
    state = Outgoing.objects.filter(pk=row.pk).values_list("state", flat=True).first()
    if state is None:
        raise Conflict(f"Mail {row.pk} is not there any more.")
    known = OutboxState(state)
    raise Conflict(f"Mail {row.pk} {_NOW.get(known, f'does not wait: its state is {known.label!r}')}.")


def _record(actor: Actor, action: str, row: Outgoing, state: OutboxState) -> None:
    audit.record(
        actor=actor,
        action=action,
        entity=row,
        ticket_id=row.ticket_id,
        old={"state": str(row.state)},
        new={"state": str(state)},
    )
