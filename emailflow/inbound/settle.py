"""Brings a claim to its end: every claimed mail is filed, waits, or is failed with the reason.

The one place where errors of a mail are sorted: a temporary one (network, database, disk, lock) waits and
gives the attempt back; a permanent one is not tried again; anything else is tried five times. A mail is never
lost: whatever happens here, its row says so.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from emailflow.inbound.apply import Filed, GroupBroken, Workflows, apply_works
from emailflow.inbound.claim import MAX_ATTEMPTS, Claim
from emailflow.inbound.house import House
from emailflow.inbound.thread import in_order
from emailflow.inbound.trouble import first_line, leave_broken_connection, passes
from emailflow.inbound.work import Work
from emailflow.inbound.writeback import LeaseLost, write_back
from emailflow.models import Message, State
from emailflow.workflow.base import StepError
from tickets import blobs
from tickets.blobs import StoreUnreachable
from tickets.clock import database_now
from tickets.errors import ServiceError

logger = logging.getLogger(__name__)

TRIES_AT_ONCE = 3
MAX_BATCH = 24_000_000  # bytes of raw mail
ENOUGH = 60.0  # seconds of one claim; the lease is three times as long
OVERTAKEN = timedelta(seconds=5)
TROUBLE = timedelta(seconds=60)
# An original that is overtaken is filed within seconds. One whose worker died is free again when its lease ends, and
# may then be in trouble once more: the answer outwaits both.
SHORT_WAITS = 6
Prepare = Callable[[Sequence[Message], House], list[Work]]


def settle(claim: Claim, *, prepare: Prepare, house: House, workflows: Workflows) -> None:
    """Prepare and apply all mails of a claim. Raises nothing about a mail."""
    _Settling(claim.token, prepare, house, workflows).run(claim)


class _Settling:
    def __init__(self, token: str, prepare: Prepare, house: House, workflows: Workflows) -> None:
        self.token = token
        self.prepare = prepare
        self.house = house
        self.workflows = workflows

    def run(self, claim: Claim) -> None:
        messages = claim.messages
        if claim.alone and messages[0].attempts > MAX_ATTEMPTS:
            self._fail(messages[0], f"It ended its worker {MAX_ATTEMPTS} times.")
            return
        began = time.monotonic()
        for batch in _batches(messages):
            if time.monotonic() - began > ENOUGH:
                # The lease must not run out on mails that nobody has touched.
                for message in batch:
                    self._set(message, state=State.WAITING, error="", pause=timedelta(0), give_back=True, trouble=False)
            else:
                self._take(batch)

    def _take(self, messages: Sequence[Message]) -> None:
        """Prepare, let those wait that must, apply the others. A failure is bisected down to one mail."""
        for attempt in range(1, TRIES_AT_ONCE + 1):
            try:
                self._try(messages)
                return
            except (OperationalError, IntegrityError) as error:
                leave_broken_connection()
                if attempt == TRIES_AT_ONCE:
                    self._halve(messages, error)
                    return
                # A deadlock, a lock timeout, or another worker with the same mail: again at once, at no cost.
                logger.info("%s mails: again after %s", len(messages), first_line(error))
            except Exception as error:  # noqa: BLE001  sorted in _halve and _report; recorded on the row
                leave_broken_connection()
                self._halve(messages, error)
                return

    def _try(self, messages: Sequence[Message]) -> None:
        began = time.monotonic()
        works = self.prepare(messages, self.house)
        self._store_files(works)
        ready = [work for work in works if work.wait_for is None]
        if ready:
            filed = apply_works(ready, house=self.house, workflows=self.workflows, token=self.token)
            _tell(filed, time.monotonic() - began)
        self._wait([work for work in works if work.wait_for is not None])

    def _halve(self, messages: Sequence[Message], error: Exception) -> None:
        rest = self._still_ours(messages, error)
        if len(rest) <= 1 or isinstance(error, InterfaceError | StoreUnreachable):
            # The last two are nobody's fault: asking again for each mail would outlast the lease.
            for message in rest:
                self._report(message, error)
            return
        if not isinstance(error, GroupBroken | LeaseLost):
            logger.warning("a group of %s mails is tried in halves: %s", len(rest), first_line(error))
        middle = len(rest) // 2
        self._take(rest[:middle])
        self._take(rest[middle:])

    def _still_ours(self, messages: Sequence[Message], error: Exception) -> list[Message]:
        """Those that no earlier part of this claim has settled. Without a database: all of them."""
        try:
            rows = Message.objects.filter(
                pk__in=[message.pk for message in messages], lease_token=self.token, state=State.PROCESSING
            )
            ours = set(rows.values_list("pk", flat=True))
        except DatabaseError as trouble:
            logger.error("the database does not answer: %s", first_line(trouble))
            return list(messages) if isinstance(error, InterfaceError) else []
        return [message for message in messages if message.pk in ours]

    def _report(self, message: Message, error: Exception) -> None:
        if isinstance(error, LeaseLost):
            logger.warning("mail %s: another worker has it by now", message.pk, extra={"mail": message.pk})
        elif passes(error):
            self._later(message, error)
        elif isinstance(error, StepError | ServiceError | GroupBroken) or message.attempts >= MAX_ATTEMPTS:
            logger.error("mail %s: failed: %s", message.pk, first_line(error), extra={"mail": message.pk})
            self._fail(message, first_line(error))
        else:
            about = {"mail": message.pk}
            logger.error("mail %s: attempt %s failed", message.pk, message.attempts, exc_info=error, extra=about)
            pause = timedelta(seconds=10 * 2**message.attempts)
            self._set(message, state=State.WAITING, error=first_line(error), pause=pause)

    def _later(self, message: Message, error: Exception) -> None:
        """Temporary: the attempt is given back. After 24 h the admin's front page names it."""
        logger.warning("mail %s: waits, since %s", message.pk, first_line(error), extra={"mail": message.pk})
        self._set(message, state=State.WAITING, error=first_line(error), pause=TROUBLE, give_back=True)

    def _wait(self, works: Sequence[Work]) -> None:
        for work in in_order(works):
            work.message.waits += 1
            words = f"It waits for mail {work.wait_for}, which it answers or repeats."
            pause = OVERTAKEN if work.message.waits <= SHORT_WAITS else TROUBLE
            self._set(work.message, state=State.WAITING, error=words, pause=pause, give_back=True, trouble=False)

    def _fail(self, message: Message, error: str) -> None:
        self._set(message, state=State.FAILED, error=error, pause=timedelta(0))

    def _set(
        self,
        message: Message,
        *,
        state: State,
        error: str,
        pause: timedelta,
        give_back: bool = False,
        trouble: bool = True,
    ) -> None:
        try:
            # Whoever claims it next compares with the database's clock.
            now = database_now()
            row = {
                "state": state.value,
                "attempts": message.attempts - 1 if give_back else message.attempts,
                "alone": False if give_back else message.alone,
                "waits": message.waits,
                "next_attempt_at": now + pause,
                "lease_token": "",
                "lease_until": None,
                "trouble_since": (message.trouble_since or now) if trouble else message.trouble_since,
                "last_error": error,
            }
            # The row as a whole, under its lease: a worker that was too slow writes nothing.
            with transaction.atomic():
                write_back({message.pk: row}, token=self.token)
        except (DatabaseError, LeaseLost) as trouble_now:
            # Its lease runs out, and the row is claimed again.
            words = first_line(trouble_now)
            logger.error("mail %s: could not be put back: %s", message.pk, words, extra={"mail": message.pk})

    @staticmethod
    def _store_files(works: Sequence[Work]) -> None:
        """Attachments go into the store before any lock is taken; together, each folder is synced once."""
        filed = (work.mail for work in works if work.wait_for is None and work.duplicate_of is None)
        blobs.put_many(file.content for mail in filed for file in mail.attachments if not file.in_store)


def _batches(messages: Sequence[Message]) -> list[list[Message]]:
    """What is held in memory together: many small mails, or one big one."""
    batches: list[list[Message]] = []
    total = 0
    for message in messages:
        if not batches or total + message.size > MAX_BATCH:
            batches.append([])
            total = 0
        batches[-1].append(message)
        total += message.size
    return batches


def _tell(filed: Sequence[Filed], seconds: float) -> None:
    """One line a mail that was filed: what became of it, and how long that took, for the group and since it came."""
    now = timezone.now()
    for one in filed:
        message, ticket = one.work.message, one.work.ticket
        number = ticket.ticket_number if ticket else ""
        waited = max(0.0, (now - message.stored_at).total_seconds())
        logger.info(
            "mail %s: %s in %.3f s%s, %.1f s after it was stored",
            message.pk,
            " ".join(filter(None, [str(message.outcome or message.state), number])),
            seconds,
            f" with {len(filed) - 1} others" if len(filed) > 1 else "",
            waited,
            extra={
                "mail": message.pk,
                "ticket": number or None,
                "outcome": str(message.outcome or message.state),
                "seconds": round(seconds, 3),
                "waited": round(waited, 1),
                "group": len(filed),
            },
        )
