"""Writes what became of claimed mails back to the ledger: one UPDATE for any number of rows, under the lease.

``UPDATE ... WHERE lease_token`` with its row count replaces a lock: whoever lost the lease writes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from emailflow.models import Message
from tickets.sql.insert import base_type


class LeaseLost(Exception):
    """Another worker has the row by now: everything of this transaction must roll back."""


def write_back(rows: Mapping[int, Mapping[str, Any]], *, token: str) -> None:
    """Set the given columns (the same for each row) of the messages ``rows`` (id -> column -> value).

    Call it inside a transaction. Raises LeaseLost when not every row was still ours.
    """
    if not rows:
        return
    columns = list(next(iter(rows.values())))
    ids = sorted(rows)
    if connection.vendor == "postgresql":
        # One array a column: the statement is the same for any number of rows.
        types = ", ".join(f"%s::{_type(column)}[]" for column in ["id", *columns])
        new = f"SELECT * FROM UNNEST({types}) AS rows (id, {', '.join(columns)})"
        params: list[Any] = [ids, *([rows[pk][column] for pk in ids] for column in columns)]
    else:
        marks = f"({', '.join(['%s'] * (len(columns) + 1))})"
        new = f"WITH rows (id, {', '.join(columns)}) AS (VALUES {', '.join([marks] * len(ids))}) SELECT * FROM rows"
        params = [value for pk in ids for value in (pk, *(_adapted(rows[pk][column]) for column in columns))]
    sql = (
        f"UPDATE email_messages SET {', '.join(f'{column} = new.{column}' for column in columns)} "
        f"FROM ({new}) AS new WHERE email_messages.id = new.id AND email_messages.lease_token = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, token])
        if cursor.rowcount != len(rows):
            raise LeaseLost(f"{len(rows) - cursor.rowcount} of {len(rows)} mails are in other hands")


@cache
def _type(column: str) -> str:
    field = Message._meta.pk if column == "id" else Message._meta.get_field(column)
    return base_type(field)  # type: ignore[arg-type]  # never a relation to us


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
