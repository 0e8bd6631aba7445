"""Empties the tables after a test that commits, the append-only ones too.

Their triggers let a DELETE through while a row in ``tticket_maintenance`` says so: the flush of Django writes that
row first and removes it last, in its one transaction.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import connection

_TABLE = "tticket_maintenance"


@pytest.fixture(scope="session", autouse=True)
def flush_passes_append_only_tables() -> Iterator[None]:
    # On the class: a browser test has a thread, and so a connection, of its own.
    kind: Any = type(connection.ops)
    plain = kind.sql_flush

    def sql_flush(self: Any, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        statements = plain(self, style, [table for table in tables if table != _TABLE], **options)
        if statements:
            statements.insert(
                0, f"INSERT INTO {_TABLE} (reason, actor, created_at) VALUES ('test', 'test', CURRENT_TIMESTAMP)"
            )
            statements.append(f"DELETE FROM {_TABLE}")
        return list(statements)

    kind.sql_flush = sql_flush
    yield
    kind.sql_flush = plain
