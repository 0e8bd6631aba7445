"""One look into one mailbox: list, fetch, store, and only then tell the source.

Called by tasks, watcher, commands and the admin.

Trouble of network or database consumes no mail: the server hears "done" after the commit that holds the mail,
and whatever is not final in the ledger is offered again by the next look.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, close_old_connections
from django.db import Error as AnyDatabaseError
from django.utils import timezone

from emailflow.inbound.deliveries import Ledger, open_ledger
from emailflow.inbound.lease import Lease, LeaseLost, claim
from emailflow.inbound.pull_report import PullReport, sentence
from emailflow.inbound.receive import Incoming, receive_many
from emailflow.inbound.spool import spool_file
from emailflow.inbound.trouble import passes
from emailflow.models import Delivery, DeliveryState, Mailbox
from emailflow.sources.base import Offer, Source, SourceError
from emailflow.sources.choose import source_hash, source_of
from emailflow.sources.wire import PIECE
from tickets.clock import database_now

logger = logging.getLogger(__name__)

BATCH_MAILS = 50
BATCH_BYTES = 8 * 1024 * 1024
# A mail above this goes through a file.
BIG_BYTES = BATCH_BYTES
LONGEST_PAUSE = timedelta(hours=1)
# Our own database or disk comes back by itself, and is asked far more often than a stranger's server may be.
OWN_PAUSE = timedelta(seconds=5)
LONGEST_OWN_PAUSE = timedelta(minutes=5)
PAUSES_OF_FINISH = (0.0, 0.5, 2.0, 5.0)  # seconds before each try
# A mail that makes the server drop the connection costs one reconnect; a bad line must not cost fifty.
RECONNECTS = 3


def pull(mailbox: Mailbox, *, stopping: Callable[[], bool] = lambda: False) -> PullReport:
    """Store what is new in ``mailbox``. Two at once: one pulls, the other walks away with ``busy``.

    Writes deliveries, cursor, mail rows and the mailbox's success or error. Nothing is raised, whatever goes
    wrong: it is in the report and in the mailbox's row. ``stopping`` is asked between batches.
    """
    report = PullReport(mailbox.name)
    source: Source | None = None
    lease: Lease | None = None
    try:
        source = source_of(mailbox)
        lease = claim(mailbox.pk, source.lease_seconds)
        if lease is None:
            report.busy = True
            return report
        source.connect()
        ledger = open_ledger(mailbox, source, source_hash(mailbox))
        report.skipped = ledger.left_alone
        _Look(mailbox, source, ledger, lease, report, stopping).work()
    except LeaseLost:
        report.notes.append("The look took so long that somebody else has taken it over")
    except SourceError as error:
        report.error = error.message
    except AnyDatabaseError as error:
        logger.exception("mailbox %s: the database refused", mailbox.slug, extra={"mailbox": mailbox.slug})
        report.error = f"The database does not take the mail: {_first_line(error)}"
        report.own_trouble = True
    except OSError as error:
        logger.exception("mailbox %s: the disk refused", mailbox.slug, extra={"mailbox": mailbox.slug})
        report.error = f"The mail cannot be written to disk: {error.strerror or error}"
        report.own_trouble = True
    except Exception as error:
        # A fault of ours, or an answer that a library did not expect: this mailbox waits, the others go on.
        logger.exception("mailbox %s: the look failed", mailbox.slug, extra={"mailbox": mailbox.slug})
        report.error = f"Hub could not read this mailbox ({type(error).__name__}): the log of Hub says where it failed"
    finally:
        if source is not None:
            source.close()
    _finish(mailbox, lease, report)
    return report


def fetch_again(
    mailbox: Mailbox,
    source: Source,
    ledger: Ledger,
    lease: Lease,
    offers: Sequence[Offer],
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> PullReport:
    """Fetch and store these mails, whatever the ledger says of them; the cursor stays where it is.

    ``source`` is connected and ``lease`` held. Trouble of the source is in the report; raises LeaseLost and
    what database or disk say.
    """
    report = PullReport(mailbox.name)
    look = _Look(mailbox, source, ledger, lease, report, stopping)
    ledger.again([offer.uid for offer in offers])
    try:
        look.take_all(offers)
    except SourceError as error:
        report.error = error.message
    return report


def _finish(mailbox: Mailbox, lease: Lease | None, report: PullReport) -> None:
    """Give the mailbox back; after trouble the next look waits twice as long as the last.

    Tried again while the database comes back: until the lease ends, nobody else would look into this mailbox.
    """
    if not report.ok:
        logger.warning("mailbox %s: %s", mailbox.slug, report.error, extra={"mailbox": mailbox.slug})
    for pause in PAUSES_OF_FINISH:
        time.sleep(pause)
        try:
            fields = _result(mailbox, report)
            if lease is not None:
                lease.finish(**fields)
            else:
                Mailbox.objects.filter(pk=mailbox.pk).update(**fields)
            return
        except AnyDatabaseError:
            # After the last try the lease runs out by itself; nothing else depends on this row.
            logger.exception(
                "mailbox %s: the result of the look could not be written", mailbox.slug, extra={"mailbox": mailbox.slug}
            )
            close_old_connections()


def _result(mailbox: Mailbox, report: PullReport) -> dict[str, Any]:
    trouble = report.error or " ".join(sentence(note) for note in report.notes)
    now = database_now()
    fields: dict[str, Any] = {"last_error": trouble}
    if trouble:
        fields["last_error_at"] = now
    if not report.ok:
        return fields | {"failures": mailbox.failures + 1, "next_pull_at": now + _pause(mailbox, report)}
    # The rest of a look that was cut short is due at once.
    next_pull_at = now if report.cut_short else now + timedelta(seconds=mailbox.interval)
    return fields | {"last_success_at": now, "failures": 0, "next_pull_at": next_pull_at}


def _pause(mailbox: Mailbox, report: PullReport) -> timedelta:
    first, longest = timedelta(seconds=mailbox.interval), LONGEST_PAUSE
    if report.own_trouble:
        first, longest = OWN_PAUSE, LONGEST_OWN_PAUSE
    return min(first * (1 << min(mailbox.failures + 1, 12)), longest)


class _Look:
    """The work between connect and close, under the lease."""

    def __init__(
        self,
        mailbox: Mailbox,
        source: Source,
        ledger: Ledger,
        lease: Lease,
        report: PullReport,
        stopping: Callable[[], bool],
    ) -> None:
        self.mailbox = mailbox
        self.source = source
        self.ledger = ledger
        self.lease = lease
        self.report = report
        self.stopping = stopping
        self.reconnects_left = RECONNECTS
        self.may_tell = True
        self.not_final: set[str] = set()

    def work(self) -> None:
        self._tell()
        offered: set[str] = set()
        for portion in self.source.offers(self.ledger.position):
            offered.update(offer.uid for offer in portion)
            for batch in _batches(self.ledger.not_final(portion)):
                if self.stopping():
                    self.report.cut_short = True
                    return
                self.lease.extend()
                self._take(batch)
                self._tell()
                self._advance_to(batch[-1])
            if portion:
                self._advance_to(portion[-1])
            self.lease.extend()
        self._advance(self.ledger.cursor.start_uid)
        self.ledger.forget_all_but(offered)
        self._tell(last=True)

    def take_all(self, offers: Sequence[Offer]) -> None:
        for batch in _batches(offers):
            if self.stopping():
                self.report.cut_short = True
                return
            self.lease.extend()
            self._take(batch)
            self._tell()
        self._tell(last=True)

    def _take(self, batch: Sequence[Offer]) -> None:
        rows = self.ledger.note(batch)
        put_off = any(row.next_try_at is not None for row in rows.values())
        now = database_now() if put_off else timezone.now()
        due: list[Offer] = []
        for offer in batch:
            row = rows[offer.uid]
            if row.state != DeliveryState.SEEN:
                continue
            if row.next_try_at is not None and row.next_try_at > now:
                self._put_off(offer.uid)
            else:
                due.append(offer)
        # A mail that made trouble before is fetched alone, so that it takes no neighbour with it.
        fresh = [offer for offer in due if not rows[offer.uid].attempts]
        self._fetch_and_store(fresh, rows)
        for offer in due:
            if rows[offer.uid].attempts and offer.uid not in self.not_final:
                self._fetch_and_store([offer], rows)

    def _fetch_and_store(self, offers: Sequence[Offer], rows: Mapping[str, Delivery]) -> None:
        if not offers:
            return
        failed: dict[str, str] = {}
        if len(offers) == 1 and _is_big(offers[0], rows[offers[0].uid]):
            with spool_file() as path:
                self._settle(offers, self._fetch_into(path, offers[0].uid, failed), failed, rows)
        else:
            self._settle(offers, self._fetch([offer.uid for offer in offers], failed), failed, rows)

    def _settle(
        self,
        offers: Sequence[Offer],
        bodies: Mapping[str, bytes | Path],
        failed: dict[str, str],
        rows: Mapping[str, Delivery],
    ) -> None:
        """Store what was fetched, and note what was not: gone, or tried in vain."""
        missing = [offer.uid for offer in offers if offer.uid not in bodies and offer.uid not in failed]
        still_there = self.source.present(missing) if missing else set()
        failed |= dict.fromkeys(still_there, "The server answers without the mail itself")
        for uid, reason in failed.items():
            if self.ledger.failed_try(rows[uid], reason):
                self.report.set_aside += 1
            else:
                self._put_off(uid)
        gone = [uid for uid in missing if uid not in still_there]
        self.ledger.forget(rows[uid] for uid in gone)
        self.report.gone += len(gone)
        self._store([offer for offer in offers if offer.uid in bodies], bodies, rows)

    def _fetch_into(self, path: Path, uid: str, failed: dict[str, str]) -> dict[str, bytes | Path]:
        """Like ``_fetch`` for one mail that goes into a file, piece by piece."""
        try:
            with path.open("wb") as stream:
                there = self.source.save(uid, stream, self.lease.extend)
        except SourceError as error:
            if not error.uid_only:
                self._reconnect(error)
            failed[uid] = error.message
            return {}
        return {uid: path} if there else {}

    def _fetch(self, uids: Sequence[str], failed: dict[str, str]) -> dict[str, bytes | Path]:
        """Together, and one by one when that fails. What fails alone goes into ``failed`` with the reason."""
        try:
            return dict(self.source.fetch(uids))
        except SourceError as error:
            if not error.uid_only:
                self._reconnect(error)
            if len(uids) == 1:
                failed[uids[0]] = error.message
                return {}
        found: dict[str, bytes | Path] = {}
        for uid in uids:
            self.lease.extend()
            found |= self._fetch([uid], failed)
        return found

    def _reconnect(self, error: SourceError) -> None:
        """Tells a bad mail from a bad line: when the server answers again, it was the mail. Else raises."""
        if not self.reconnects_left:
            raise error
        self.reconnects_left -= 1
        self.source.connect()
        if self.source.uidvalidity() != self.ledger.cursor.uidvalidity:
            raise SourceError("The folder was made anew while it was read") from error

    def _store(self, offers: Sequence[Offer], bodies: Mapping[str, bytes | Path], rows: Mapping[str, Delivery]) -> None:
        """Nothing is told to the source here: its turn comes after this has committed."""
        if not offers:
            return
        incoming = [_incoming(bodies[offer.uid], self.mailbox, offer) for offer in offers]
        try:
            stored = receive_many(incoming, deliveries=[rows[offer.uid] for offer in offers])
        except DatabaseError as error:
            if passes(error):
                raise
            # Not the database: one of the mails. The others must not wait for it.
            if len(offers) == 1:
                logger.exception(
                    "mailbox %s, mail %s: not stored",
                    self.mailbox.slug,
                    offers[0].uid,
                    extra={"mailbox": self.mailbox.slug},
                )
                reason = f"A mail could not be stored: {_first_line(error)}"
                self.ledger.not_stored(rows[offers[0].uid], reason)
                self._put_off(offers[0].uid)
                self.report.error = reason
                return
            for offer in offers:
                self._store([offer], bodies, rows)
            return
        # The same bytes twice in one batch are one mail.
        new = len({one.message.pk for one in stored if one.new})
        self.report.new += new
        self.report.known += len(stored) - new

    def _tell(self, *, last: bool = False) -> None:
        """Mark, move or delete what is stored; also what an earlier look could not. A failure loses nothing."""
        while self.may_tell and (last or not self.source.tells_last):
            uids = self.ledger.untold()
            if not uids:
                return
            try:
                self.source.after_read(uids)
            except SourceError as error:
                self.may_tell = False
                self.report.notes.append(error.message)
                if not error.permanent and not last:
                    self._reconnect_if_lost(error)
                return
            self.ledger.told(uids)

    def _reconnect_if_lost(self, error: SourceError) -> None:
        try:
            self.source.present(["1"])
        except SourceError:
            self._reconnect(error)

    def _put_off(self, uid: str) -> None:
        self.not_final.add(uid)
        self.report.waiting += 1

    def _advance_to(self, offer: Offer) -> None:
        if self.source.ordered:
            self._advance(int(offer.uid))

    def _advance(self, done_to: int) -> None:
        """Everything up to ``done_to`` was taken, but for what was put off."""
        if self.source.ordered:
            self.ledger.advance(min([done_to, *(int(uid) - 1 for uid in self.not_final)]))


def _is_big(offer: Offer, row: Delivery) -> bool:
    """Too big for the memory; or so big that in pieces it may come through a line where it did not at once."""
    return offer.size > BIG_BYTES or (row.attempts > 0 and offer.size > PIECE)


def _incoming(body: bytes | Path, mailbox: Mailbox, offer: Offer) -> Incoming:
    if isinstance(body, Path):
        return Incoming(None, mailbox, offer.received_at, path=body)
    return Incoming(body, mailbox, offer.received_at)


def _batches(offers: Sequence[Offer]) -> Iterator[list[Offer]]:
    """At most 50 mails and 8 MB at once; a bigger mail goes alone."""
    batch: list[Offer] = []
    size = 0
    for offer in offers:
        if batch and (len(batch) >= BATCH_MAILS or size + offer.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(offer)
        size += offer.size
    if batch:
        yield batch


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
