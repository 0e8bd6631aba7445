"""Claims due mails for one worker. The claim is committed before the work starts.

A row that was claimed and never reported back had a worker that died or hung: from then on it is claimed
alone, so that a mail that kills its worker takes no neighbour with it, and after five tries it is failed.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from emailflow.models import Message

LEASE = timedelta(minutes=3)
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows that are ours until the lease ends. ``alone``: their last attempt ended without a report."""

    token: str
    messages: list[Message]
    alone: bool = False


def claim_group(limit: int) -> Claim:
    """Up to ``limit`` due rows, oldest first. One UPDATE, committed by itself."""
    return _claim("state IN ('received', 'waiting') AND NOT alone", limit, alone=False)


def claim_lapsed() -> Claim:
    """One due row whose last attempt ended without a report."""
    return _claim("(state = 'processing' OR (state IN ('received', 'waiting') AND alone))", 1, alone=True)


def claim_one(message_pk: int) -> Claim:
    """That row, if it is due or waits, whoever may have it next. For those who wait for the answer."""
    return _claim(f"state IN ('received', 'waiting') AND id = {int(message_pk)}", 1, alone=False, due=False)


def _claim(condition: str, limit: int, *, alone: bool, due: bool = True) -> Claim:
    token = uuid.uuid4().hex
    postgresql = connection.vendor == "postgresql"
    now_sql = "statement_timestamp()" if postgresql else "%s"
    lease_sql = "statement_timestamp() + %s" if postgresql else "%s"
    now = timezone.now()
    clock: list[Any] = [] if postgresql else [connection.ops.adapt_datetimefield_value(now)]
    until: Any = LEASE if postgresql else connection.ops.adapt_datetimefield_value(now + LEASE)
    when = f"next_attempt_at <= {now_sql}" if due else "TRUE"
    sql = (
        "UPDATE email_messages SET state = 'processing', lease_token = %s, "
        f"lease_until = {lease_sql}, next_attempt_at = {lease_sql}, attempts = attempts + 1"
        f"{', alone = TRUE' if alone else ''} "
        f"WHERE id IN (SELECT id FROM email_messages WHERE {condition} AND {when} "
        f"ORDER BY next_attempt_at, id LIMIT %s{' FOR UPDATE SKIP LOCKED' if postgresql else ''}) "
        "RETURNING *"
    )
    params = [token, until, until, *(clock if due else []), limit]
    rows = sorted(Message.objects.raw(sql, params), key=lambda row: (row.received_at, row.pk))
    return Claim(token, rows, alone)
