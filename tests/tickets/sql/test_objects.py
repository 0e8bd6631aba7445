"""Views say what the tables say, the audit log cannot be rewritten, the full text follows every change."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tests.threads import at_once
from tests.tickets.making import HUB, contact_of, open_one, team_of
from tickets import audit
from tickets.models import OPEN_STATUSES, AuditEntry, Customer, Maintenance, SearchText, Status, Ticket, User
from tickets.services.tickets import change_ticket
from tickets.sql import install, objects

pytestmark = pytest.mark.django_db


def rows(sql: str, *params: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def execute(sql: str, *params: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def moment(value: Any) -> Any:
    """SQLite's views give dates in UTC without saying so, or as text."""
    value = datetime.fromisoformat(value) if isinstance(value, str) else value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


@pytest.fixture
def many(db: None) -> list[Ticket]:
    """A ticket of every status, with and without the rows that the views join, and a merged one."""
    kim = User.objects.create_user("kim")
    customer = Customer.objects.create(name="Nordwind")
    full = {
        "contact": contact_of(customer=customer), "assigned_to_user": kim, "assigned_team": team_of(kim),
        "category": "print", "priority": "high", "source": "email",
    }  # fmt: skip
    tickets = []
    for status in Status.values:
        for fields in ({}, full):
            ticket = open_one(status, **fields)
            tickets.append(change_ticket(actor=HUB, ticket=ticket, changes={"status": status}))
    Ticket.objects.filter(pk=tickets[0].pk).update(merged_into=tickets[1])
    return tickets


def test_the_view_of_open_tickets_says_what_the_tables_say(many: list[Ticket]) -> None:
    tickets = Ticket.objects.filter(status__in=OPEN_STATUSES, merged_into=None).select_related(
        "customer", "contact", "assigned_to_user", "assigned_team"
    )
    expected = [
        {
            "id": ticket.pk, "ticket_number": ticket.ticket_number, "subject": ticket.subject,
            "status": ticket.status, "priority": ticket.priority, "category": ticket.category,
            "source": ticket.source, "customer_id": ticket.customer_id,
            "customer_name": ticket.customer.name if ticket.customer else None,
            "contact_id": ticket.contact_id, "contact_email": ticket.contact.email if ticket.contact else None,
            "assigned_to_user_id": ticket.assigned_to_user_id,
            "assigned_to": ticket.assigned_to_user.username if ticket.assigned_to_user else None,
            "assigned_team_id": ticket.assigned_team_id,
            "team_name": ticket.assigned_team.name if ticket.assigned_team else None,
            "created_at": ticket.created_at, "updated_at": ticket.updated_at,
            "first_response_at": ticket.first_response_at,
        }
        for ticket in tickets.order_by("id")
    ]  # fmt: skip
    found = rows("SELECT * FROM tticket_open_tickets ORDER BY id")
    for row in found:
        for name in ("created_at", "updated_at", "first_response_at"):
            row[name] = moment(row[name]) if row[name] is not None else None
    assert found == expected
    assert len(found) == 7


def test_the_view_of_statistics_says_what_the_tables_say(many: list[Ticket]) -> None:
    tickets = list(Ticket.objects.filter(merged_into=None))
    expected = Counter((ticket.status, ticket.priority, ticket.source) for ticket in tickets)
    found = rows("SELECT * FROM tticket_stats")
    assert {(row["status"], row["priority"], row["source"]): row["tickets"] for row in found} == dict(expected)
    for row in found:
        group = [
            t for t in tickets if (t.status, t.priority, t.source) == (row["status"], row["priority"], row["source"])
        ]
        assert row["unassigned"] == sum(ticket.assigned_to_user_id is None for ticket in group)
        assert moment(row["oldest_created_at"]) == min(ticket.created_at for ticket in group)
        assert moment(row["newest_updated_at"]) == max(ticket.updated_at for ticket in group)


class TestAuditLog:
    @pytest.fixture(autouse=True)
    def entry(self, db: None) -> None:
        """One more than those of the rules that every installation starts with."""
        audit.record(actor=HUB, action="test.done", entity="nothing")
        self.number = AuditEntry.objects.count()

    def refused(self, sql: str) -> bool:
        before = rows("SELECT * FROM tticket_audit_log ORDER BY id")
        try:
            with transaction.atomic():
                execute(sql)
        except DatabaseError as error:
            assert "append-only" in str(error)
            assert rows("SELECT * FROM tticket_audit_log ORDER BY id") == before
            return True
        return False

    def test_refuses_to_be_changed_even_while_it_is_being_maintained(self) -> None:
        for sql in (
            "UPDATE tticket_audit_log SET action = 'nothing.happened'",
            "UPDATE tticket_audit_log SET id = id + 1000",
            "UPDATE tticket_audit_log SET created_at = created_at",
        ):
            assert self.refused(sql)
        Maintenance.objects.create(reason="prune", actor="tests")
        assert self.refused("UPDATE tticket_audit_log SET action = 'nothing.happened'")

    def test_refuses_deletion_unless_a_row_says_why(self) -> None:
        assert self.refused("DELETE FROM tticket_audit_log")
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEntry.objects.all().delete()

        row = Maintenance.objects.create(reason="prune", actor="tests")
        assert execute("DELETE FROM tticket_audit_log") == self.number
        row.delete()

        audit.record(actor=HUB, action="test.done", entity="nothing")
        assert self.refused("DELETE FROM tticket_audit_log")

    def test_refuses_to_be_replaced_row_by_row(self) -> None:
        pk = AuditEntry.objects.get(action="test.done").pk
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEntry(
                pk=pk, actor_type="system", action="nothing.happened", entity_type="x", created_at=timezone.now()
            ).save()
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEntry.objects.bulk_create(
                [AuditEntry(pk=pk, actor_type="user", action="x", entity_type="x", created_at=timezone.now())],
                update_conflicts=True, unique_fields=["pk"], update_fields=["action"],
            )  # fmt: skip
        if connection.vendor == "sqlite":
            assert self.refused(
                "REPLACE INTO tticket_audit_log (id, actor_type, actor_name, action, entity_type, old_values, "
                "new_values, request_id, created_at) "
                f"VALUES ({pk}, 'user', '', 'x', 'x', '{{}}', '{{}}', '', '2025-01-01')"
            )
        assert AuditEntry.objects.get(pk=pk).action == "test.done"

    def test_refuses_to_be_emptied_at_once(self) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL knows TRUNCATE; SQLite's DELETE without a condition is tested above")
        assert self.refused("TRUNCATE tticket_audit_log")
        Maintenance.objects.create(reason="prune", actor="tests")
        execute("TRUNCATE tticket_audit_log")
        assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_maintenance_row_of_another_connection_opens_nothing_before_its_commit() -> None:
    audit.record(actor=HUB, action="test.done", entity="nothing")
    number = AuditEntry.objects.count()

    def maintain_and_take_back() -> None:
        try:
            with transaction.atomic():
                Maintenance.objects.create(reason="prune", actor="tests")
                assert execute("DELETE FROM tticket_audit_log") == number
                raise InterruptedError
        except InterruptedError:
            pass

    def delete() -> int:
        try:
            return execute("DELETE FROM tticket_audit_log")
        except DatabaseError:
            return 0

    results = at_once(maintain_and_take_back, delete)
    assert results[1] == 0
    assert AuditEntry.objects.count() == number


def matches(word: str) -> list[int]:
    return list(SearchText.objects.filter(text__full_text=word).order_by("id").values_list("id", flat=True))


class TestFullText:
    def test_follows_rows_that_are_made_changed_and_deleted(self) -> None:
        ticket = open_one()
        row = SearchText.objects.create(ticket=ticket, kind="comment", text="elephant")
        other = SearchText.objects.create(ticket=ticket, kind="comment", text="elephant giraffe")
        assert matches("elephant") == [row.pk, other.pk]

        SearchText.objects.filter(pk=row.pk).update(text="zebra")
        assert matches("elephant") == [other.pk]
        assert matches("zebra") == [row.pk]

        execute("UPDATE tticket_search SET kind = 'note' WHERE id = %s", row.pk)
        assert matches("zebra") == [row.pk]

        execute("DELETE FROM tticket_search WHERE id = %s", other.pk)
        assert matches("giraffe") == []
        execute("INSERT INTO tticket_search (ticket_id, kind, text) VALUES (%s, 'note', 'okapi')", ticket.pk)
        assert len(matches("okapi")) == 1

    def test_forgets_what_was_rolled_back(self) -> None:
        ticket = open_one()
        mark = transaction.savepoint()
        SearchText.objects.create(ticket=ticket, kind="comment", text="elephant")
        transaction.savepoint_rollback(mark)
        assert matches("elephant") == []

    def test_goes_with_its_ticket(self) -> None:
        open_one(body_text="elephant")
        Ticket.objects.all().delete()
        assert matches("elephant") == []

    def test_agrees_with_its_table(self) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("only SQLite keeps the words in a table beside: PostgreSQL's index cannot disagree")
        for number in range(20):
            open_one(f"subject {number}", body_text=f"body {number}")
        Ticket.objects.filter(pk__lt=10).delete()
        SearchText.objects.filter(kind="subject").update(text="changed")
        execute(f"INSERT INTO {objects.SQLITE_FTS}({objects.SQLITE_FTS}, rank) VALUES ('integrity-check', 1)")

    def test_uses_its_index(self) -> None:
        query = SearchText.objects.filter(text__full_text="elephant").values("id")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                execute("SET LOCAL enable_seqscan = off")
            plan = query.explain()
        wanted = "tticket_search_vector" if connection.vendor == "postgresql" else "VIRTUAL TABLE"
        assert wanted in plan


@pytest.mark.django_db(transaction=True)
def test_making_the_objects_again_changes_nothing_and_a_lost_one_comes_back() -> None:
    open_one(body_text="elephant")

    def present() -> list[dict[str, Any]]:
        if connection.vendor == "sqlite":
            return rows("SELECT type, name, sql FROM sqlite_master WHERE name LIKE 'tticket%%' ORDER BY type, name")
        return rows(
            "SELECT oid, relname AS name, relkind FROM pg_class WHERE relname LIKE 'tticket%%' "
            "UNION ALL SELECT 0, tgname, 't' FROM pg_trigger WHERE NOT tgisinternal ORDER BY 2, 1"
        )

    before = present()
    install.make("default")
    assert present() == before

    install.drop("default")
    gone = {row["name"] for row in before} - {row["name"] for row in present()}
    triggers = objects.postgresql_triggers() if connection.vendor == "postgresql" else objects.sqlite_triggers()
    assert gone == set(objects.VIEWS) | {trigger.name for trigger in triggers}
    SearchText.objects.create(ticket=Ticket.objects.get(), kind="note", text="giraffe")

    install.make("default")
    assert {row["name"] for row in present()} == {row["name"] for row in before}
    assert len(matches("elephant")) == len(matches("giraffe")) == 1
