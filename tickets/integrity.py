"""What must hold in the tables of tickets, looked at row by row while Hub works. Used by ``check_integrity``.

Each check yields problems. A writer may be between two of our looks, so what seems wrong is looked at once more,
under its lock, before it is told. A problem may bring its own repair.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from tickets import numbering
from tickets.models import AuditEntry, Comment, Ticket, TicketNumber
from tickets.services import search_texts
from tickets.sql import install, objects

BATCH = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """In words, with the ids that somebody needs to look further. ``repair`` says whether it did."""

    words: str
    repair: Callable[[], bool] | None = None


Check = Callable[[], Iterator[Problem]]


def in_batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """All rows by their key, a batch at a time: no cursor stays open and no memory grows."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def database_itself() -> Iterator[Problem]:
    """SQLite: the file and its foreign keys. PostgreSQL keeps those itself."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check(20)")
        yield from (Problem(f"The database file: {row[0]}") for row in cursor.fetchall() if row[0] != "ok")
        cursor.execute("PRAGMA foreign_key_check")
        for table, row, parent, _ in cursor.fetchmany(100):
            yield Problem(f"Row {row} of {table} names a row of {parent} that is not there")


def database_objects() -> Iterator[Problem]:
    """Views, triggers and full-text objects are there, and the full-text index fits its table."""
    repair = partial(_again, partial(install.make, DEFAULT_DB_ALIAS))
    for name in sorted(_wanted_objects() - _existing_objects()):
        yield Problem(f"The view, trigger or index {name} is missing", repair)
    if connection.vendor == "sqlite" and not _full_text_fits():
        yield Problem("The full-text index does not fit the texts", partial(_again, _rebuild_full_text))


def opening_comments() -> Iterator[Problem]:
    """Every ticket has its first message, unless that was moved to another ticket."""
    without = Ticket.objects.filter(~Exists(Comment.objects.filter(ticket=OuterRef("pk")))).only("ticket_number")
    for batch in in_batches(without):
        for ticket in batch:
            moved = AuditEntry.objects.filter(action="mail.moved", old_values__ticket=ticket.pk)
            if not moved.exists():
                yield Problem(f"{ticket.ticket_number} has no opening comment")


def counters() -> Iterator[Problem]:
    """No day's counter is below a number that was given: the next ticket would get it again."""
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(ticket_number, 5, 8), max(CAST(substr(ticket_number, 14) AS integer)) "
            f"FROM tticket_tickets WHERE ticket_number {'~' if postgresql else 'GLOB'} %s GROUP BY 1 ORDER BY 1",
            [r"^TKT-\d{8}-\d+$" if postgresql else "TKT-????????-[0-9]*"],
        )
        highest = dict(cursor.fetchall())
    last = {f"{row.day:%Y%m%d}": row.last for row in TicketNumber.objects.all()}
    for day, number in highest.items():
        if last.get(day, 0) < number:
            yield Problem(
                f"The counter of {day} is at {last.get(day, 0)}, and the number {number} is given",
                partial(_again, partial(numbering.raise_to, day, number)),
            )


def search_rows() -> Iterator[Problem]:
    """Every subject, message and file name has its row in the search, and no row is left over."""
    for batch in in_batches(Ticket.objects.only("ticket_number", "subject")):
        for ticket in search_texts.wrong(batch):
            if search_texts.wrong_now(ticket):
                yield Problem(
                    f"The search rows of {ticket.ticket_number} do not fit its texts",
                    partial(_again, partial(search_texts.rebuild, ticket)),
                )


def sequences() -> Iterator[Problem]:
    """No sequence is below the highest id of its table: the next insert would fail."""
    for table, column in _id_columns():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT coalesce(max("{column}"), 0) FROM "{table}"')
            highest = int(cursor.fetchone()[0])
            # After the table: a sequence only grows.
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)", [table, column]
                )
            else:
                cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            row = cursor.fetchone()
        if highest > int(row[0] or 0 if row else 0):
            yield Problem(
                f"The ids of {table} go on below {highest}", partial(_again, partial(_raise_ids, table, column))
            )


CHECKS: tuple[tuple[str, Check], ...] = (
    ("database", database_itself),
    ("views, triggers and full text", database_objects),
    ("ids", sequences),
    ("ticket numbers", counters),
    ("opening comments", opening_comments),
    ("search", search_rows),
)


def _again(repair: Callable[[], object]) -> bool:
    repair()
    return True


def _wanted_objects() -> set[str]:
    if connection.vendor == "postgresql":
        triggers = {trigger.name for trigger in objects.postgresql_triggers()}
        return {*objects.VIEWS, *triggers, *objects.POSTGRESQL_INDEXES}
    return {*objects.VIEWS, *(trigger.name for trigger in objects.sqlite_triggers()), objects.SQLITE_FTS}


def _existing_objects() -> set[str]:
    if connection.vendor == "postgresql":
        sql = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace UNION "
        sql += "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
    else:
        sql = "SELECT name FROM sqlite_master"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {row[0] for row in cursor.fetchall()}


def _full_text_fits() -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {objects.SQLITE_FTS}({objects.SQLITE_FTS}, rank) VALUES ('integrity-check', 1)"
            )
    except DatabaseError:
        return False
    return True


def _rebuild_full_text() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {objects.SQLITE_FTS}({objects.SQLITE_FTS}) VALUES ('rebuild')")


def _id_columns() -> list[tuple[str, str]]:
    """Of all tables, those of other apps too, whose ids the database gives."""
    tables = set(connection.introspection.table_names())
    found = set()
    for model in apps.get_models(include_auto_created=True):
        key = model._meta.pk
        if model._meta.managed and model._meta.db_table in tables and key.get_internal_type().endswith("AutoField"):
            found.add((model._meta.db_table, str(key.column)))
    return sorted(found)


def _raise_ids(table: str, column: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f'SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT max("{column}") FROM "{table}"))',
                [table, column],
            )
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute(
                f'INSERT INTO sqlite_sequence (name, seq) SELECT %s, max("{column}") FROM "{table}"', [table]
            )
