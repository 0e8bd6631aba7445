"""Several worker hosts on one PostgreSQL and one object store: ``python -m tests.bench.hosts``.

Each host is a network namespace with a data folder of its own; PostgreSQL (with fsync and synchronous_commit) and
moto's S3 server run outside. Every tenth mail is offered to two hosts, as a mail server does that did not hear "done".
Measured with one host and with two; then everything is counted. Needs root and iproute2.
"""

import argparse
import email
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from cryptography.fernet import Fernet

from tests.bench.letters import letters
from tests.bench.namespaces import Network, why_not
from tests.objectstore import KEYS, REGION, client, make_bucket
from tests.postgresql import Postgresql, free_port

PROJECT = Path(__file__).resolve().parents[2]
TWICE = 10  # every so many mails are offered to two hosts
DRAIN_SECONDS = 180


@dataclass
class Measured:
    """What one number of hosts did with the mails. ``wrong``: sentences, none when all is well."""

    hosts: int
    store_mps: float
    file_mps: float
    mps: float
    taken: list[int]
    """Mails that each host has claimed."""
    offered: int
    mails: int
    tickets: int
    wrong: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hosts", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=1200, help="mails for each number of hosts (default 1200)")
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2], help="numbers of hosts (default 1 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where data and database live while it runs (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hub-hosts-", dir=options.folder))
    folder.chmod(0o755)
    try:
        runs = measure(folder, options.hosts, options.mails, options.seed, durable=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(_figures(runs)) if options.json else _table(runs))
    return 1 if any(run.wrong for run in runs) else 0


def measure(folder: Path, hosts: Sequence[int], mails: int, seed: int, *, durable: bool) -> list[Measured]:
    """For each number of hosts: the same mails into an empty database and an empty bucket."""
    with ExitStack() as stack:
        network = stack.enter_context(Network(max(hosts)))
        server = Postgresql(folder, durable=durable, address=network.address, network=network.range)
        stack.callback(server.stop)
        database = server.start()
        endpoint = _start_store(stack, folder, network.address)
        letter_list = list(letters(mails, seed))
        return [
            _Run(folder / f"run{number}", number, network, database, endpoint).measure(letter_list) for number in hosts
        ]


def _start_store(stack: ExitStack, folder: Path, address: str) -> str:
    """A process of its own, as an object store has its own machines."""
    port = free_port()
    log = stack.enter_context((folder / "store.log").open("wb"))
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", address, "-p", str(port)],
        cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip
    stack.callback(process.wait)
    stack.callback(process.kill)
    endpoint = f"http://{address}:{port}"
    _until(lambda: b"Running on" in (folder / "store.log").read_bytes(), 60, "the object store does not start")
    return endpoint


class _Run:
    def __init__(self, folder: Path, hosts: int, network: Network, database: str, endpoint: str) -> None:
        self.folder, self.hosts, self.network, self.endpoint = folder, hosts, network, endpoint
        self.folders = [folder / f"host{number}" for number in range(hosts)]
        self.bucket = make_bucket(endpoint)
        name = f"hosts{hosts}"
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        parts = urlsplit(database)._replace(path=f"/{name}")
        self.database = urlunsplit(parts)
        # What all hosts of an installation have in common.
        self.common = {
            **os.environ,
            **KEYS,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "DATABASE_URL": urlunsplit(parts._replace(netloc=f"hub@{network.address}:{parts.port}")),
            "BLOB_STORAGE_URL": f"s3://{self.bucket}/hub?endpoint_url={endpoint}&region_name={REGION}",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "TOKEN_KEYS": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "LOG_LEVEL": "ERROR",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def measure(self, mails: Sequence[bytes]) -> Measured:
        for host, folder in enumerate(self.folders):
            (folder / "mails").mkdir(parents=True)
            for number, raw in enumerate(mails):
                second = (host + 1) % self.hosts if number % TWICE == 0 else host
                if number % self.hosts in (host, second):
                    (folder / "mails" / f"{number:06}").write_bytes(raw)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env=self._environment(0), check=True
        )
        try:
            self._start()
            store = self._step("go-store", "stored")
            filing = self._step("go-file", "filed")
            filed = self._one("SELECT count(*) FROM email_messages WHERE state = 'processed'")
            self._drain()
        finally:
            for process in self.processes:
                process.kill()
                process.wait()
        said = [json.loads((folder / "stored").read_text()) for folder in self.folders]
        taken = [json.loads((folder / "filed").read_text())["taken"] for folder in self.folders]
        # Replies that still wait are not filed: they do not count for the speed.
        return Measured(
            hosts=self.hosts,
            store_mps=round(len(mails) / store, 1),
            file_mps=round(filed / filing, 1),
            mps=round(filed / (store + filing), 1),
            taken=taken,
            offered=sum(one["offered"] for one in said),
            mails=self._one("SELECT count(*) FROM email_messages"),
            tickets=self._one("SELECT count(*) FROM tticket_tickets"),
            wrong=self._wrong(mails),
        )

    def _environment(self, host: int) -> dict[str, str]:
        return {**self.common, "DATA_DIR": str(self.folders[host] / "data")}

    def _start(self) -> None:
        for host, folder in enumerate(self.folders):
            command = [*self.network.command(host), sys.executable, "-m", "tests.bench.host", str(folder)]
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=PROJECT, env=self._environment(host), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.processes.append(process)
        self._all_say("ready", 120)

    def _step(self, go: str, done: str) -> float:
        begun = time.perf_counter()
        for folder in self.folders:
            (folder / go).touch()
        self._all_say(done, 3600)
        return time.perf_counter() - begun

    def _drain(self) -> None:
        for folder in self.folders:
            (folder / "go-drain").touch()
        _until(
            lambda: not self._one("SELECT count(*) FROM email_messages WHERE state NOT IN ('processed', 'failed')"),
            DRAIN_SECONDS,
            "there are mails that nobody files",
        )
        for folder in self.folders:
            (folder / "enough").touch()
        self._all_say("drained", 60)

    def _all_say(self, word: str, seconds: float) -> None:
        def said() -> bool:
            for process, folder in zip(self.processes, self.folders, strict=True):
                if process.poll() is not None and not (folder / word).exists():
                    raise RuntimeError(f"a host has ended: {(folder / 'log').read_text()[-2000:]}")
            return all((folder / word).exists() for folder in self.folders)

        _until(said, seconds, f"the hosts do not come to {word!r}")

    def _one(self, query: str) -> int:
        with psycopg.connect(self.database) as database:
            row = database.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def _wrong(self, mails: Sequence[bytes]) -> list[str]:
        """Every mail once, on the right number of tickets, with its bytes in the store."""
        hashes = {hashlib.sha256(raw).hexdigest() for raw in mails}
        replies = sum("In-Reply-To" in email.message_from_bytes(raw) for raw in mails)
        expected = {
            "mails": (self._one("SELECT count(*) FROM email_messages"), len(mails)),
            "mails on a ticket": (
                self._one("SELECT count(*) FROM email_messages WHERE outcome IN ('ticket_created', 'linked')"),
                len(mails),
            ),
            "tickets": (self._one("SELECT count(*) FROM tticket_tickets"), len(mails) - replies),
            "comments": (self._one("SELECT count(*) FROM tticket_comments"), len(mails)),
            "lines of the e-mail log": (self._one("SELECT count(*) FROM tticket_email_log"), len(mails)),
            "files without their bytes": (len(self._named() - self._stored()), 0),
            "raw mails with other bytes": (len(hashes - self._stored()), 0),
        }
        return [f"{what}: {found}, not {right}" for what, (found, right) in expected.items() if found != right]

    def _named(self) -> set[str]:
        with psycopg.connect(self.database) as database:
            query = "SELECT sha256 FROM email_messages UNION SELECT sha256 FROM tticket_attachments"
            return {row[0] for row in database.execute(query)}

    def _stored(self) -> set[str]:
        """The hashes of what is in the bucket, of the bytes themselves."""
        if not hasattr(self, "_hashes"):
            store = client(self.endpoint)
            self._hashes = set()
            for page in store.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
                for found in page.get("Contents", ()):
                    content = store.get_object(Bucket=self.bucket, Key=found["Key"])["Body"].read()
                    self._hashes.add(hashlib.sha256(content).hexdigest())
        return self._hashes


def _until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.01)


def _figures(runs: Sequence[Measured]) -> dict[str, Any]:
    return {
        "runs": [vars(run) for run in runs],
        "growth_store": round(runs[-1].store_mps / runs[0].store_mps, 2),
        "growth_file": round(runs[-1].file_mps / runs[0].file_mps, 2),
        "growth": round(runs[-1].mps / runs[0].mps, 2),
        "wrong": sum(len(run.wrong) for run in runs),
    }


def _table(runs: Sequence[Measured]) -> str:
    lines = [
        f"{'hosts':>5} {'store/s':>9} {'file/s':>9} {'both/s':>9} {'offered':>8} {'mails':>7} {'tickets':>8}  taken"
    ]
    for run in runs:
        lines.append(
            f"{run.hosts:>5} {run.store_mps:>9} {run.file_mps:>9} {run.mps:>9} {run.offered:>8} {run.mails:>7} "
            f"{run.tickets:>8}  {', '.join(map(str, run.taken))}"
        )
        lines += [f"      WRONG: {sentence}" for sentence in run.wrong]
    figures = _figures(runs)
    lines.append(f"growth: store {figures['growth_store']}, file {figures['growth_file']}, both {figures['growth']}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
