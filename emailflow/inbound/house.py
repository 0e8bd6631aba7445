"""What the steps know of our own side: mailboxes and addresses, kept for a second between two looks."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from emailflow.models import Label, Mailbox

SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True, slots=True)
class House:
    mailboxes: dict[int, Mailbox]
    addresses: frozenset[str]  # all that deliver to us, lower case
    domains: frozenset[str]  # behind the @ of our own Message-IDs
    labels_off: frozenset[str]  # labels that staff have switched off


_lock = threading.Lock()
_kept: tuple[float, House] | None = None


def our_house(needed: Collection[int] = ()) -> House:
    """At most two statements a second, unless a mailbox of ``needed`` is younger than the last look.

    Inside a transaction it is read anew and not kept.
    """
    global _kept
    kept = _kept
    fresh = kept and not connection.in_atomic_block and time.monotonic() - kept[0] < SECONDS_BETWEEN_LOOKS
    if kept and fresh and kept[1].mailboxes.keys() >= set(needed):
        return kept[1]
    looked_at = time.monotonic()
    house = _read()
    if not connection.in_atomic_block:
        with _lock:
            _kept = (looked_at, house)
    return house


def forget() -> None:
    """The next reader reads the rows."""
    global _kept
    with _lock:
        _kept = None


def _read() -> House:
    mailboxes = {row.pk: row for row in Mailbox.objects.select_related("team")}
    addresses = {
        str(address).strip().lower()
        for row in mailboxes.values()
        for address in [*row.addresses, row.from_address]
        if str(address).strip()
    }
    domains = {address.rpartition("@")[2] for address in addresses}
    # A web form may write as the mailbox itself: that is its visitor, not us.
    forms = {str(address).strip().lower() for row in mailboxes.values() for address in row.form_senders}
    return House(
        mailboxes=mailboxes,
        addresses=frozenset(addresses - forms),
        domains=frozenset(domains | {urlsplit(settings.SITE_URL).hostname or ""}),
        labels_off=frozenset(Label.objects.filter(enabled=False).values_list("slug", flat=True)),
    )
