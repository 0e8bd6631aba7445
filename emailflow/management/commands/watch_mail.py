"""``watch_mail``: the process that turns mail into tickets and answers into mail within seconds. Started by ``up``."""

import logging
import os
import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from emailflow.inbound.watch import Watcher
from emailflow.outbound.outlet import Outlet

logger = logging.getLogger(__name__)

LONGEST_STOP = 1.5


class Command(BaseCommand):
    help = "Watch the mailboxes, process mail as it comes and send answers as they go, until TERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        watcher, outlet = Watcher(), Outlet()

        def stop(number: int, frame: FrameType | None) -> None:
            # First: if this very thread holds a lock that stop() needs, only the alarm ends it.
            signal.setitimer(signal.ITIMER_REAL, LONGEST_STOP)
            watcher.stop()
            outlet.stop()

        def leave(number: int, frame: FrameType | None) -> None:
            # A server that stalls, or a mail that takes long, must not keep the process: whatever is not
            # committed rolls back, and the rows are taken up again when their lease ends.
            logger.warning("stopped in the middle of the work")
            logging.shutdown()
            os._exit(0)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGALRM, leave)
        outlet.start()
        watcher.run()
        # The alarm cuts this short.
        watcher.join()
        outlet.join()
        # From here on the interpreter takes its handlers down, and an alarm without one kills with an error.
        signal.setitimer(signal.ITIMER_REAL, 0)
