"""Which mailboxes have their turn. Used by the task, the watcher and ``pull_mail``."""

import time
from collections.abc import Callable

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from emailflow.inbound.pull import pull
from emailflow.inbound.pull_report import PullReport
from emailflow.models import Mailbox, Protocol


def pullable() -> QuerySet[Mailbox]:
    """Every mailbox that has a source and is switched on."""
    return Mailbox.objects.filter(enabled=True, archived_at=None).exclude(protocol=Protocol.BUILTIN).order_by("pk")


def due() -> QuerySet[Mailbox]:
    """Those of them whose next look is due, and that nobody is reading now."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    return pullable().filter(free, Q(next_pull_at=None) | Q(next_pull_at__lte=Now()))


def for_at_most(seconds: float) -> Callable[[], bool]:
    """True once the time is up: a task that ends by itself is better than one that is killed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def pull_due(*, stopping: Callable[[], bool] = lambda: False) -> list[PullReport]:
    """Look into each, one after the other. Trouble of one is in its report and stops no other."""
    reports = []
    for mailbox in due():
        if stopping():
            break
        reports.append(pull(mailbox, stopping=stopping))
    return reports
