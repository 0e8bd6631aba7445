"""How the ways in and out are doing, in numbers, for monitoring. Every statement reads a bounded part of an index.

Nothing here counts a whole table: at a million mails that would cost seconds, every fifteen of them. What is open
stands in partial indexes and is counted up to ``CAP``; what has happened is counted for the last hour, up to
``CAP``; how much there is altogether is the highest id. States are written out, not handed over as parameters: SQLite
uses a partial index only for a condition that it can read.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from emailflow.inbound.due import pullable
from emailflow.models import Mailbox, Outcome

CAP = 10_000
_OPEN = "state IN ('received', 'waiting', 'processing')"
_TO_SEND = "state IN ('held', 'queued', 'sending')"
_HOUR = timedelta(hours=1)


@dataclass
class MailboxMeasures:
    """One mailbox that is switched on. Times in seconds; None: never yet."""

    slug: str
    last_success_age: float | None = None
    late: float = 0.0
    failures: int = 0
    waiting: int = 0
    oldest_waiting: float = 0.0
    set_aside: int = 0


@dataclass
class Measures:
    oldest_due: float = 0.0
    states: dict[str, int] = field(default_factory=dict)
    unrouted: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    rule_failures: int = 0
    highest_ids: dict[str, int] = field(default_factory=dict)
    mailboxes: list[MailboxMeasures] = field(default_factory=list)
    outbox: dict[str, int] = field(default_factory=dict)
    outbox_oldest_due: float = 0.0


def oldest_due() -> float:
    """For how many seconds the mail that is due longest has been waiting for a worker; 0 when none is."""
    return _waits("next_attempt_at", f"email_messages WHERE {_OPEN}")


def _waits(column: str, what: str) -> float:
    # PostgreSQL's clock, as in the claim: hosts' clocks differ.
    clock = "statement_timestamp()" if connection.vendor == "postgresql" else "NULL"
    rows = _rows(f"SELECT {column}, {clock} FROM {what} ORDER BY {column}, id LIMIT 1")
    return max(0.0, ((rows[0][1] or timezone.now()) - _moment(rows[0][0])).total_seconds()) if rows else 0.0


def measure() -> Measures:
    """Fifteen statements, whatever the size of the tables. Raises DatabaseError."""
    now = timezone.now()
    measures = Measures(oldest_due=oldest_due())
    mailboxes = {row.pk: _of_mailbox(row, now) for row in pullable()}
    measures.states = dict.fromkeys(("received", "waiting", "processing"), 0)
    for mailbox_pk, state, number, oldest in _open_mails():
        measures.states[state] += number
        if mailbox_pk in mailboxes:
            mailbox = mailboxes[mailbox_pk]
            mailbox.waiting += number
            mailbox.oldest_waiting = max(mailbox.oldest_waiting, (now - oldest).total_seconds())
    measures.states["failed"] = _count("email_messages WHERE state = 'failed'")
    measures.unrouted = _count("email_messages WHERE outcome = 'unrouted'")
    measures.outcomes = {str(outcome): 0 for outcome in Outcome.values if outcome}
    measures.outcomes |= _outcomes(now - _HOUR)
    measures.rule_failures = _count(
        "email_workflow_executions WHERE status = 'failed' AND created_at > %s", [_adapted(now - _HOUR)]
    )
    for mailbox_pk, number in _rows(
        "SELECT mailbox_id, count(*) FROM "
        f"(SELECT mailbox_id FROM email_deliveries WHERE state = 'unfetchable' LIMIT {CAP}) AS open GROUP BY 1"
    ):
        if mailbox_pk in mailboxes:
            mailboxes[mailbox_pk].set_aside = number
    for table in ("email_messages", "tticket_tickets", "tticket_comments", "email_outbox"):
        measures.highest_ids[table] = int(_rows(f"SELECT max(id) FROM {table}")[0][0] or 0)
    measures.mailboxes = list(mailboxes.values())
    measures.outbox = dict.fromkeys(("held", "queued", "sending"), 0)
    measures.outbox |= dict(
        _rows(
            f"SELECT state, count(*) FROM (SELECT state FROM email_outbox WHERE {_TO_SEND} "
            f"ORDER BY not_before, id LIMIT {CAP}) AS open GROUP BY 1"
        )
    )
    measures.outbox["failed"] = _count("email_outbox WHERE state = 'failed'")
    measures.outbox_oldest_due = _waits("not_before", f"email_outbox WHERE {_TO_SEND}")
    return measures


def _of_mailbox(row: Mailbox, now: datetime) -> MailboxMeasures:
    found = MailboxMeasures(row.slug, failures=row.failures)
    if row.last_success_at is not None:
        found.last_success_age = max(0.0, (now - row.last_success_at).total_seconds())
    if row.next_pull_at is not None:
        found.late = max(0.0, (now - row.next_pull_at).total_seconds())
    return found


def _open_mails() -> list[tuple[int, str, int, datetime]]:
    rows = _rows(
        "SELECT mailbox_id, state, count(*), min(stored_at) FROM (SELECT mailbox_id, state, stored_at "
        f"FROM email_messages WHERE {_OPEN} ORDER BY next_attempt_at, id LIMIT {CAP}) AS open GROUP BY 1, 2"
    )
    return [(mailbox, state, number, _moment(oldest)) for mailbox, state, number, oldest in rows]


def _outcomes(since: datetime) -> dict[str, int]:
    return dict(
        _rows(
            "SELECT outcome, count(*) FROM (SELECT outcome FROM email_messages WHERE stored_at > %s "
            f"ORDER BY stored_at DESC, id DESC LIMIT {CAP}) AS young WHERE outcome <> '' GROUP BY 1",
            [_adapted(since)],
        )
    )


def _count(what: str, params: list[Any] | None = None) -> int:
    return int(_rows(f"SELECT count(*) FROM (SELECT 1 FROM {what} LIMIT {CAP}) AS part", params)[0][0])


def _rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _adapted(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _moment(value: Any) -> datetime:
    """SQLite answers in UTC, without saying so, and sometimes with a text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)
