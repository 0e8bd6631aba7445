"""How fast mail becomes tickets, against a floor measured in the same run: ``python -m tests.bench.ingest``.

The floor is what nobody can do without: parse with the standard library, five INSERTs, one commit a mail.
Floor and Hub take turns on slices of the same mail, so that a machine that speeds up or slows down does so for
both. PostgreSQL runs with fsync and synchronous_commit on.
"""

import argparse
import email
import email.policy
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.letters import letters
from tests.postgresql import Postgresql

SLICE = 100
GROUP = 50

_FLOOR_TABLES = """
CREATE TABLE floor_raw (id bigint PRIMARY KEY, raw {bytes});
CREATE TABLE floor_ticket (id bigint PRIMARY KEY, subject text, status text, body text);
CREATE TABLE floor_comment (id bigint PRIMARY KEY, ticket bigint, body text);
CREATE TABLE floor_log (id bigint PRIMARY KEY, ticket bigint, message_id text, subject text);
CREATE TABLE floor_audit (id bigint PRIMARY KEY, ticket bigint, action text)
"""


@dataclass
class Clock:
    """Seconds and mails of one way of doing it."""

    seconds: float = 0.0
    mails: int = 0
    slices: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], object], mails: int) -> None:
        begun = time.perf_counter()
        work()
        spent = time.perf_counter() - begun
        self.seconds += spent
        self.mails += mails
        self.slices.append(mails / spent)

    @property
    def rate(self) -> float:
        return self.mails / self.seconds if self.seconds else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-", dir=options.folder))
    server: Postgresql | None = None
    try:
        url = f"sqlite:///{folder / 'hub.sqlite3'}"
        if options.database == "postgresql":
            server = Postgresql(folder, durable=True)
            url = server.start()
        _prepare(folder, url)
        figures = _measure(options, folder)
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures) if options.json else _table(figures))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=1200, help="mails for each way of doing it (default 1200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--folder", help="where data and database live while it runs (default: the temporary folder)")
    parser.add_argument("--stages", action="store_true", help="also print the time of each stage")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


def _prepare(folder: Path, url: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": url,
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from django.db import connection

    logging.disable(logging.WARNING)
    floor, single, group = Clock(), Clock(), Clock()
    floor_connection, store_floor = _floor()
    warm = list(letters(2 * SLICE, options.seed + 1000))
    _single(warm[:SLICE])
    _grouped(warm[SLICE:])
    ways = [
        (floor, store_floor, list(letters(options.mails, options.seed + 1))),
        (single, _single, list(letters(options.mails, options.seed + 2))),
        (group, _grouped, list(letters(options.mails, options.seed + 3))),
    ]
    for start in range(0, options.mails, SLICE):
        for clock, work, mails in ways:
            part = mails[start : start + SLICE]
            clock.time(lambda work=work, part=part: work(part), len(part))  # type: ignore[misc]
    floor_connection.close()
    sql_new, sql_reply, sql_group = _statements(options.seed)
    one, two = _two_processes(options, folder)
    figures: dict[str, Any] = {
        "database": connection.vendor,
        "mails": options.mails,
        "floor_mps": round(floor.rate, 1),
        "single_mps": round(single.rate, 1),
        "group_mps": round(group.rate, 1),
        "ratio_single": round(single.rate / floor.rate, 2),
        "ratio_group": round(group.rate / floor.rate, 2),
        "one_process_mps": round(one, 1),
        "two_processes_mps": round(two, 1),
        "ratio_two": round(two / one, 2),
        "sql_new": sql_new,
        "sql_reply": sql_reply,
        "sql_group": sql_group,
    }
    if options.stages:
        figures["stages_ms"] = _stages(options.seed)
    return figures


def _floor() -> tuple[Any, Callable[[Sequence[bytes]], None]]:
    """Parse with the standard library, five INSERTs, one commit a mail, on a connection of its own."""
    from django.db import connection

    if connection.vendor == "postgresql":
        import psycopg

        raw_connection: Any = psycopg.connect(os.environ["DATABASE_URL"])
        mark, kind = "%s", "bytea"
    else:
        import sqlite3

        raw_connection = sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///"), timeout=20)
        raw_connection.execute("PRAGMA synchronous=FULL")
        mark, kind = "?", "blob"
    cursor = raw_connection.cursor()
    for statement in _FLOOR_TABLES.format(bytes=kind).split(";"):
        cursor.execute(statement)
    raw_connection.commit()
    numbers = iter(range(1, 10_000_000))

    def store(mails: Sequence[bytes]) -> None:
        for raw in mails:
            message = email.message_from_bytes(raw, policy=email.policy.default)
            body = message.get_body(("plain", "html"))
            text = body.get_content() if body is not None else ""
            number, subject = next(numbers), str(message["Subject"])
            message_id = str(message["Message-ID"])
            cursor.execute(f"INSERT INTO floor_raw VALUES ({mark}, {mark})", (number, raw))
            cursor.execute(f"INSERT INTO floor_ticket VALUES ({mark}, {mark}, 'open', {mark})", (number, subject, text))
            cursor.execute(f"INSERT INTO floor_comment VALUES ({mark}, {mark}, {mark})", (number, number, text))
            cursor.execute(
                f"INSERT INTO floor_log VALUES ({mark}, {mark}, {mark}, {mark})", (number, number, message_id, subject)
            )
            cursor.execute(f"INSERT INTO floor_audit VALUES ({mark}, {mark}, 'opened')", (number, number))
            raw_connection.commit()

    return raw_connection, store


def _mailbox() -> Any:
    from emailflow.models import Mailbox

    return Mailbox.objects.get_or_create(
        slug="bench", defaults={"name": "Bench", "protocol": "maildir", "addresses": ["support@hub.example"]}
    )[0]


def _store(mails: Sequence[bytes]) -> None:
    from emailflow.inbound.receive import Incoming, receive_many

    mailbox = _mailbox()
    for start in range(0, len(mails), GROUP):
        receive_many([Incoming(raw, mailbox) for raw in mails[start : start + GROUP]])


def _single(mails: Sequence[bytes]) -> None:
    """Stored and claimed by fifty, as a source delivers them; filed in one transaction a mail."""
    from emailflow.inbound.claim import Claim, claim_group
    from emailflow.inbound.pipeline import process_claim

    _store(mails)
    while (claim := claim_group(GROUP)).messages:
        for message in claim.messages:
            process_claim(Claim(claim.token, [message]))


def _grouped(mails: Sequence[bytes]) -> None:
    """A backlog: stored, claimed and filed by fifty."""
    from emailflow.inbound.pipeline import process_due

    _store(mails)
    while process_due(GROUP):
        pass


_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")


@contextmanager
def _counting(counts: list[int]) -> Any:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        yield
    counts.append(sum(not query["sql"].startswith(_NOT_COUNTED) for query in queries))


def _statements(seed: int) -> tuple[int, int, int]:
    """Statements to process one new mail, one reply, and a group of fifty with storing and claiming."""
    from emailflow.inbound.pipeline import process_due
    from tests.mails import mail

    sender = "warm@customer1.example"
    _grouped([mail(sender=sender, message_id=f"<warm-{seed}@customer1.example>", to="support@hub.example")])
    counts: list[int] = []
    _store([mail(sender=sender, to="bench@hub.example")])
    with _counting(counts):
        process_due(1)
    _store([mail(sender=sender, in_reply_to=f"<warm-{seed}@customer1.example>")])
    with _counting(counts):
        process_due(1)
    with _counting(counts):
        _grouped(list(letters(GROUP, seed + 4)))
    return counts[0], counts[1], counts[2]


def _two_processes(options: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Mails a second with one and with two worker processes on a stored backlog."""
    rates = []
    for workers in (1, 2):
        _store(list(letters(options.mails, options.seed + 10 + workers)))
        command = [sys.executable, "-m", "tests.bench.worker"]
        ready, go = folder / f"ready{workers}", folder / f"go{workers}"
        ready.mkdir()
        processes = [subprocess.Popen([*command, str(ready), str(go)], env=dict(os.environ)) for _ in range(workers)]
        while len(list(ready.iterdir())) < workers:
            time.sleep(0.01)
        begun = time.perf_counter()
        go.touch()
        for process in processes:
            if process.wait():
                raise RuntimeError("a worker of the benchmark failed")
        rates.append(options.mails / (time.perf_counter() - begun))
    return rates[0], rates[1]


def _stages(seed: int) -> dict[str, float]:
    """Milliseconds a mail of each step, in groups of fifty."""
    from emailflow.inbound import apply, pipeline
    from emailflow.inbound.claim import claim_group
    from emailflow.inbound.house import our_house
    from emailflow.inbound.receive import Incoming, receive_many
    from emailflow.inbound.work import Work
    from emailflow.workflow.store import load_workflows

    mails = list(letters(500, seed + 20))
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = work()
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun
        return result

    mailbox = _mailbox()
    for start in range(0, len(mails), GROUP):
        part = [Incoming(raw, mailbox) for raw in mails[start : start + GROUP]]
        timed("store", lambda part=part: receive_many(part))  # type: ignore[misc]
        claim = timed("claim", lambda: claim_group(GROUP))
        house = our_house({mailbox.pk})
        works = [Work(message) for message in claim.messages]
        for step in pipeline.STEPS:
            timed(step.__name__, lambda step=step, works=works, house=house: step(works, house))  # type: ignore[misc]
        timed(
            "apply",
            lambda works=works, claim=claim, house=house: apply.apply_works(  # type: ignore[misc]
                works, house=house, workflows=load_workflows, token=claim.token
            ),
        )
    return {name: round(1000 * seconds / len(mails), 2) for name, seconds in spent.items()}


def _table(figures: dict[str, Any]) -> str:
    bars = {"ratio_single": 0.6, "ratio_group": 1.1, "ratio_two": 1.7}
    limits = {"sql_new": 16, "sql_reply": 14, "sql_group": 40 if figures["database"] == "postgresql" else 60}
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{'':4}{stage:<20} {ms:>8} ms" for stage, ms in value.items()]
            continue
        wanted = (
            f"  (at least {bars[name]})" if name in bars else f"  (at most {limits[name]})" if name in limits else ""
        )
        lines.append(f"{name:<20} {value:>10}{wanted}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
