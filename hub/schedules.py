"""The schedules of django-q2 that Hub needs, put in once after a migration.

Schedules are rows that staff may change or delete in the admin. What has been put in once is remembered, so
neither a change nor a deletion is undone.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from tickets.clock import database_now
from tickets.installing import once

CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class Every:
    name: str
    func: str
    minutes: int = 1


HEARTBEAT = Every("Heartbeat of the worker", "hub.heartbeat.beat")
SCHEDULES = (
    HEARTBEAT,
    Every("Pull the mailboxes that are due", "emailflow.tasks.pull_due_mailboxes"),
    Every("Take up mail that was left behind", "emailflow.tasks.sweep"),
    Every("Send the mail that is due", "emailflow.tasks.send_mail"),
    Every("Forget raw mail whose time is over", "emailflow.tasks.let_raw_mail_go", minutes=60),
    Every("Remove what nobody needs any more", "hub.pruning.prune_in_background", minutes=24 * 60),
)


def install_schedules(using: str = "default") -> None:
    """Writes the rows that have never been put in before; ``tickets.installing`` remembers them."""
    for schedule in SCHEDULES:
        # Together: a crash in between would put the schedule in twice, or never.
        with transaction.atomic(using=using):
            if not once(f"schedule:{schedule.func}", using):
                continue
            Schedule.objects.using(using).create(
                name=schedule.name,
                func=schedule.func,
                schedule_type=Schedule.MINUTES,
                minutes=schedule.minutes,
                repeats=-1,
                next_run=timezone.now(),
            )


def bring_back() -> list[str]:
    """Makes due what no clock that goes right would have put off so far. Returns the names.

    A host whose clock is hours ahead plans the next run of each schedule for then. When it is gone, or its clock is
    set right, nothing would run for hours: no sweep, and no heartbeat.
    """
    now, found = database_now(), []
    for row in Schedule.objects.filter(schedule_type=Schedule.MINUTES, minutes__isnull=False).exclude(repeats=0):
        if row.next_run is not None and row.next_run > now + timedelta(minutes=row.minutes) + CLOCKS_DIFFER:
            # Unless somebody has just planned it anew.
            Schedule.objects.filter(pk=row.pk, next_run=row.next_run).update(next_run=now)
            found.append(row.name or row.func)
    return found


def heartbeat_is_scheduled() -> bool:
    """False when staff removed the heartbeat: its age then says nothing about the worker."""
    return bool(Schedule.objects.filter(func=HEARTBEAT.func).exclude(repeats=0).exists())
