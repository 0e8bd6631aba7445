"""Makes and drops the database objects of ``objects.py``. Idempotent; called by the receivers only."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper

from tickets.sql import objects


def drop(using: str) -> None:
    """Drop views and triggers, and remember who may read the views. Full-text objects stay."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _remember_grants(cursor)
            for trigger in objects.postgresql_triggers():
                if _exists(cursor, trigger.table):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name} ON {trigger.table}")
        else:
            for trigger in objects.sqlite_triggers():
                cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}")
        for view in objects.VIEWS:
            cursor.execute(f"DROP VIEW IF EXISTS {view}")


def make(using: str) -> None:
    """Make what is missing or differs from ``objects.py``, then give the views' readers their right again."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _make_postgresql(cursor)
        else:
            _make_sqlite(cursor)


def _rows(cursor: CursorWrapper, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    cursor.execute(sql, params)
    return list(cursor.fetchall())


def _exists(cursor: CursorWrapper, table: str) -> bool:
    return _rows(cursor, "SELECT to_regclass(%s)", [table])[0][0] is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_postgresql(cursor: CursorWrapper) -> None:
    for name, select in objects.VIEWS.items():
        comment = f"hub {_digest(select)}"
        found = _rows(cursor, "SELECT obj_description(to_regclass(%s), 'pg_class')", [name])[0][0]
        if found != comment:
            _remember_grants(cursor)
            cursor.execute(f"DROP VIEW IF EXISTS {name}")
            cursor.execute(f"CREATE VIEW {name} AS {select}")
            cursor.execute(f"COMMENT ON VIEW {name} IS '{comment}'")
    cursor.execute(objects.POSTGRESQL_FUNCTION)
    for trigger in objects.postgresql_triggers():
        cursor.execute(trigger.create)
    for index in objects.POSTGRESQL_INDEXES.values():
        cursor.execute(index)
    _grant_again(cursor)


def _remember_grants(cursor: CursorWrapper) -> None:
    """Keep the views' grants in a table: a migration that fails half-way must not lose them."""
    if not _exists(cursor, "tticket_installed"):
        return
    cursor.execute(
        "INSERT INTO tticket_installed (key, created_at) "
        "SELECT 'grant:' || c.relname || ':' || a.privilege_type || "
        "  CASE WHEN a.is_grantable THEN '+' ELSE '' END || ':' || "
        "  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, now() "
        "FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a "
        "WHERE c.relkind = 'v' AND c.relname = ANY(%s) AND c.relnamespace = current_schema()::regnamespace "
        "  AND a.grantee <> c.relowner ON CONFLICT (key) DO NOTHING",
        [list(objects.VIEWS)],
    )


def _grant_again(cursor: CursorWrapper) -> None:
    kept = [row[0] for row in _rows(cursor, "SELECT key FROM tticket_installed WHERE key LIKE 'grant:%%'")]
    for key in kept:
        _, view, privilege, grantee = key.split(":", 3)
        name = grantee.strip('"').replace('""', '"')
        known = grantee == "PUBLIC" or _rows(cursor, "SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if view in objects.VIEWS and known:
            option = " WITH GRANT OPTION" if privilege.endswith("+") else ""
            cursor.execute(f"GRANT {privilege.rstrip('+')} ON {view} TO {grantee}{option}")
    cursor.execute("DELETE FROM tticket_installed WHERE key LIKE 'grant:%%'")


def _make_sqlite(cursor: CursorWrapper) -> None:
    found = dict(_rows(cursor, "SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')"))
    for name, select in objects.VIEWS.items():
        create = f"CREATE VIEW {name} AS {select.strip()}"
        if found.get(name) != create:
            cursor.execute(f"DROP VIEW IF EXISTS {name}")
            cursor.execute(create)
    cursor.execute(objects.SQLITE_FTS_CREATE)
    missed_changes = False
    for trigger in objects.sqlite_triggers():
        if found.get(trigger.name) != trigger.create:
            missed_changes |= trigger.table == "tticket_search"
            cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}")
            cursor.execute(trigger.create)
    if missed_changes:
        cursor.execute(f"INSERT INTO {objects.SQLITE_FTS}({objects.SQLITE_FTS}) VALUES ('rebuild')")
