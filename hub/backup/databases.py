"""A consistent copy of the database while Hub works, and the way back. The one file that knows both databases.

A snapshot is of one moment: its rows are counted and its blobs listed in the same moment that is copied.
"""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from emailflow.blob_names import all_named_sql
from hub.backup import tools
from hub.backup.archive import BackupError

# Whoever has none of these rows has nothing to lose.
_CONTENT = ("tticket_tickets", "email_messages", "users")


@dataclass(frozen=True, slots=True)
class Snapshot:
    engine: str
    name: str
    file: Path
    rows: dict[str, int]
    migrations: list[list[str]]
    blob_names: Path
    """One hash a line, in order."""


def snapshot(folder: Path) -> Snapshot:
    """Copy the database into ``folder``. Writers go on meanwhile. Raises BackupError."""
    return _of_sqlite(folder) if connection.vendor == "sqlite" else _of_postgresql(folder)


def _of_sqlite(folder: Path) -> Snapshot:
    file, names = folder / "database.sqlite3", folder / "blob-names"
    try:
        with (
            closing(sqlite3.connect(str(connection.settings_dict["NAME"]), timeout=60)) as source,
            closing(sqlite3.connect(file)) as copy,
        ):
            # All pages in one step: one read transaction, so one moment.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
            if (said := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise BackupError(f"The database file is damaged: {said}")
            rows = {table: int(copy.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in _tables()}
            migrations = [list(row) for row in copy.execute("SELECT app, name FROM django_migrations ORDER BY id")]
            with names.open("w") as stream:
                stream.writelines(f"{row[0]}\n" for row in copy.execute(all_named_sql()))
    except sqlite3.Error as error:
        raise BackupError(f"The database cannot be copied: {error}") from error
    return Snapshot("sqlite", file.name, file, rows, migrations, names)


def _of_postgresql(folder: Path) -> Snapshot:
    file, names = folder / "database.dump", folder / "blob-names"
    program, tables = tools.tool("pg_dump"), _tables()
    # Not a race but a moment: pg_dump copies what this transaction sees, and here it is counted and listed.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        moment = cursor.fetchone()[0]
        tools.run(
            [program, "--format=custom", f"--snapshot={moment}", f"--file={file}", f"--dbname={tools.conninfo()}"]
        )
        rows = {}
        for table in tables:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            rows[table] = int(cursor.fetchone()[0])
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
        migrations = [list(row) for row in cursor.fetchall()]
        with names.open("w") as stream, connection.chunked_cursor() as chunked:
            chunked.execute(all_named_sql())
            while part := chunked.fetchmany(2000):
                stream.writelines(f"{row[0]}\n" for row in part)
    return Snapshot("postgresql", file.name, file, rows, migrations, names)


def _tables() -> list[str]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted({*names, "django_migrations"})


def count(tables: dict[str, int]) -> dict[str, int]:
    """How many rows these tables have now; -1 for one that is not there."""
    there = set(connection.introspection.table_names())
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            if table in there:
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
                found[table] = int(cursor.fetchone()[0])
            else:
                found[table] = -1
    return found


def content() -> str:
    """What is in the database that would be lost, in words; '' when there is nothing."""
    there = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in _CONTENT:
            if table in there:
                cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")
                if cursor.fetchone():
                    return f"the table {table} has rows"
    if connection.vendor == "postgresql":
        strangers = sorted(set(there) - set(_tables()))
        if strangers:
            return f"there are tables that are not Hub's, such as {strangers[0]}"
    return ""


def load(file: Path, *, keep_old: bool) -> str:
    """Put the copy in the place of the database. Raises BackupError; then nothing has changed.

    Returns a sentence about where the old database is kept, or ''.
    """
    if connection.vendor == "sqlite":
        return _load_sqlite(file, keep_old=keep_old)
    _load_postgresql(file)
    return ""


def refuse_company() -> None:
    """Raises BackupError while another program has the database open."""
    if connection.vendor == "postgresql":
        _refuse_connections()
    elif Path(str(connection.settings_dict["NAME"])).exists():
        _refuse_openers(Path(str(connection.settings_dict["NAME"])))


def _refuse_openers(target: Path) -> None:
    connection.close()
    try:
        with closing(sqlite3.connect(target, timeout=2)) as alone:
            # With a write-ahead log, this mode is refused while anybody else has the file open.
            alone.execute("PRAGMA locking_mode=EXCLUSIVE")
            alone.execute("BEGIN EXCLUSIVE")
            alone.execute("COMMIT")
            # What stands beside the file belongs into it.
            alone.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise BackupError(f"Another program has the database open: stop Hub first ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{target} is no SQLite database, or damaged: move it away first ({error}).") from error


def _load_sqlite(file: Path, *, keep_old: bool) -> str:
    target = Path(str(connection.settings_dict["NAME"]))
    old = target.with_name(f"{target.name}.replaced-{timezone.now():%Y%m%d-%H%M%S}")
    refuse_company()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and keep_old:
        target.replace(old)
    # A stranger's write-ahead log would damage the new file.
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    file.replace(target)
    return f"The old database is kept as {old}." if old.exists() else ""


def _load_postgresql(file: Path) -> None:
    refuse_company()
    pg_restore, psql = tools.tool("pg_restore"), tools.tool("psql")
    drops = _drops()
    connection.close()
    with (
        tempfile.TemporaryFile() as complaints,
        _piped([pg_restore, "--no-owner", "--no-privileges", "--file=-", str(file)]) as dump,
    ):
        loader = subprocess.Popen(  # noqa: S603
            [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", tools.conninfo()],
            env=tools.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        assert loader.stdin is not None and dump.stdout is not None
        try:
            # One transaction that is ended only when the whole dump was read: else psql rolls it back.
            loader.stdin.write("".join(["BEGIN;\n", *drops]).encode())
            shutil.copyfileobj(dump.stdout, loader.stdin, 1 << 20)
            read_well = dump.wait() == 0
            loader.stdin.write(b"\nCOMMIT;\n" if read_well else b"\nROLLBACK;\n")
            loader.stdin.close()
        except BrokenPipeError:
            read_well = True
        loaded_well = loader.wait() == 0
        complaints.seek(0)
        said = complaints.read().decode(errors="replace")
    if not read_well:
        raise BackupError("pg_restore cannot read the copy of the database in this backup.")
    if not loaded_well:
        raise tools.failed(psql, said)


@contextmanager
def _piped(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield process
    finally:
        if process.stdout:
            process.stdout.close()
        process.kill()
        process.wait()


def _refuse_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"
        )
        others = cursor.fetchone()[0]
    if others:
        raise BackupError(
            f"{others} other connection{'' if others == 1 else 's'} to the database: stop Hub on every machine first."
        )


def _drops() -> list[str]:
    """Statements that empty the schema, but for what extensions brought."""
    kinds = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE"}
    ours = "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = o.oid AND d.deptype = 'e')"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.relkind::text, o.oid::regclass::text FROM pg_class o "
            f"WHERE o.relnamespace = current_schema()::regnamespace AND o.relkind = ANY(%s) AND {ours} "
            "ORDER BY position(o.relkind::text IN 'vmrpS')",
            [list(kinds)],
        )
        drops = [f"DROP {kinds[kind]} IF EXISTS {name} CASCADE;\n" for kind, name in cursor.fetchall()]
        cursor.execute(
            "SELECT o.oid::regprocedure::text FROM pg_proc o "
            f"WHERE o.pronamespace = current_schema()::regnamespace AND o.prokind = 'f' AND {ours}"
        )
        return drops + [f"DROP FUNCTION IF EXISTS {name} CASCADE;\n" for (name,) in cursor.fetchall()]
