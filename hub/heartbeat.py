"""Proof that the background worker works: a task each minute writes a row, and another one when it is struck off.

An idle django-q2 cluster can freeze for good when one of its processes is killed. It looks alive from
outside, so the supervisor and ``/healthz`` look at the age of these rows. Two of them, because it can freeze in two
places: no task is done any more, or all are done and none is struck off, so that they pile up and are done again.
"""

from datetime import datetime

from hub.models import Heartbeat
from tickets.clock import database_now

WORKER = "worker"
RESULTS = "results"


def beat() -> None:
    """Run by django-q2 each minute. Writes the worker's row."""
    _write(WORKER)


def struck_off() -> None:
    """Called in the process of django-q2 that writes results, when a beat's is written. Writes its row."""
    _write(RESULTS)


def _write(name: str) -> None:
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, beat_at=database_now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["beat_at"],
    )


def last_beat() -> datetime | None:
    """When the worker last ran a task; None before its first one."""
    return Heartbeat.objects.filter(name=WORKER).values_list("beat_at", flat=True).first()


def heartbeat_age() -> float | None:
    """Seconds since the older of the two rows was written; None before the first beat.

    By the clock that wrote them: a host whose own clock is wrong kills no healthy worker.
    """
    rows = dict(Heartbeat.objects.filter(name__in=(WORKER, RESULTS)).values_list("name", "beat_at"))
    if WORKER not in rows:
        return None
    return max(0.0, (database_now() - min(rows.values())).total_seconds())
