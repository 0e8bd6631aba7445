"""Many rows of one or several tables in one INSERT, for the units of work that file mail.

``bulk_create`` builds its statement anew for every call, which costs more than the database needs to run it. On
PostgreSQL the statement is the same for any number of rows (one array a column), so it is made once, and tables
whose ids nobody waits for share one. SQLite takes ``bulk_create``.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from django.db import connection, models

Column = Callable[[Sequence[models.Model]], list[Any]]


@dataclass(frozen=True, slots=True)
class OnConflict:
    """What happens to a row that is there already; without ``unique`` the one that is there stays."""

    unique: tuple[str, ...] = ()
    update: tuple[str, ...] = ()


STAYS = OnConflict()


def insert(rows: Sequence[models.Model], conflict: OnConflict | None = None) -> None:
    """Write ``rows``, all of one model, and give them their ids (not with ``STAYS``).

    Values must be plain, not expressions. Call it inside a transaction. Raises what the database says.
    """
    if not rows:
        return
    if connection.vendor != "postgresql":
        _bulk_create(rows, conflict)
        return
    sql, columns = _statement(type(rows[0]), conflict)
    returning = conflict is not STAYS
    with connection.cursor() as cursor:
        cursor.execute(sql + (" RETURNING id" if returning else ""), [column(rows) for column in columns])
        if returning:
            for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
                row.pk = pk
    _are_written(rows)


def insert_together(tables: Sequence[tuple[Sequence[models.Model], OnConflict | None]]) -> None:
    """The same for several tables that do not refer to each other; their rows get no ids."""
    tables = [(rows, conflict) for rows, conflict in tables if rows]
    if connection.vendor != "postgresql":
        for rows, conflict in tables:
            _bulk_create(rows, conflict)
        return
    if not tables:
        return
    parts = [(_statement(type(rows[0]), conflict), rows) for rows, conflict in tables]
    named = ", ".join(f"t{number} AS ({sql})" for number, ((sql, _), _) in enumerate(parts))
    with connection.cursor() as cursor:
        # Data-modifying WITH (PostgreSQL manual, section 7.8.4): all of them run, whatever the SELECT reads.
        cursor.execute(f"WITH {named} SELECT 1", [column(rows) for (_, columns), rows in parts for column in columns])
    for rows, _ in tables:
        _are_written(rows)


def _bulk_create(rows: Sequence[models.Model], conflict: OnConflict | None) -> None:
    type(rows[0])._default_manager.bulk_create(
        rows,
        ignore_conflicts=conflict is STAYS,
        update_conflicts=bool(conflict and conflict.update),
        update_fields=conflict.update if conflict and conflict.update else None,
        unique_fields=conflict.unique if conflict and conflict.unique else None,
    )


def _are_written(rows: Sequence[models.Model]) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


@cache
def _statement(model: type[models.Model], conflict: OnConflict | None) -> tuple[str, list[Column]]:
    quote = connection.ops.quote_name
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not field.generated and not _is_counted(field)]
    names = ", ".join(quote(str(field.column)) for field in fields)
    arrays = ", ".join(f"%s::{base_type(field)}[]" for field in fields)
    sql = f"INSERT INTO {quote(meta.db_table)} ({names}) SELECT * FROM UNNEST({arrays})"
    if conflict is STAYS:
        sql += " ON CONFLICT DO NOTHING"
    elif conflict is not None:
        unique = ", ".join(quote(_name(model, name)) for name in conflict.unique)
        update = ", ".join(f"{name} = EXCLUDED.{name}" for name in (_name(model, field) for field in conflict.update))
        sql += f" ON CONFLICT ({unique}) DO UPDATE SET {update}"
    return sql, [_column(field) for field in fields]


def _name(model: type[models.Model], field: str) -> str:
    return str(model._meta.get_field(field).column)  # type: ignore[union-attr]  # not asked for a relation to us


def _is_counted(field: "models.Field[Any, Any]") -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)


def base_type(field: "models.Field[Any, Any]") -> str:
    """The column's type without its length: what is too long must be refused, not cut."""
    return re.sub(r"\(.*?\)", "", str(field.db_type(connection)))


def _column(field: "models.Field[Any, Any]") -> Column:
    if field.is_relation:
        return partial(_keys, field.name, field.attname)
    if isinstance(field, models.JSONField):
        return partial(_documents, field.attname, field.encoder)
    if isinstance(field, models.TextField | models.CharField) and not hasattr(field, "from_db_value"):
        return partial(_texts, field.attname)
    return partial(_values, field)


def _keys(name: str, attname: str, rows: Sequence[models.Model]) -> list[Any]:
    """Of related rows; one that was written after it was assigned has its key only now."""
    keys = []
    for row in rows:
        key = row.__dict__[attname]
        if key is None:
            related = row._state.fields_cache.get(name)
            if related is not None:
                key = related.pk
                setattr(row, attname, key)
        keys.append(key)
    return keys


def _texts(attname: str, rows: Sequence[models.Model]) -> list[Any]:
    return [None if (value := row.__dict__[attname]) is None else str(value) for row in rows]


def _documents(attname: str, encoder: type[json.JSONEncoder] | None, rows: Sequence[models.Model]) -> list[Any]:
    return [None if (value := row.__dict__[attname]) is None else json.dumps(value, cls=encoder) for row in rows]


def _values(field: "models.Field[Any, Any]", rows: Sequence[models.Model]) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows]
