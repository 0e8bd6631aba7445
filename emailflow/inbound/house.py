"""What the steps know of our own side: mailboxes and addresses, kept for a second between two looks."""

import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from emailflow.models import Mailbox

SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True, slots=True)
class House:
    mailboxes: dict[int, Mailbox]
    addresses: frozenset[str]  # all that deliver to us, lower case
    domains: frozenset[str]  # behind the @ of our own Message-IDs


_lock = threading.Lock()
_kept: tuple[float, House] | None = None


def our_house() -> House:
    """At most one statement a second. Inside a transaction it is read anew and not kept."""
    global _kept
    kept = _kept
    if kept and not connection.in_atomic_block and time.monotonic() - kept[0] < SECONDS_BETWEEN_LOOKS:
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
    return House(mailboxes, frozenset(addresses), frozenset(domains | {urlsplit(settings.SITE_URL).hostname or ""}))
