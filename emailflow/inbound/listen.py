"""Hears from IMAP servers that there is news, so that mail is fetched within seconds. Used by ``watch`` only.

Nothing depends on it: each mailbox is looked at in its interval too. A thread per mailbox, without a database
connection.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from emailflow.models import Mailbox
from emailflow.sources.base import SourceError
from emailflow.sources.choose import listening_source_of, source_hash

logger = logging.getLogger(__name__)

# RFC 2177: below 29 minutes. Routers forget a silent connection earlier than mail servers do.
REISSUE_SECONDS = 600.0
# Other people's flags and "* OK Still here" end the waiting too. A server may say what came while it began anew in
# one breath with "+ idling", where nobody waits for it: so it is looked for soon, but not for each word.
AFTER_CHATTER_SECONDS = 1.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 900.0
# A server that does not know IDLE may know it after its next update.
WITHOUT_IDLE_PAUSE = 3600.0


class Listeners:
    """One thread for each mailbox that ``follow`` names. ``news`` is called from these threads."""

    def __init__(self, news: Callable[[int], None], *, reissue: float = REISSUE_SECONDS) -> None:
        self._news = news
        self._reissue = reissue
        self._threads: dict[int, _Listener] = {}

    def follow(self, mailboxes: Iterable[Mailbox]) -> None:
        """Listen to these, with their present settings, and to no others."""
        wanted = {mailbox.pk: mailbox for mailbox in mailboxes}
        for pk, thread in list(self._threads.items()):
            mailbox = wanted.get(pk)
            if mailbox is None or _address(mailbox) != thread.address or not thread.is_alive():
                thread.end()
                del self._threads[pk]
        for pk, mailbox in wanted.items():
            if pk not in self._threads:
                self._threads[pk] = _Listener(mailbox, self._news, self._reissue)
                self._threads[pk].start()

    def stop(self) -> None:
        for thread in self._threads.values():
            thread.end()

    def join(self, seconds: float) -> None:
        """Waits at most so long for all of them together; a server that stalls keeps nobody."""
        end = time.monotonic() + seconds
        for thread in self._threads.values():
            thread.join(max(0.0, end - time.monotonic()))


class _Listener(threading.Thread):
    def __init__(self, mailbox: Mailbox, news: Callable[[int], None], reissue: float) -> None:
        super().__init__(daemon=True, name=f"listen-{mailbox.slug}")
        self.address = _address(mailbox)
        self._mailbox = mailbox
        self._news = news
        self._reissue = reissue
        self._ended = threading.Event()

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._listen()
                pause = WITHOUT_IDLE_PAUSE
            except SourceError as error:
                logger.info("%s: does not listen now: %s", self._mailbox.slug, error.message)
                if error.permanent:
                    # A password that is tried too often locks the account.
                    pause = LONGEST_PAUSE
                elif time.monotonic() - began > pause:
                    pause = FIRST_PAUSE
            self._ended.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Until the end; returns before it only when the server does not know IDLE. Raises SourceError."""
        source = listening_source_of(self._mailbox)
        try:
            source.connect()
            if not source.can_listen():
                logger.info("%s: the server cannot tell of new mail; it is asked", self._mailbox.slug)
                return
            look_at: float | None = 0.0
            while not self._ended.is_set():
                now = time.monotonic()
                looks = look_at is not None and look_at <= now
                wait = self._reissue if looks or look_at is None else min(self._reissue, look_at - now)
                # Told after the server listens again: what came in between is found by that look.
                news = source.listen(wait, ready=self._tell if looks else _nothing, stopping=self._ended.is_set)
                if looks:
                    look_at = None
                if news:
                    look_at = 0.0
                elif look_at is None:
                    look_at = time.monotonic() + AFTER_CHATTER_SECONDS
        finally:
            source.close()

    def _tell(self) -> None:
        self._news(self._mailbox.pk)


def _nothing() -> None:
    return


def _address(mailbox: Mailbox) -> tuple[str, ...]:
    """What makes a connection another one."""
    return (source_hash(mailbox), str(mailbox.port), mailbox.security, mailbox.secret)
