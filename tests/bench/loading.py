"""Fills PostgreSQL with what years of mail leave behind, for ``tests.bench.growth``: millions of rows in minutes.

Rows are made by the database itself (``loading_sql``), two tables at a time. Foreign keys, unique constraints and
indexes are dropped before and made again afterwards, as they were: so the data has proved that it satisfies them.
Triggers stay.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg

from tests.bench import loading_sql
from tests.bench.letters import WORDS

TEXTS = 4000
_WORKERS = 2
_SESSION = (
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '256MB'",
    "SET max_parallel_maintenance_workers = 1",
    "SET max_parallel_workers_per_gather = 1",
    "SET TIME ZONE 'UTC'",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: how much, how long it took, and the first id of the mail log that belongs to it."""

    tickets: int
    comments: int
    seconds: float
    cpu_seconds: float
    """Of the server: what it would have taken one processor that does nothing else."""
    first_log: int
    megabytes: int
    steps: dict[str, float]


def load(tickets: int, comments: int) -> Loaded:
    """Add ``tickets`` with ``comments`` (at least as many: the opening ones count) and all that belongs to them.

    Into the database of ``DATABASE_URL``, beside what is there; nobody else may use it meanwhile. It ends vacuumed,
    analyzed and with a checkpoint, so that nothing of it runs on while something is measured.
    """
    begun = time.perf_counter()
    _staff()
    clock = _Steps()
    with _connect() as session:
        used = _cpu_seconds(session)
        first = loading_sql.First(*(_largest(session, table) + 1 for table in loading_sql.First.tables()))
        clock.run("plan", lambda: _plan(session, tickets, comments))
        with _without_indexes(session, clock):
            jobs = loading_sql.inserts(first)
            clock.run("rows", lambda: _in_parallel(jobs))
        for table in loading_sql.TABLES:
            _set_sequence(session, table)
        session.execute(loading_sql.COUNTERS)
        for table in loading_sql.PLAN_TABLES:
            session.execute(f"DROP TABLE {table}")
        vacuums = [[f"VACUUM (ANALYZE, PARALLEL 0) {table}"] for table in loading_sql.TABLES]
        clock.run("vacuum", lambda: _in_parallel(vacuums))
        clock.run("checkpoint", lambda: session.execute("CHECKPOINT"))
        size = _one(session, "SELECT pg_database_size(current_database())")
        used = _cpu_seconds(session) - used
    seconds = time.perf_counter() - begun
    return Loaded(tickets, comments, seconds, used, first.log, size // 1024**2, clock.seconds)


def _cpu_seconds(session: "psycopg.Connection[Any]") -> float:
    """Of all processes that the server has had: it runs on this machine."""
    backend = psutil.Process(session.info.backend_pid)
    server = backend.parent()
    assert server is not None
    running = [process.cpu_times() for process in server.children()]
    return sum(server.cpu_times()[:4]) + sum(times.user + times.system for times in running)


class _Steps:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], object]) -> None:
        begun = time.perf_counter()
        work()
        self.seconds[name] = round(time.perf_counter() - begun, 1)


@contextmanager
def _without_indexes(session: "psycopg.Connection[Any]", clock: _Steps) -> Iterator[None]:
    """Drops foreign keys, unique constraints and indexes of the loaded tables, and makes them again.

    Not after an exception: then the database is of no use any more.
    """
    constraints, indexes = _constraints(session), _indexes(session)
    for table in loading_sql.TABLES:
        session.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    # Foreign keys first: they hang on the others.
    for table, name, _, _ in sorted(constraints, key=lambda constraint: constraint[2] != "f"):
        session.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for name, _ in indexes:
        session.execute(f'DROP INDEX "{name}"')
    yield
    # The full-text index takes longest: it begins first.
    made = [[sql] for _, sql in sorted(indexes, key=lambda index: "USING gin" not in index[1])]
    made += [[_added(constraint)] for constraint in constraints if constraint[2] == "u"]
    clock.run("indexes", lambda: _in_parallel(made))
    # One after the other: each locks two tables.
    foreign = [_added(constraint) for constraint in constraints if constraint[2] == "f"]
    clock.run("foreign keys", lambda: _in_parallel([foreign]))
    for table in loading_sql.TABLES:
        session.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")
    if (_constraints(session), _indexes(session)) != (constraints, indexes):
        raise RuntimeError("the loader has not made all constraints and indexes again")


def _added(constraint: tuple[str, str, str, str]) -> str:
    table, name, _, definition = constraint
    return f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'


def _constraints(session: "psycopg.Connection[Any]") -> list[tuple[str, str, str, str]]:
    query = (
        "SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype IN ('f', 'u') AND conrelid::regclass::text = ANY(%s) ORDER BY 1, 2"
    )
    return session.execute(query, [list(loading_sql.TABLES)]).fetchall()


def _indexes(session: "psycopg.Connection[Any]") -> list[tuple[str, str]]:
    query = (
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i "
        "WHERE indrelid::regclass::text = ANY(%s) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u')) ORDER BY 1"
    )
    return session.execute(query, [list(loading_sql.TABLES)]).fetchall()


def _in_parallel(jobs: Sequence[Sequence[str]]) -> None:
    """Each job's statements one after the other, the jobs two at a time."""
    workers = ThreadPoolExecutor(_WORKERS)
    try:
        for done in [workers.submit(_execute, job) for job in jobs]:
            done.result()
    finally:
        # After Ctrl-C: what still runs ends with the server.
        workers.shutdown(wait=False, cancel_futures=True)


def _execute(statements: Sequence[str]) -> None:
    with _connect() as session:
        for sql in statements:
            session.execute(sql)


def _connect() -> "psycopg.Connection[Any]":
    session = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    for setting in _SESSION:
        session.execute(setting)
    return session


def _one(session: "psycopg.Connection[Any]", sql: str) -> int:
    row = session.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _largest(session: "psycopg.Connection[Any]", table: str) -> int:
    return _one(session, f"SELECT coalesce(max(id), 0) FROM {table}")


def _set_sequence(session: "psycopg.Connection[Any]", table: str) -> None:
    if table in loading_sql.WITHOUT_ID:
        return
    largest = _largest(session, table)
    if largest:
        session.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, largest])


def _plan(session: "psycopg.Connection[Any]", tickets: int, comments: int) -> None:
    """What each comment is, and each ticket: all other rows follow from it."""
    for sql in loading_sql.plan(tickets, comments):
        session.execute(sql)
    with session.cursor().copy("COPY load_texts (n, text, subject) FROM STDIN") as copy:
        for number, (text, subject) in enumerate(_texts()):
            copy.write_row((number, text, subject))
    for table in loading_sql.PLAN_TABLES:
        session.execute(f"ANALYZE {table}")


def _texts() -> list[tuple[str, str]]:
    """Texts of 10 to 30 words: half of them common ones, the rest from a large vocabulary, few of them often."""
    chance = random.Random(1)
    common = [word for words in WORDS.values() for word in words.split()]
    syllables = [a + b for a in "bdfghjklmnprstv" for b in "aeiouyæøå"]
    rare = ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(30_000)]

    def words(number: int) -> str:
        return " ".join(
            chance.choice(common) if chance.random() < 0.5 else rare[int(len(rare) * chance.random() ** 3)]
            for _ in range(number)
        )

    return [(words(chance.randint(10, 30)), words(5)) for _ in range(TEXTS)]


def _staff() -> None:
    """Some people and teams who have answered."""
    from tickets.models import Team, User

    if not User.objects.filter(username__startswith="agent").exists():
        User.objects.bulk_create([User(username=f"agent{number}", password="!") for number in range(20)])
        Team.objects.bulk_create([Team(name=f"Team {number}") for number in range(5)])
