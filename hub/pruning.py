"""Removes what nobody needs any more. Used by ``prune`` and, once a day, by the worker.

Never removed: tickets, the ledger and its hashes, traces, executions, deliveries (``reconcile_mailbox`` compares
with them) and the audit log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Task

from emailflow.blob_names import named
from emailflow.inbound.due import for_at_most
from emailflow.inbound.retention import due_to_go, let_go
from tickets import blob_trash
from tickets.blob_trash import Swept

# django-q2 keeps the last successes by itself, and failures for ever.
TASKS_KEPT = timedelta(days=90)
# A worker that is busy for long beats no heart; the rest is done by the next task.
LONGEST_TASK = 120


@dataclass
class Pruned:
    """What was removed, or in a dry run would be."""

    raw_mails: int = 0
    sessions: int = 0
    tasks: int = 0
    blobs: Swept = field(default_factory=Swept)

    @property
    def sentences(self) -> list[str]:
        return [
            f"Raw mails whose time is over: {self.raw_mails:,}.",
            f"Sessions that have ended: {self.sessions:,}.",
            f"Reports of background tasks older than {TASKS_KEPT.days} days: {self.tasks:,}.",
            f"Store: {self.blobs}",
        ]


def prune(now: datetime, *, dry_run: bool = False, stopping: Callable[[], bool] = lambda: False) -> Pruned:
    """Raises OSError when the disk says no. What one step removed stays removed when a later one fails."""
    pruned = Pruned()
    pruned.raw_mails = due_to_go(now) if dry_run else let_go(now)
    pruned.sessions = _remove(Session.objects.filter(expire_date__lt=now), dry_run)
    pruned.tasks = _remove(Task.objects.filter(stopped__lt=now - TASKS_KEPT), dry_run)
    pruned.blobs = blob_trash.sweep(named, now, dry_run=dry_run, stopping=stopping)
    return pruned


def prune_in_background() -> str:
    """Run by django-q2 each day."""
    return " ".join(prune(timezone.now(), stopping=for_at_most(LONGEST_TASK)).sentences)


def _remove(rows: QuerySet[Any], dry_run: bool) -> int:
    return rows.count() if dry_run else rows.delete()[0]
