"""Compares what a server has with the ledger, and fetches what is missing. Used by ``reconcile_mailbox`` and the admin.

A pull looks only beyond its cursor. This looks at everything that is there: a mail counts as known when a delivery
of its UID holds it, or when the ledger of this mailbox has its Message-ID in the same size; where only one of the
two agrees, or there is no Message-ID, the bytes themselves decide.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import Error as AnyDatabaseError

from emailflow.inbound.deliveries import open_ledger
from emailflow.inbound.lease import Lease, LeaseLost, claim
from emailflow.inbound.parsing.headers import message_id, split_message
from emailflow.inbound.pull import fetch_again
from emailflow.inbound.pull_report import PullReport
from emailflow.models import Delivery, DeliveryState, Mailbox, MailboxCursor, Message, StartPolicy
from emailflow.sources.base import Offer, Position, Source, SourceError
from emailflow.sources.choose import source_hash, source_of

logger = logging.getLogger(__name__)

# What each reason says, in the order of the report.
MISSING = "missing"
SET_ASIDE = "set_aside"
WAITING = "waiting"
_WORDS = {
    MISSING: "on the server and not in the ledger",
    SET_ASIDE: "set aside: the server did not give it in five tries",
    WAITING: "listed and not fetched yet",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """One mail of the server that Hub does not have."""

    reason: str
    offer: Offer
    message_id: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        received = self.offer.received_at
        return {
            "uid": self.offer.uid,
            "reason": self.reason,
            "message_id": self.message_id,
            "size": self.offer.size,
            "received_at": received.isoformat() if received else None,
            "error": self.error,
        }

    def __str__(self) -> str:
        received = self.offer.received_at
        parts = [f"UID {self.offer.uid}", f"{self.offer.size:,} bytes"]
        parts += [f"received {received:%Y-%m-%d %H:%M %z}"] if received else []
        parts += [self.message_id or "without a Message-ID"]
        return f"{', '.join(parts)}: {_WORDS[self.reason]}{f' ({self.error})' if self.error else ''}"


@dataclass
class Comparison:
    """What the server has, against what we have. ``error`` in words when it could not be looked at."""

    mailbox: str
    on_server: int = 0
    known: int = 0
    left_alone: int = 0
    only_here: int = 0
    gaps: list[Gap] = field(default_factory=list)
    error: str = ""
    cut_short: bool = False
    fetched: PullReport | None = None

    @property
    def ok(self) -> bool:
        """Everything that should be here is here, and everything was looked at."""
        return not (self.error or self.cut_short or self.gaps) or self.all_fetched

    @property
    def all_fetched(self) -> bool:
        got = self.fetched
        if got is None or self.error or self.cut_short:
            return False
        return got.ok and not (got.cut_short or got.waiting or got.set_aside)

    @property
    def sentences(self) -> list[str]:
        if self.error:
            return [_sentence(self.error)]
        told = [f"{_mails(self.on_server)} on the server, {self.known:,} of them in the ledger."]
        if self.left_alone:
            told.append(f"{_mails(self.left_alone)} left alone: there before the mailbox was connected.")
        if self.only_here:
            told.append(f"{_mails(self.only_here)} of the ledger no longer there: moved or deleted on the server.")
        for reason, words in _WORDS.items():
            number = sum(1 for gap in self.gaps if gap.reason == reason)
            if number:
                told.append(f"{_mails(number)} {words}.")
        if not self.gaps:
            told.append("Nothing is missing.")
        if self.cut_short:
            told.append("The time was up before everything was looked at; reconcile_mailbox has no such limit.")
        if self.fetched is not None:
            told += [f"Fetched now: {sentence}" for sentence in self.fetched.sentences]
        return told

    def as_dict(self) -> dict[str, Any]:
        return {
            "on_server": self.on_server,
            "known": self.known,
            "left_alone": self.left_alone,
            "only_here": self.only_here,
            **{reason: sum(1 for gap in self.gaps if gap.reason == reason) for reason in _WORDS},
            "fetched": self.fetched.new + self.fetched.known if self.fetched else 0,
            "error": self.error or (self.fetched.error if self.fetched else ""),
            "complete": not self.cut_short and not self.error,
        }


def reconcile(mailbox: Mailbox, *, fetch: bool = False, stopping: Callable[[], bool] = lambda: False) -> Comparison:
    """Compare, and with ``fetch`` store what is missing, the way a pull does.

    Without ``fetch`` nothing is written but the lease, and the server changes nothing. What goes wrong meanwhile is
    not raised: it is in the result. ``stopping`` is asked between portions.
    """
    comparison = Comparison(mailbox.slug)
    source: Source | None = None
    lease: Lease | None = None
    try:
        source = source_of(mailbox)
        lease = claim(mailbox.pk, source.lease_seconds)
        if lease is None:
            comparison.error = "The watcher is reading this mailbox right now: try again in a minute"
            return comparison
        source.connect()
        _compare(_Known.of(mailbox, source), source, lease, comparison, stopping)
        if fetch and comparison.gaps:
            ledger = open_ledger(mailbox, source, source_hash(mailbox))
            offers = [gap.offer for gap in comparison.gaps]
            comparison.fetched = fetch_again(mailbox, source, ledger, lease, offers, stopping=stopping)
    except LeaseLost:
        comparison.error = "It took so long that somebody else has taken the mailbox over"
    except SourceError as error:
        comparison.error = error.message
    except AnyDatabaseError:
        logger.exception("mailbox %s: the database refused", mailbox.slug)
        comparison.error = "The database does not answer as it should"
    except OSError as error:
        logger.exception("mailbox %s: the disk refused", mailbox.slug)
        comparison.error = f"The mail cannot be written to disk: {error.strerror or error}"
    except Exception as error:
        logger.exception("mailbox %s: the comparison failed", mailbox.slug)
        comparison.error = f"Hub could not compare it ({type(error).__name__}): the log of Hub says where it failed"
    finally:
        if source is not None:
            source.close()
        if lease is not None:
            lease.finish()
    return comparison


def _compare(
    known: "_Known", source: Source, lease: Lease, comparison: Comparison, stopping: Callable[[], bool]
) -> None:
    held = 0
    for portion in source.offers(Position()):
        if stopping():
            comparison.cut_short = True
            return
        lease.extend()
        comparison.on_server += len(portion)
        held += known.look(portion, comparison)
    if known.cursor is not None:
        comparison.only_here = max(0, known.held().count() - held)


class _Known:
    """What the tables say about one mailbox as its server names it now."""

    def __init__(self, mailbox: Mailbox, source: Source, cursor: MailboxCursor | None, first: MailboxCursor) -> None:
        self.mailbox = mailbox
        self.source = source
        self.cursor = cursor
        """None: the server has numbered its mails anew, or this mailbox was never read."""
        self.first = first

    @classmethod
    def of(cls, mailbox: Mailbox, source: Source) -> "_Known":
        rows = MailboxCursor.objects.filter(mailbox=mailbox, source=source_hash(mailbox)).order_by("pk")
        cursor = rows.filter(uidvalidity=source.uidvalidity()).first()
        first = rows.first()
        if first is None:
            raise SourceError("This mailbox has never been read: pull it first", permanent=True)
        return cls(mailbox, source, cursor, first)

    def held(self) -> Any:
        """Deliveries of this source whose mail is in the ledger."""
        own = Delivery.objects.filter(mailbox=self.mailbox, message__isnull=False)
        return own.filter(source=self.cursor.source, uidvalidity=self.cursor.uidvalidity) if self.cursor else own.none()

    def look(self, offers: Sequence[Offer], comparison: Comparison) -> int:
        """Sort at most 500 offers. Returns how many a delivery holds."""
        rows = self._rows(offers)
        unknown: list[Offer] = []
        gaps: list[Gap] = []
        held = 0
        for offer in offers:
            row = rows.get(offer.uid)
            if row is not None and row.message_id is not None:
                held += 1
                comparison.known += 1
            elif (row is None and self._left_alone(offer)) or (row and row.state == DeliveryState.SKIPPED):
                comparison.left_alone += 1
            elif row is not None and row.state == DeliveryState.UNFETCHABLE:
                gaps.append(Gap(SET_ASIDE, offer, error=row.last_error))
            elif row is not None and row.state == DeliveryState.SEEN:
                gaps.append(Gap(WAITING, offer, error=row.last_error))
            elif row is None and self.cursor and self.source.ordered and int(offer.uid) > self.cursor.watermark:
                gaps.append(Gap(WAITING, offer))
            else:
                unknown.append(offer)
        missing, gone = self._not_in_ledger(unknown)
        comparison.gaps += [*gaps, *missing]
        comparison.on_server -= gone
        comparison.known += len(unknown) - len(missing) - gone
        return held

    def _rows(self, offers: Sequence[Offer]) -> dict[str, Delivery]:
        if self.cursor is None:
            return {}
        rows = Delivery.objects.filter(
            mailbox=self.mailbox,
            source=self.cursor.source,
            uidvalidity=self.cursor.uidvalidity,
            uid__in=[offer.uid for offer in offers],
        )
        return {row.uid: row for row in rows}

    def _left_alone(self, offer: Offer) -> bool:
        """By the start policy. A source without an order remembers such mails by name instead."""
        cursor = self.cursor or self.first
        if cursor.start_after is None or not self.source.ordered:
            return False
        if self.cursor is not None and int(offer.uid) > cursor.start_uid:
            return False
        if self.cursor is not None and self.cursor == self.first and self.mailbox.start_policy == StartPolicy.NOW:
            return True
        return offer.received_at is not None and offer.received_at < cursor.start_after

    def _not_in_ledger(self, offers: Sequence[Offer]) -> tuple[list[Gap], int]:
        """Those that are missing, and how many have gone since the list was made."""
        blocks = self.source.headers([offer.uid for offer in offers]) if offers else {}
        names = {uid: _name_in(block) for uid, block in blocks.items()}
        sizes: dict[str, set[int]] = {}
        found = self._messages().filter(message_id__in={name for name in names.values() if name})
        for name, size in found.values_list("message_id", "size"):
            sizes.setdefault(name, set()).add(size)
        missing = []
        for offer in offers:
            name = names.get(offer.uid)
            if name is None or offer.size in sizes.get(name, ()):
                continue
            # A Message-ID that nobody knows needs no second look; else only the bytes can tell.
            if (not name or name in sizes) and self._has_bytes(offer):
                continue
            missing.append(Gap(MISSING, offer, name))
        return missing, len(offers) - len(names)

    def _has_bytes(self, offer: Offer) -> bool:
        raw = self.source.fetch([offer.uid]).get(offer.uid)
        return raw is None or self._messages().filter(sha256=hashlib.sha256(raw).hexdigest()).exists()

    def _messages(self) -> Any:
        return Message.objects.filter(mailbox=self.mailbox)


def _name_in(block: bytes) -> str:
    return message_id(split_message(block, outer=True)[0].first("Message-ID"))


def _mails(number: int) -> str:
    return f"{number:,} mail{'' if number == 1 else 's'}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
