"""The floor of the ingest benchmark: what nobody who keeps mail in a database can do without.

Parse with the standard library, five INSERTs (the raw bytes in one of them), one commit a mail, on a connection of
its own, straight through the driver.
"""

import email
import email.policy
import os
import sqlite3
from collections.abc import Sequence
from itertools import count
from typing import Any

_TABLES = """
CREATE TABLE floor_raw (id bigint PRIMARY KEY, raw {bytes});
CREATE TABLE floor_ticket (id bigint PRIMARY KEY, subject text, status text, body text);
CREATE TABLE floor_comment (id bigint PRIMARY KEY, ticket bigint, body text);
CREATE TABLE floor_log (id bigint PRIMARY KEY, ticket bigint, message_id text, subject text);
CREATE TABLE floor_audit (id bigint PRIMARY KEY, ticket bigint, action text)
"""
_INSERTS = (
    "INSERT INTO floor_raw VALUES (?, ?)",
    "INSERT INTO floor_ticket VALUES (?, ?, 'open', ?)",
    "INSERT INTO floor_comment VALUES (?, ?, ?)",
    "INSERT INTO floor_log VALUES (?, ?, ?, ?)",
    "INSERT INTO floor_audit VALUES (?, ?, 'opened')",
)


class Floor:
    """Lives in the database of Hub, in tables of its own. ``close`` it."""

    def __init__(self) -> None:
        url = os.environ["DATABASE_URL"]
        self._connection: Any
        if url.startswith("sqlite"):
            self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
            self._connection.execute("PRAGMA synchronous=FULL")
            mark, kind = "?", "blob"
        else:
            import psycopg

            self._connection = psycopg.connect(url)
            mark, kind = "%s", "bytea"
        self._cursor = self._connection.cursor()
        for statement in _TABLES.format(bytes=kind).split(";"):
            self._cursor.execute(statement)
        self._connection.commit()
        self._inserts = [statement.replace("?", mark) for statement in _INSERTS]
        self._numbers = count(1)

    def file(self, mails: Sequence[bytes]) -> None:
        for raw in mails:
            message = email.message_from_bytes(raw, policy=email.policy.default)
            body = message.get_body(("plain", "html"))
            text = body.get_content() if body is not None else ""
            number, subject = next(self._numbers), str(message["Subject"])
            rows: tuple[tuple[Any, ...], ...] = (
                (number, raw),
                (number, subject, text),
                (number, number, text),
                (number, number, str(message["Message-ID"]), subject),
                (number, number),
            )
            for statement, row in zip(self._inserts, rows, strict=True):
                self._cursor.execute(statement, row)
            self._connection.commit()

    def close(self) -> None:
        self._connection.close()
