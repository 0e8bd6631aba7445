"""Lets answers out within a moment of their time, in a thread beside the watcher. Used by ``watch_mail`` only.

The rows are the truth: without this thread the task of each minute does the same.
"""

import logging
import threading

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from emailflow.outbound.send import send_all
from tickets.services.publishing import publish_due

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LONGEST_PAUSE = 30.0


class Outlet:
    """``start``, later ``stop`` and ``join``."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        # Daemonic: a mail server that stalls does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, daemon=True, name="outlet")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """May be called from a signal handler. The mail that is on its way is finished."""
        self._stopping.set()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            try:
                close_old_connections()
                let_out(self._stopping)
                pause = LOOK_SECONDS
            except DatabaseError as error:
                logger.error("the database does not answer: %s", str(error).strip() or type(error).__name__)
                connection.close()
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception:
                # Whatever it was: the thread must not end, and the next look may do better.
                logger.exception("mail could not be let out")
                pause = min(pause * 2, LONGEST_PAUSE)
        connection.close()


def let_out(stopping: threading.Event) -> int:
    """Publish the answers that nobody takes back any more, and send what is due. Returns how many mails were taken."""
    while not stopping.is_set() and publish_due():
        pass
    return send_all(stopping=stopping.is_set)
