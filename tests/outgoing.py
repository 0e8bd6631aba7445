"""Rows of the outbox for the tests of what goes out."""

import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from emailflow.models import OutboxKind, Outgoing

_numbers = itertools.count(1)


def outgoing(recipient: str = "mette@nordwind.example", **changes: Any) -> Outgoing:
    """A row that is due, as ``notify`` would write it."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "kind": OutboxKind.REPLY,
        "dedupe_key": f"test:{number}",
        "recipient": recipient,
        "recipient_name": "Mette Lund",
        "envelope_from": "support@hub.example",
        "sender": "Support <support@hub.example>",
        "header_message_id": f"<out{number}@hub.example>",
        "subject": f"Re: The printer {number}",
        "text": "Vi ser på det.\n.\n..\nVenlig hilsen",
        "not_before": timezone.now() - timedelta(seconds=1),
        "created_at": timezone.now(),
    }
    return Outgoing.objects.create(**values | changes)


def leases_run_out() -> None:
    """As if the time of every sender were over."""
    past = timezone.now() - timedelta(seconds=1)
    Outgoing.objects.filter(state="sending").update(lease_until=past, not_before=past)


def time_comes() -> None:
    """As if the next try of every mail were due."""
    Outgoing.objects.filter(state__in=["queued", "held"]).update(not_before=timezone.now() - timedelta(seconds=1))


def fresh(row: Outgoing) -> Outgoing:
    return Outgoing.objects.get(pk=row.pk)
