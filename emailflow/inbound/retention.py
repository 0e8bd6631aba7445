"""Lets raw mail go when its time is over. The ledger row stays: hash and identity keep the mail from coming back.

The period counts only for mails whose content lives on in a ticket, or needs none. What failed, waits or is
nobody's is kept until staff decide; ignored mail and spam at least 30 days.
"""

import logging
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q, QuerySet

from emailflow.models import Message, Outcome, State
from tickets import blobs
from tickets.models import Attachment

logger = logging.getLogger(__name__)

SETTLED = (Outcome.TICKET_CREATED, Outcome.LINKED, Outcome.BOUNCE, Outcome.AUTO_REPLY, Outcome.DUPLICATE)
IGNORED_DAYS = 30
# A blob may have been written for a row that is not committed yet; the trash gives a reader time to object.
YOUNG = timedelta(hours=24)
BATCH = 500


def let_go(now: datetime) -> int:
    """Forget the raw form of mails whose time is over, and empty the trash. Returns how many mails.

    Writes ``raw_kept``; a blob that nothing else names moves to the trash and is deleted a day later.
    """
    _empty_trash(now)
    count = 0
    while batch := list(_over(now).values_list("pk", "sha256")[:BATCH]):
        Message.objects.filter(pk__in=[pk for pk, _ in batch]).update(raw_kept=False)
        for sha256 in sorted({sha256 for _, sha256 in batch}):
            _discard(sha256, now)
        count += len(batch)
    return count


def _over(now: datetime) -> QuerySet[Message]:
    days = timedelta(days=settings.MAIL_RAW_RETENTION_DAYS)
    settled = Q(outcome__in=SETTLED, stored_at__lt=now - max(days, YOUNG))
    ignored = Q(outcome=Outcome.IGNORED, stored_at__lt=now - max(days, timedelta(days=IGNORED_DAYS)))
    return Message.objects.filter(settled | ignored, raw_kept=True, state=State.PROCESSED).order_by("stored_at", "pk")


def _named(sha256: str) -> bool:
    return (
        Message.objects.filter(sha256=sha256, raw_kept=True).exists()
        or Attachment.objects.filter(sha256=sha256).exists()
    )


def _discard(sha256: str, now: datetime) -> None:
    path = blobs.path_of(sha256)
    try:
        young = path.stat().st_mtime > (now - YOUNG).timestamp()
    except FileNotFoundError:
        logger.warning("raw mail %s… is missing in the store", sha256[:12])
        return
    if young or _named(sha256):
        return
    trashed = _trash() / sha256
    trashed.parent.mkdir(parents=True, exist_ok=True)
    os.utime(path)
    path.replace(trashed)
    # Somebody may have stored the same bytes between the look and the move.
    if _named(sha256):
        trashed.replace(path)


def _trash() -> Path:
    return Path(settings.BLOB_DIR) / "trash"


def _empty_trash(now: datetime) -> None:
    if not _trash().is_dir():
        return
    for path in _trash().iterdir():
        if path.stat().st_mtime < min((now - YOUNG).timestamp(), time.time()) and not _named(path.name):
            path.unlink(missing_ok=True)
