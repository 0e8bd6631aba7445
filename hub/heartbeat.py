"""Proof that the background worker works: a task each minute writes a row.

An idle django-q2 cluster can freeze for good when one of its processes is killed. It looks alive from
outside, so the supervisor and ``/healthz`` look at the age of this row.
"""

from datetime import datetime

from hub.models import Heartbeat
from tickets.clock import database_now

WORKER = "worker"


def beat() -> None:
    """Run by django-q2 each minute. Writes the worker's row."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=WORKER, beat_at=database_now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["beat_at"],
    )


def last_beat() -> datetime | None:
    """When the worker last ran a task; None before its first one."""
    return Heartbeat.objects.filter(name=WORKER).values_list("beat_at", flat=True).first()


def heartbeat_age() -> float | None:
    """Seconds since then, by the clock that wrote it: a host whose own clock is wrong kills no healthy worker."""
    beat_at = last_beat()
    return None if beat_at is None else max(0.0, (database_now() - beat_at).total_seconds())
