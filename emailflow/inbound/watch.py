"""Looks into Maildirs each moment, into servers at their interval or when they call, and processes what is due.

Used by the command ``watch_mail`` only. The work is in rows: a watcher that dies loses nothing, and two of
them disturb each other as little as two workers.
"""

import logging
import threading
import time
from pathlib import Path

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from emailflow.inbound.due import due, pullable
from emailflow.inbound.listen import REISSUE_SECONDS, Listeners
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.pull import pull
from emailflow.models import Mailbox, Protocol
from emailflow.sources.maildir import MaildirSource

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
SERVERS_AT_ONCE = 4
LONGEST_PAUSE = 30.0
# How often the list of mailboxes to listen to is looked at.
FOLLOW_SECONDS = 2.0
# Somebody else reads the mailbox, and may have listed it before the news.
BUSY_SECONDS = 1.0
LISTENERS_END = 1.0
# A folder that was changed this short ago may change again within the same tick of its clock.
SETTLED_NS = 2_000_000_000


class Watcher:
    """``run`` returns after ``stop``. Servers are asked in threads: a slow one holds up no Maildir."""

    def __init__(self, *, reissue: float = REISSUE_SECONDS) -> None:
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._news: set[int] = set()
        self._listeners = Listeners(self._hear, reissue=reissue)
        self._follow_at = 0.0
        self._stamps: dict[int, tuple[str, int, int]] = {}
        self._pulling: dict[int, threading.Thread] = {}

    def stop(self) -> None:
        """May be called from a signal handler or another thread."""
        self._stopping.set()
        self._wake.set()

    def join(self) -> None:
        """Waits for the servers that are being asked: each look ends after its batch."""
        self._listeners.join(LISTENERS_END)
        for thread in self._pulling.values():
            thread.join()

    def run(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.is_set():
            try:
                close_old_connections()
                busy = self._round()
                pause = 0.0 if busy else LOOK_SECONDS
            except DatabaseError as error:
                # The database restarts: the mail waits where it is, and so do we, a little longer each time.
                logger.error("the database does not answer: %s", str(error).strip() or type(error).__name__)
                connection.close()
                pause = min(max(pause, LOOK_SECONDS) * 2, LONGEST_PAUSE)
            self._wake.wait(pause)
            self._wake.clear()
        self._listeners.stop()
        connection.close()

    def _hear(self, mailbox_pk: int) -> None:
        """There may be new mail in this one: called from any thread."""
        self._news.add(mailbox_pk)
        self._wake.set()

    def _round(self) -> bool:
        """One look everywhere; True when there may be more to do at once."""
        self._look_into_maildirs()
        self._listen()
        self._ask_servers()
        return process_due() > 0

    def _look_into_maildirs(self) -> None:
        due_pks = set(due().filter(protocol=Protocol.MAILDIR).values_list("pk", flat=True))
        for mailbox in pullable().filter(protocol=Protocol.MAILDIR):
            if self._stopping.is_set():
                return
            stamp = _stamp(mailbox)
            changed = stamp != self._stamps.get(mailbox.pk) and not mailbox.failures
            if not changed and mailbox.pk not in due_pks:
                continue
            report = pull(mailbox, stopping=self._stopping.is_set)
            if report.new:
                logger.info("%s: %s", mailbox.slug, report)
            young = max(stamp[1:]) > time.time_ns() - SETTLED_NS
            if report.ok and not report.busy and not young:
                self._stamps[mailbox.pk] = stamp
            else:
                self._stamps.pop(mailbox.pk, None)

    def _listen(self) -> None:
        if time.monotonic() < self._follow_at:
            return
        self._follow_at = time.monotonic() + FOLLOW_SECONDS
        # Where looking makes trouble, the pull finds out when that is over: one login at a time is enough.
        good = pullable().filter(protocol=Protocol.IMAP, failures=0, last_success_at__isnull=False)
        self._listeners.follow(good)

    def _ask_servers(self) -> None:
        self._pulling = {pk: thread for pk, thread in self._pulling.items() if thread.is_alive()}
        called = self._called()
        for mailbox in {row.pk: row for row in (*called, *due().exclude(protocol=Protocol.MAILDIR))}.values():
            if mailbox.pk in self._pulling or len(self._pulling) >= SERVERS_AT_ONCE:
                continue
            # Before the look: what is told while it works means another one.
            self._news.discard(mailbox.pk)
            # Daemonic: a server that stalls does not keep the process from ending.
            thread = threading.Thread(target=self._ask, args=(mailbox,), daemon=True, name=mailbox.slug)
            self._pulling[mailbox.pk] = thread
            thread.start()

    def _called(self) -> list[Mailbox]:
        asked = set(self._news)
        if not asked:
            return []
        found = list(pullable().filter(pk__in=asked, failures=0))
        # Switched off since, or in trouble: then it has its turn when that is over.
        self._news -= asked - {mailbox.pk for mailbox in found}
        return found

    def _ask(self, mailbox: Mailbox) -> None:
        try:
            report = pull(mailbox, stopping=self._stopping.is_set)
            if report.new:
                logger.info("%s: %s", mailbox.slug, report)
            if report.busy and not self._stopping.wait(BUSY_SECONDS):
                self._news.add(mailbox.pk)
        finally:
            # This thread's own connection ends with it.
            connection.close()
            self._wake.set()


def _stamp(mailbox: Mailbox) -> tuple[str, int, int]:
    return (mailbox.path, *MaildirSource(path=Path(mailbox.path)).stamp())
