"""A mail locks the tickets that it leads to, and looks at no others, however many there are."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from emailflow.inbound.locking import lock
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def tickets() -> list[Ticket]:
    now = timezone.now()
    rows = [Ticket(ticket_number=f"TKT-20260101-{n:03}", created_at=now, updated_at=now) for n in range(1, 301)]
    return Ticket.objects.bulk_create(rows)


def test_merged_ticket_is_locked_together_with_the_one_it_went_into(tickets: list[Ticket]) -> None:
    source, target, other = tickets[:3]
    Ticket.objects.filter(pk=source.pk).update(merged_into=target)

    with transaction.atomic():
        assert list(lock({source.pk, other.pk})) == [source.pk, target.pk, other.pk]
        assert list(lock({other.pk})) == [other.pk]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="reads the plan of PostgreSQL")
def test_lock_looks_at_no_other_tickets(tickets: list[Ticket]) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        lock({tickets[150].pk})
    with connection.cursor() as cursor:
        # In a table as small as this one, reading all of it would be right.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE) {queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "tticket_tickets" in plan
    assert "Rows Removed by Filter: 299" not in plan, plan
