"""The schedules of django-q2 that Hub needs, put in once after a migration.

Schedules are rows that staff may change or delete in the admin. What has been put in once is remembered, so
neither a change nor a deletion is undone.
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from tickets.installing import once


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


def heartbeat_is_scheduled() -> bool:
    """False when staff removed the heartbeat: its age then says nothing about the worker."""
    return bool(Schedule.objects.filter(func=HEARTBEAT.func).exclude(repeats=0).exists())
