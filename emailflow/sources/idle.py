"""Waits at an IMAP server for news (IDLE, RFC 2177). Used by ``emailflow.inbound.listen`` only.

It only hears that something has changed; the pull, on a connection of its own, looks at what.
"""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from emailflow.sources.imap import ImapSource

# How soon the end of the process is noticed.
SLICE_SECONDS = 0.3
_NEWS = (b"EXISTS", b"RECENT")


class ListeningSource(ImapSource):
    """The source of a row that is only listened to: the folder is opened read only. Raises SourceError."""

    def can_listen(self) -> bool:
        """Whether the server knows IDLE at all."""
        with self._trouble("say what it can"):
            return bool(self._open().has_capability("IDLE"))

    def listen(self, seconds: float, *, ready: Callable[[], None], stopping: Callable[[], bool]) -> bool:
        """Wait until something changes or ``seconds`` are over; True when there may be new mail.

        ``ready`` is called once the server listens: whoever looks then misses nothing between two calls.
        """
        client = self._open()
        with self._trouble("wait for mail"):
            client.idle()
            ready()
            heard = _readable(client.socket(), seconds, stopping)
            if stopping():
                self._leave()
                return False
            _, answers = client.idle_done()
        return not heard or any(_is_news(answer) for answer in answers)

    def _leave(self) -> None:
        """Without a word: a server that stalls must not keep the process from ending."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):
                client.shutdown()


def _readable(connected: Any, seconds: float, stopping: Callable[[], bool]) -> bool:
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    end = time.monotonic() + seconds
    while not stopping():
        left = end - time.monotonic()
        if left <= 0:
            return False
        if poll.poll(min(left, SLICE_SECONDS) * 1000):
            return True
    return False


def _is_news(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(answer) > 1 and answer[1] in _NEWS
