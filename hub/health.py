"""``/healthz``: does the site answer, and does it reach its database? ``/readyz``: is mail being worked on, too?

For load balancers and monitoring. Open to everybody, so they tell nothing about tickets, settings or the network.
"""

from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from emailflow.measures import oldest_due
from hub.heartbeat import heartbeat_age
from hub.schedules import heartbeat_is_scheduled

# The worker beats each minute; a restart and a long task fit in between.
STALE_SECONDS = 240
# The watcher takes mail within a second, the sweep each minute: this late, nobody takes it.
LATE_SECONDS = 300


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not. A silent worker is named, at 200."""
    try:
        age = heartbeat_age()
    except DatabaseError:
        return JsonResponse({"status": "error", "detail": "The database does not answer."}, status=503)
    return JsonResponse({"status": "ok", "database": "ok", **_worker(age)})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, worker and queue are well; 503 with what is not, in words."""
    try:
        age, scheduled = heartbeat_age(), heartbeat_is_scheduled()
        # With tickets switched off, mail waits because somebody wants it to.
        waiting = int(oldest_due()) if settings.TICKET_ENABLED else 0
    except DatabaseError:
        return JsonResponse({"status": "error", "problems": ["The database does not answer."]}, status=503)
    worker = _worker(age)
    problems = []
    if scheduled and worker["worker"] != "ok":
        silent = f"The worker has been silent for {int(age)} s." if age is not None else "The worker has not begun."
        problems.append(silent)
    if waiting > LATE_SECONDS:
        problems.append(f"Mail has been waiting for {waiting} s.")
    state = {"status": "error" if problems else "ok", "problems": problems}
    return JsonResponse(
        {**state, "database": "ok", **worker, "oldest_due_seconds": waiting}, status=503 if problems else 200
    )


def _worker(age: float | None) -> dict[str, Any]:
    if age is None:
        return {"worker": "no heartbeat yet", "heartbeat_age_seconds": None}
    return {"worker": "ok" if age <= STALE_SECONDS else "silent", "heartbeat_age_seconds": int(age)}
