"""Takes the bytes of mails from a source and makes them durable: blob, then row, then commit.

Knows nothing of tickets. Only when these functions return may a source say "done" to its server.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from emailflow.inbound.parsing.headers import decode_words, message_id, one_line, parse_date, split_message
from emailflow.models import Delivery, DeliveryState, Mailbox, Message, State
from tickets import blobs

OLD_MAIL = timedelta(hours=12)
NOT_LIVE = frozenset({"import"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One mail as a source hands it over. ``live`` None: decided by age and mailbox."""

    raw: bytes = field(repr=False)
    mailbox: Mailbox
    received_at: datetime | None = None
    live: bool | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    message: Message
    new: bool


def receive_bytes(
    raw: bytes, *, mailbox: Mailbox, received_at: datetime | None = None, live: bool | None = None
) -> Stored:
    """Store one mail. Raises OSError (disk) or DatabaseError; then nothing was stored."""
    return receive_many([Incoming(raw, mailbox, received_at, live)])[0]


def receive_many(mails: Sequence[Incoming], *, deliveries: Sequence[Delivery] = ()) -> list[Stored]:
    """Store mails; the same bytes in one mailbox are one row, however often they come.

    Writes the blobs (synced), then in one transaction the ``email_messages`` rows and the state of the
    deliveries that brought them (one a mail, in their order, or none). Raises OSError (disk) or DatabaseError;
    then nothing was stored.
    """
    if not mails:
        return []
    hashes = blobs.put_many(mail.raw for mail in mails)
    rows = [_row(mail, sha256) for mail, sha256 in zip(mails, hashes, strict=True)]
    # Mail and delivery in one commit: a delivery is never "stored" without its mail, nor asked for twice.
    with transaction.atomic():
        known = _known(rows)
        fresh = {_key(row): row for row in reversed(rows) if _key(row) not in known}
        if fresh:
            # Another process may store the same mail now: the conflict returns its row instead of an error.
            Message.objects.bulk_create(
                list(fresh.values()),
                update_conflicts=True,
                update_fields=["size"],
                unique_fields=["mailbox", "sha256"],
            )
        stored = [Stored(known.get(_key(row)) or fresh[_key(row)], _key(row) not in known) for row in rows]
        _mark_deliveries(deliveries, stored)
    return stored


def _key(row: Message) -> tuple[int, str]:
    return row.mailbox_id, row.sha256


def _known(rows: Sequence[Message]) -> dict[tuple[int, str], Message]:
    found = Message.objects.filter(
        mailbox_id__in={row.mailbox_id for row in rows}, sha256__in={row.sha256 for row in rows}
    )
    return {_key(row): row for row in found}


def _row(mail: Incoming, sha256: str) -> Message:
    now = timezone.now()
    block, _ = split_message(mail.raw, outer=True)
    received = mail.received_at or _received(block.all("Received")) or now
    if mail.live is None:
        live = mail.mailbox.slug not in NOT_LIVE and now - received < OLD_MAIL
    else:
        live = mail.live
    return Message(
        mailbox=mail.mailbox,
        sha256=sha256,
        size=len(mail.raw),
        message_id=message_id(block.first("Message-ID")),
        subject=one_line(decode_words(block.first("Subject")))[:500],
        from_address=one_line(decode_words(block.first("From")))[:320],
        received_at=min(received, now),
        stored_at=now,
        live=live,
        state=State.RECEIVED,
        # The database's clock: the claim compares with it, and hosts' clocks differ.
        next_attempt_at=Now(),
    )


def _received(values: Sequence[str]) -> datetime | None:
    """The date of our own server's line: the topmost (RFC 5321 section 4.4)."""
    return parse_date(values[0].rpartition(";")[2]) if values else None


def _mark_deliveries(deliveries: Sequence[Delivery], stored: Sequence[Stored]) -> None:
    if not deliveries:
        return
    for delivery, result in zip(deliveries, stored, strict=True):
        delivery.message = result.message
        delivery.state = DeliveryState.STORED
        delivery.last_error = ""
    Delivery.objects.bulk_update(deliveries, ["message", "state", "last_error"])
