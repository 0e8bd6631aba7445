"""What must hold in the ledger and in the store, looked at while Hub works. Used by ``check_integrity``.

Like ``tickets.integrity``: what seems wrong is looked at once more before it is told.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from emailflow.inbound.raw import read_mail
from emailflow.inbound.thread import own_key
from emailflow.models import DUE_STATES, Delivery, DeliveryState, Message, Outcome, State
from tickets import blobs
from tickets.blobs import PIECE, BlobMissing, StoreUnreachable
from tickets.integrity import Check, Problem, in_batches
from tickets.models import Attachment, EmailLog

# A worker that died is noticed after three minutes; the sweep comes each minute.
STUCK = timedelta(minutes=15)
ALERT = timedelta(hours=24)
_FILED = (Outcome.TICKET_CREATED, Outcome.LINKED)


def raw_mails(*, quick: bool = False) -> Iterator[Problem]:
    """Every raw mail that is kept is in the store as it came."""
    for batch in in_batches(Message.objects.filter(raw_kept=True).only("sha256", "size")):
        for message in batch:
            trouble = _trouble_with(message.sha256, message.size, quick)
            # Its time may have come while we looked.
            if trouble and Message.objects.filter(pk=message.pk, raw_kept=True).exists():
                yield Problem(f"The raw form of mail {message.pk} is {trouble}: bring it back from a backup")


def attachments(*, quick: bool = False) -> Iterator[Problem]:
    """Every file of a comment is in the store. The repair takes it out of the raw mail again."""
    for batch in in_batches(
        Attachment.objects.select_related("ticket").only("sha256", "size", "ticket__ticket_number")
    ):
        for attachment in batch:
            if trouble := _trouble_with(attachment.sha256, attachment.size, quick):
                yield Problem(
                    f"File {attachment.pk} of {attachment.ticket.ticket_number} is {trouble}",
                    partial(_extract_again, attachment.pk),
                )


def filed_mails() -> Iterator[Problem]:
    """Every mail that opened or joined a ticket has that ticket, and the ticket has it in its e-mail log."""
    filed = Message.objects.filter(state=State.PROCESSED, outcome__in=_FILED).only("ticket_id", "outcome")
    for batch in in_batches(filed):
        for message in _not_logged(batch):
            again = filed.filter(pk=message.pk)
            if not _not_logged(list(again)):
                continue
            log = EmailLog.objects.filter(source_key=own_key(message.pk)).first()
            what = f"Mail {message.pk} is “{message.get_outcome_display()}”"
            if log is not None:
                yield Problem(f"{what} and does not name its ticket", partial(_name_ticket, message.pk, log.ticket_id))
            elif message.ticket_id is None:
                yield Problem(f"{what} and has no ticket: manage.py reprocess_mail {message.pk}")
            else:
                yield Problem(f"{what} and is not in the e-mail log of its ticket")


def stuck_mails() -> Iterator[Problem]:
    """Nothing is due for long, and nothing waits for a day."""
    if not settings.TICKET_ENABLED:
        return
    now = timezone.now()
    late = Q(next_attempt_at__lt=now - STUCK) | Q(trouble_since__lt=now - ALERT)
    for batch in in_batches(Message.objects.filter(late, state__in=DUE_STATES).only("state", "next_attempt_at")):
        for message in batch:
            yield Problem(
                f"Mail {message.pk} is stuck in the state {message.state} since "
                f"{message.next_attempt_at:%Y-%m-%d %H:%M} UTC: is the worker running?"
            )


def deliveries() -> Iterator[Problem]:
    """What a server gave us, and may have deleted since, is in the ledger."""
    stored = Delivery.objects.filter(message=None, state__in=_HELD).select_related("mailbox")
    for batch in in_batches(stored):
        for row in batch:
            yield Problem(
                f"Mail {row.uid} of the mailbox {row.mailbox.slug} was stored, and is not in the ledger: "
                f"manage.py reconcile_mailbox {row.mailbox.slug} --fetch"
            )


_HELD = [DeliveryState.STORED, DeliveryState.DELETED]


def checks(*, quick: bool = False) -> tuple[tuple[str, Check], ...]:
    return (
        ("mails of tickets", filed_mails),
        ("mails that are due", stuck_mails),
        ("deliveries", deliveries),
        ("raw mails in the store", partial(raw_mails, quick=quick)),
        ("files in the store", partial(attachments, quick=quick)),
    )


def _trouble_with(sha256: str, size: int, quick: bool) -> str:
    """What is wrong with a blob, in a word or two; '' when it is as it should be."""
    try:
        with blobs.open_blob(sha256) as stream:
            if quick:
                return "" if stream.seek(0, 2) == size else "damaged in the store"
            digest = hashlib.sha256()
            while piece := stream.read(PIECE):
                digest.update(piece)
    except BlobMissing:
        return "missing in the store"
    except StoreUnreachable:
        # Says nothing of this file: a list of everything would help nobody.
        raise
    except OSError as error:
        return f"not readable in the store ({error.strerror})"
    return "" if digest.hexdigest() == sha256 else "damaged in the store"


def _extract_again(attachment_pk: int) -> bool:
    """Take all files of the raw mail into the store again. False when it is not kept, or not whole."""
    attachment = Attachment.objects.get(pk=attachment_pk)
    for log in EmailLog.objects.filter(comment=attachment.comment_id, source_key__startswith="in:"):
        message = Message.objects.filter(pk=int(log.source_key.removeprefix("in:")), raw_kept=True).first()
        if message is None or _trouble_with(message.sha256, message.size, quick=False):
            continue
        # What parse has not put into the store itself is in memory.
        blobs.put_many(file.content for file in read_mail(message).attachments if len(file.content) == file.size)
    return not _trouble_with(attachment.sha256, attachment.size, quick=False)


def _not_logged(messages: list[Message]) -> list[Message]:
    keys = {own_key(message.pk): message for message in messages}
    logged = set(EmailLog.objects.filter(source_key__in=keys).values_list("source_key", "ticket_id"))
    return [message for key, message in keys.items() if (key, message.ticket_id) not in logged]


def _name_ticket(message_pk: int, ticket_pk: int) -> bool:
    return bool(Message.objects.filter(pk=message_pk).update(ticket=ticket_pk))
