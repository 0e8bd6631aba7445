"""Lets raw mail go when its time is over. The ledger row stays: hash and identity keep the mail from coming back.

The period counts only for mails whose content lives on in a ticket, or needs none. What failed, waits or is
nobody's is kept until staff decide; ignored mail and spam at least 30 days.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from emailflow.blob_names import named
from emailflow.models import Message, Outcome, State
from tickets import blob_trash

SETTLED = (Outcome.TICKET_CREATED, Outcome.LINKED, Outcome.BOUNCE, Outcome.AUTO_REPLY, Outcome.DUPLICATE)
IGNORED_DAYS = 30


def let_go(now: datetime) -> int:
    """Forget the raw form of mails whose time is over, and empty the trash. Returns how many mails.

    Writes ``raw_kept``; a blob that nothing else names moves to the trash and is deleted a day later.
    """
    blob_trash.empty(named, now)
    count = 0
    while batch := list(_over(now).values_list("pk", "sha256")[: blob_trash.BATCH]):
        Message.objects.filter(pk__in=[pk for pk, _ in batch]).update(raw_kept=False)
        blob_trash.discard([sha256 for _, sha256 in batch], named, now)
        count += len(batch)
    return count


def due_to_go(now: datetime) -> int:
    """How many raw mails ``let_go`` would forget."""
    return _over(now).count()


def _over(now: datetime) -> QuerySet[Message]:
    days = timedelta(days=settings.MAIL_RAW_RETENTION_DAYS)
    settled = Q(outcome__in=SETTLED, stored_at__lt=now - max(days, blob_trash.YOUNG))
    ignored = Q(outcome=Outcome.IGNORED, stored_at__lt=now - max(days, timedelta(days=IGNORED_DAYS)))
    return Message.objects.filter(settled | ignored, raw_kept=True, state=State.PROCESSED).order_by("stored_at", "pk")
