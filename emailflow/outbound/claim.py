"""Claims rows of the outbox for one sender, and writes back what became of them, under the lease. For ``send`` only.

A row is ``sending`` while its lease runs. ``smtp_code`` 0 says that the mail server had the whole mail and has not
answered yet: it is committed before the final dot. A row that is found like this when its lease has run out may have
been delivered, and is not sent again without a person; any other one has certainly not been.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from emailflow.models import OutboxState, Outgoing
from tickets.clock import database_now

LEASE = timedelta(minutes=5)
HANDED_OVER = 0
# Written out for SQLite, which uses a partial index only for a condition that it can read.
_IN_INDEX = "state IN ('held', 'queued', 'sending')"


class LeaseLost(Exception):
    """Another sender has the row by now, or a person has taken it back."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows that are ours until the lease ends. ``lapsed``: their last sender ended without a report."""

    token: str
    rows: list[Outgoing]
    lapsed: bool = False


def is_anything_due() -> bool:
    """A look that locks nothing, for those who ask often."""
    now_sql, clock = _now()
    sql = f"SELECT 1 FROM email_outbox WHERE {_IN_INDEX} AND channel = 'mail' AND not_before <= {now_sql} LIMIT 1"
    with connection.cursor() as cursor:
        cursor.execute(sql, clock)
        return cursor.fetchone() is not None


def claim_due(limit: int) -> Claim:
    """Up to ``limit`` mails whose time has come, those due longest first. One UPDATE, committed by itself."""
    return _claim("state IN ('held', 'queued')", limit, lapsed=False)


def claim_lapsed() -> Claim:
    """One mail whose sender ended without a report. Alone: one that ends its sender takes no neighbour with it."""
    return _claim("state = 'sending'", 1, lapsed=True)


def _claim(condition: str, limit: int, *, lapsed: bool) -> Claim:
    token = uuid.uuid4().hex
    postgresql = connection.vendor == "postgresql"
    now_sql, clock = _now()
    lease_sql = "statement_timestamp() + %s" if postgresql else "%s"
    until: Any = LEASE if postgresql else connection.ops.adapt_datetimefield_value(timezone.now() + LEASE)
    sql = (
        "UPDATE email_outbox SET state = 'sending', lease_token = %s, "
        f"lease_until = {lease_sql}, not_before = {lease_sql}, attempts = attempts + 1 "
        f"WHERE id IN (SELECT id FROM email_outbox WHERE {_IN_INDEX} AND {condition} AND channel = 'mail' "
        f"AND not_before <= {now_sql} ORDER BY not_before, id LIMIT %s"
        f"{' FOR UPDATE SKIP LOCKED' if postgresql else ''}) RETURNING *"
    )
    rows = sorted(Outgoing.objects.raw(sql, [token, until, until, *clock, limit]), key=lambda row: row.pk)
    return Claim(token, rows, lapsed)


def _now() -> tuple[str, list[Any]]:
    """The clock of the database, because hosts' clocks differ, and what it takes as parameters."""
    if connection.vendor == "postgresql":
        return "statement_timestamp()", []
    return "%s", [connection.ops.adapt_datetimefield_value(timezone.now())]


def hand_over(row: Outgoing, token: str) -> None:
    """Say that the mail server is about to have the whole mail, and extend the lease. Raises LeaseLost."""
    until = database_now() + LEASE
    _write(row, token, smtp_code=HANDED_OVER, lease_until=until, not_before=until)


def report(row: Outgoing, token: str, *, state: OutboxState, **columns: Any) -> None:
    """Give the row back in its new state. Raises LeaseLost, and then nothing is written."""
    _write(row, token, state=state, lease_token="", lease_until=None, **columns)


def give_back(rows: list[Outgoing], token: str) -> None:
    """Nobody has touched these: they are due at once, and the attempt does not count."""
    now = database_now()
    for row in rows:
        Outgoing.objects.filter(pk=row.pk, state=OutboxState.SENDING, lease_token=token).update(
            state=OutboxState.QUEUED,
            lease_token="",
            lease_until=None,
            not_before=now,
            attempts=row.attempts - 1,
        )


def _write(row: Outgoing, token: str, **columns: Any) -> None:
    # UPDATE under the lease, with its row count, replaces a lock: whoever lost the lease writes nothing.
    if not Outgoing.objects.filter(pk=row.pk, state=OutboxState.SENDING, lease_token=token).update(**columns):
        raise LeaseLost(f"outgoing mail {row.pk} is in other hands")
    for name, value in columns.items():
        setattr(row, name, value)
