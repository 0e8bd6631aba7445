"""Writes what became of claimed mails back to the ledger: one UPDATE for any number of rows, under the lease.

``UPDATE ... WHERE lease_token`` with its row count replaces a lock: whoever lost the lease writes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from emailflow.models import Message


class LeaseLost(Exception):
    """Another worker has the row by now: everything of this transaction must roll back."""


def write_back(rows: Mapping[int, Mapping[str, Any]], *, token: str) -> None:
    """Set the given columns (the same for each row) of the messages ``rows`` (id -> column -> value).

    Call it inside a transaction. Raises LeaseLost when not every row was still ours.
    """
    if not rows:
        return
    columns = list(next(iter(rows.values())))
    fields = [Message._meta.pk, *(Message._meta.get_field(column) for column in columns)]
    assert all(field is not None for field in fields)
    casts = [f"%s::{field.db_type(connection)}" for field in fields]
    if connection.vendor == "postgresql":
        casts = [cast.replace("bigserial", "bigint").split(" GENERATED")[0] for cast in casts]
    else:
        casts = ["%s"] * len(fields)
    first = f"({', '.join(casts)})"
    others = [f"({', '.join(['%s'] * len(fields))})"] * (len(rows) - 1)
    values = f"WITH new (id, {', '.join(columns)}) AS (VALUES {', '.join([first, *others])}) SELECT * FROM new"
    sql = (
        f"UPDATE email_messages SET {', '.join(f'{column} = new.{column}' for column in columns)} "
        f"FROM ({values}) AS new WHERE email_messages.id = new.id AND email_messages.lease_token = %s"
    )
    params: list[Any] = []
    for pk in sorted(rows):
        params += [pk, *(_adapted(rows[pk][column]) for column in columns)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, token])
        if cursor.rowcount != len(rows):
            raise LeaseLost(f"{len(rows) - cursor.rowcount} of {len(rows)} mails are in other hands")


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


__all__: Sequence[str] = ("LeaseLost", "write_back")
