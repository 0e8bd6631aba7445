"""Takes mails from a source, as bytes or as files, and makes them durable: blob, then row, then commit.

Knows nothing of tickets. Only when these functions return may a source say "done" to its server.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from emailflow.inbound.parsing.headers import HeaderBlock, decode_words, message_id, one_line, parse_date, split_message
from emailflow.models import Delivery, DeliveryState, Mailbox, Message, State
from tickets import blobs

OLD_MAIL = timedelta(hours=12)
# Of a mail in a file, only this much is read for the row.
HEAD_BYTES = 1024 * 1024
NOT_LIVE = frozenset({"import"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One mail as a source hands it over: ``raw``, or where the whole of it stands in a file.

    The file stays where it is. ``live`` None: decided by age and mailbox.
    """

    raw: bytes | None = field(repr=False)
    mailbox: Mailbox
    received_at: datetime | None = None
    live: bool | None = None
    path: Path | None = None

    @property
    def size(self) -> int:
        return self.file().stat().st_size if self.raw is None else len(self.raw)

    def head(self) -> bytes:
        """The bytes that hold the headers; the whole mail where it is in memory anyway."""
        if self.raw is not None:
            return self.raw
        with self.file().open("rb") as stream:
            return stream.read(HEAD_BYTES)

    def file(self) -> Path:
        if self.path is None:
            raise ValueError("a mail needs its bytes or its file")
        return self.path


@dataclass(frozen=True, slots=True)
class Stored:
    message: Message
    new: bool


def receive_bytes(
    raw: bytes, *, mailbox: Mailbox, received_at: datetime | None = None, live: bool | None = None
) -> Stored:
    """Store one mail. Raises OSError (disk) or DatabaseError; then nothing was stored."""
    return receive_many([Incoming(raw, mailbox, received_at, live)])[0]


def receive_file(
    path: Path, *, mailbox: Mailbox, received_at: datetime | None = None, live: bool | None = None
) -> Stored:
    """Store the mail that stands in a file, without reading it into memory. Raises as ``receive_bytes``."""
    return receive_many([Incoming(None, mailbox, received_at, live, path)])[0]


def receive_many(mails: Sequence[Incoming], *, deliveries: Sequence[Delivery] = ()) -> list[Stored]:
    """Store mails; the same bytes in one mailbox are one row, however often they come.

    Writes the blobs (synced), then in one transaction the ``email_messages`` rows and the state of the
    deliveries that brought them (one a mail, in their order, or none). Raises OSError (disk) or DatabaseError;
    then nothing was stored.
    """
    if not mails:
        return []
    hashes = _store(mails)
    rows = [_row(mail, sha256) for mail, sha256 in zip(mails, hashes, strict=True)]
    # Mail and delivery in one commit: a delivery is never "stored" without its mail, nor asked for twice.
    with transaction.atomic():
        known = _known(rows)
        fresh: dict[tuple[int, str], Message] = {}
        for row in rows:
            # In the order in which they came: that is the order in which they are filed.
            if _key(row) not in known:
                fresh.setdefault(_key(row), row)
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


def _store(mails: Sequence[Incoming]) -> list[str]:
    raws = [mail.raw for mail in mails if mail.raw is not None]
    # Together, each folder is synced once.
    in_memory = iter(blobs.put_many(raws))
    return [blobs.put_file(mail.file()) if mail.raw is None else next(in_memory) for mail in mails]


def _key(row: Message) -> tuple[int, str]:
    return row.mailbox_id, row.sha256


def _known(rows: Sequence[Message]) -> dict[tuple[int, str], Message]:
    found = Message.objects.filter(
        mailbox_id__in={row.mailbox_id for row in rows}, sha256__in={row.sha256 for row in rows}
    )
    return {_key(row): row for row in found}


def _row(mail: Incoming, sha256: str) -> Message:
    now = timezone.now()
    block, _ = split_message(mail.head(), outer=True)
    received = mail.received_at or received_at(block) or now
    if mail.live is None:
        live = mail.mailbox.slug not in NOT_LIVE and now - received < OLD_MAIL
    else:
        live = mail.live
    return Message(
        mailbox=mail.mailbox,
        sha256=sha256,
        size=mail.size,
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


def received_at(block: HeaderBlock) -> datetime | None:
    """When our own server got it, by its line: the topmost (RFC 5321 section 4.4)."""
    line = block.first("Received")
    return parse_date(line.rpartition(";")[2]) if line else None


def _mark_deliveries(deliveries: Sequence[Delivery], stored: Sequence[Stored]) -> None:
    if not deliveries:
        return
    for delivery, result in zip(deliveries, stored, strict=True):
        delivery.message = result.message
        delivery.state = DeliveryState.STORED
        delivery.last_error = ""
    Delivery.objects.bulk_update(deliveries, ["message", "state", "last_error"])
