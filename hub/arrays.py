"""Lists of texts for PostgreSQL, written quickly. For ``hub.receivers`` only.

Django hands a bulk INSERT to PostgreSQL as one array a column. psycopg escapes array elements with a regular
expression, which costs more than the INSERT itself when the texts are HTML.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.types.array import ListDumper


class TextListDumper(ListDumper):
    """The same array literal (PostgreSQL manual, section 8.15.6), with every element in quotes."""

    def dump(self, obj: list[Any]) -> Buffer | None:
        """Lists of anything but str and None are left to psycopg. Raises DataError for NUL, as psycopg does."""
        if not obj or not all(item is None or type(item) is str for item in obj):
            return super().dump(obj)
        elements = [
            "NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in obj
        ]
        literal = "{" + ",".join(elements) + "}"
        if "\x00" in literal:
            raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return literal.encode()


def use_for(connection: BaseDatabaseWrapper) -> None:
    """Let one new connection to PostgreSQL write its lists this way."""
    connection.connection.adapters.register_dumper(list, TextListDumper)
