"""``/healthz``: does the site answer, and does it reach its database? For load balancers and monitoring.

Open to everybody, so it tells nothing about tickets, settings or the network.
"""

from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from hub.heartbeat import last_beat

# The worker beats each minute; a restart and a long task fit in between.
STALE_SECONDS = 240


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not. A silent worker is named, at 200."""
    try:
        beat_at = last_beat()
    except DatabaseError:
        return JsonResponse({"status": "error", "detail": "The database does not answer."}, status=503)
    return JsonResponse({"status": "ok", "database": "ok", **_worker(beat_at)})


def _worker(beat_at: datetime | None) -> dict[str, Any]:
    if beat_at is None:
        return {"worker": "no heartbeat yet", "heartbeat_age_seconds": None}
    age = max(0, int((timezone.now() - beat_at).total_seconds()))
    return {"worker": "ok" if age <= STALE_SECONDS else "silent", "heartbeat_age_seconds": age}
