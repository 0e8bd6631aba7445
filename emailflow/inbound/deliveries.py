"""The ledger of what a source offered, and the cursor that says how far it was read.

Written by ``emailflow.inbound.pull`` only, under the mailbox lease. A row becomes ``stored`` elsewhere:
in the transaction of ``emailflow.inbound.receive`` that writes the mail's row.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils import timezone

from emailflow.inbound.parsing.headers import split_message
from emailflow.inbound.receive import received_at
from emailflow.models import AfterRead, Delivery, DeliveryState, Mailbox, MailboxCursor, StartPolicy
from emailflow.sources.base import Offer, Position, Source
from tickets.clock import database_now

TRIES = 5
# The server's clock and ours differ: when its UIDs change, mail of these minutes is rather looked at twice.
CLOCKS_DIFFER = timedelta(minutes=5)
_CHUNK = 500
# What we deleted and is offered again was not deleted, or is another mail under an old name: its bytes tell.
_WANTED = (DeliveryState.SEEN, DeliveryState.DELETED)


class Ledger:
    """Cursor and deliveries of one source of one mailbox."""

    def __init__(self, mailbox: Mailbox, cursor: MailboxCursor) -> None:
        self.mailbox = mailbox
        self.cursor = cursor
        self.left_alone = 0
        """How many mails the start policy left out, when this was the first connect and they were counted."""

    @property
    def position(self) -> Position:
        return Position(self.cursor.watermark, self.cursor.start_uid, self.cursor.start_after)

    def not_final(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those of at most 500 offers that still want something: all that is not stored, set aside or skipped."""
        settled = self._own().exclude(state__in=_WANTED).filter(uid__in=[offer.uid for offer in offers])
        known = set(settled.values_list("uid", flat=True))
        return [offer for offer in offers if offer.uid not in known]

    def note(self, offers: Sequence[Offer]) -> dict[str, Delivery]:
        """The rows of these offers by UID; new ones are written as ``seen``, before anything is fetched."""
        uids = [offer.uid for offer in offers]
        rows = self._rows(uids)
        self._begin_again([row for row in rows.values() if row.state == DeliveryState.DELETED])
        missing = [uid for uid in uids if uid not in rows]
        if missing:
            self._write(missing, DeliveryState.SEEN)
            rows |= self._rows(missing)
        return rows

    def failed_try(self, row: Delivery, reason: str) -> bool:
        """Count a failed fetch; True when it was the last one and the mail is set aside, for staff to see."""
        row.attempts += 1
        row.last_error = reason
        row.next_try_at = database_now() + timedelta(minutes=2 ** (row.attempts - 1))
        if row.attempts >= TRIES:
            row.state = DeliveryState.UNFETCHABLE
            row.after_read_done = True
        row.save(update_fields=["attempts", "last_error", "next_try_at", "state", "after_read_done"])
        return row.state == DeliveryState.UNFETCHABLE

    def not_stored(self, row: Delivery, reason: str) -> None:
        """The mail was fetched but the database refused it. No try is counted: it is offered again."""
        row.last_error = reason
        row.next_try_at = database_now() + timedelta(minutes=1)
        row.save(update_fields=["last_error", "next_try_at"])

    def again(self, uids: Sequence[str]) -> None:
        """Let these be fetched now, as if they had never been tried: no row of them has its mail."""
        nothing_to_tell = self.mailbox.after_read == AfterRead.NOTHING
        for start in range(0, len(uids), _CHUNK):
            self._own().filter(uid__in=uids[start : start + _CHUNK], message=None).update(
                state=DeliveryState.SEEN, attempts=0, next_try_at=None, after_read_done=nothing_to_tell
            )

    def forget(self, rows: Iterable[Delivery]) -> None:
        """The source has taken these back before we had them: there is no mail to account for."""
        self._own().filter(pk__in=[row.pk for row in rows], state=DeliveryState.SEEN).delete()

    def forget_all_but(self, offered: Collection[str]) -> None:
        """After a complete listing: what is still only ``seen`` and was not offered again is gone."""
        seen = self._own().filter(state=DeliveryState.SEEN)
        self.forget(row for row in seen.iterator() if row.uid not in offered)

    def untold(self) -> list[str]:
        """UIDs of stored mail of which the server does not know yet that we have it."""
        rows = self._own().filter(state=DeliveryState.STORED, after_read_done=False).order_by("pk")
        return list(rows.values_list("uid", flat=True)[:_CHUNK])

    def told(self, uids: Sequence[str]) -> None:
        deleted = self.mailbox.after_read == AfterRead.DELETE
        state = DeliveryState.DELETED if deleted else DeliveryState.STORED
        self._own().filter(uid__in=uids, state=DeliveryState.STORED).update(after_read_done=True, state=state)

    def advance(self, watermark: int) -> None:
        """Every UID up to ``watermark`` is final. It never goes back."""
        if watermark > self.cursor.watermark:
            own = MailboxCursor.objects.filter(pk=self.cursor.pk, watermark__lt=watermark)
            own.update(watermark=watermark)
            self.cursor.watermark = watermark

    def skipped(self) -> models.QuerySet[Delivery]:
        return self._own().filter(state=DeliveryState.SKIPPED)

    def skip(self, uids: Sequence[str]) -> None:
        """Remember mail that the start policy leaves out."""
        for start in range(0, len(uids), _CHUNK):
            self._write(uids[start : start + _CHUNK], DeliveryState.SKIPPED)

    def _begin_again(self, rows: Sequence[Delivery]) -> None:
        if not rows:
            return
        for row in rows:
            row.state, row.after_read_done, row.attempts = DeliveryState.SEEN, False, 0
        Delivery.objects.bulk_update(rows, ["state", "after_read_done", "attempts"])

    def _own(self) -> models.QuerySet[Delivery]:
        return Delivery.objects.filter(
            mailbox=self.mailbox, source=self.cursor.source, uidvalidity=self.cursor.uidvalidity
        )

    def _rows(self, uids: Sequence[str]) -> dict[str, Delivery]:
        return {row.uid: row for row in self._own().filter(uid__in=uids)}

    def _write(self, uids: Sequence[str], state: DeliveryState) -> None:
        # Where nothing is to be told, that is settled now: a later wish to move mail is for later mail.
        nothing_to_tell = state == DeliveryState.SKIPPED or self.mailbox.after_read == AfterRead.NOTHING
        Delivery.objects.bulk_create(
            [
                Delivery(
                    mailbox=self.mailbox,
                    source=self.cursor.source,
                    uidvalidity=self.cursor.uidvalidity,
                    uid=uid,
                    state=state,
                    after_read_done=nothing_to_tell,
                )
                for uid in uids
            ],
            # A worker that lost its lease may still be writing the same rows.
            ignore_conflicts=True,
        )


def open_ledger(mailbox: Mailbox, source: Source, source_hash: str) -> Ledger:
    """The ledger of the connected ``source``. The first connect fixes, once, where reading begins.

    A new UIDVALIDITY of a known source starts where the mailbox was first connected: what is here already is
    recognised by its bytes, and nothing older comes in.
    """
    uidvalidity = source.uidvalidity()
    known = MailboxCursor.objects.filter(mailbox=mailbox, source=source_hash).order_by("-pk")
    cursor = known.filter(uidvalidity=uidvalidity).first()
    if cursor is not None:
        ledger = Ledger(mailbox, cursor)
        if source.may_rename:
            _recognise_old(source, ledger)
        return ledger
    before = known.first()
    cursor = MailboxCursor(mailbox=mailbox, source=source_hash, uidvalidity=uidvalidity)
    if before is not None:
        cursor.start_after = before.start_after
    elif mailbox.start_policy != StartPolicy.ALL:
        days = mailbox.start_days if mailbox.start_policy == StartPolicy.DAYS else 0
        cursor.start_after = timezone.now() - timedelta(days=days) - CLOCKS_DIFFER
    only_from_now = before is None and mailbox.start_policy == StartPolicy.NOW
    if cursor.start_after is not None:
        cursor.start_uid = source.last_uid()
    if only_from_now:
        cursor.watermark = cursor.start_uid
    ledger = Ledger(mailbox, cursor)
    left_out = [] if source.ordered else _left_out(source, cursor, only_from_now)
    # Together: a cursor without its list of skipped mail would bring the old mail in.
    with transaction.atomic():
        cursor.save(force_insert=True)
        ledger.skip(left_out)
    ledger.left_alone = source.count() if source.ordered and only_from_now else len(left_out)
    return ledger


def _recognise_old(source: Source, ledger: Ledger) -> None:
    """When no name of a POP3 server is known any more, but some were left out: it names all its mails anew.

    What is here already is recognised by its bytes; what was there before us must not come in now.
    """
    skipped = ledger.skipped()
    start_after = ledger.cursor.start_after
    if start_after is None or not skipped.exists():
        return
    listed = list(source.offers(Position()))
    if not listed or any(len(ledger.not_final(offers)) < len(offers) for offers in listed):
        return
    ledger.skip([uid for offers in listed for uid in _older(source, offers, start_after)])


def _left_out(source: Source, cursor: MailboxCursor, everything: bool) -> list[str]:
    if cursor.start_after is None:
        return []
    listed = list(source.offers(Position()))
    if everything:
        return [offer.uid for offers in listed for offer in offers]
    return [uid for offers in listed for uid in _older(source, offers, cursor.start_after)]


def _older(source: Source, offers: Sequence[Offer], moment: datetime) -> list[str]:
    """Which of these the mail server got before ``moment``. Where nobody knows, the mail is rather taken."""
    undated = [offer.uid for offer in offers if offer.received_at is None]
    heads = source.headers(undated) if undated else {}
    dates = {offer.uid: offer.received_at for offer in offers} | {
        uid: received_at(split_message(head, outer=True)[0]) for uid, head in heads.items()
    }
    return [uid for uid, date in dates.items() if date is not None and date < moment]
