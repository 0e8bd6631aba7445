"""What happens to a running Hub. Each fault is a function that does harm, undoes what must be undone, and says what
it was in a few words; '' when it found nothing to harm.

They run in the main thread: PostgreSQL ends with the thread that started it.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tests.bench.chaos.hosts import Host, kill_busy, kill_client
from tests.bench.chaos.servers import Servers

SHIFTS = (-7200, 7200)
WAIT_FOR_COMMIT = 8.0
WAIT_FOR_WORK = 3.0
TASKS = 10
WAIT_FOR_PROCESS = 15.0


@dataclass
class Field:
    """Where the faults happen. The last host is the one whose clock goes wrong."""

    servers: Servers
    hosts: Sequence[Host]
    database: str
    chance: random.Random

    def host(self, role: str) -> Host:
        """One that has this process, when there is one: a host may just be starting again."""
        hosts = self.chance.sample(list(self.hosts), len(self.hosts))
        end = time.monotonic() + WAIT_FOR_PROCESS
        while time.monotonic() < end:
            for host in hosts:
                # The worker's leader alone is one that is still starting.
                if len(host.members(role)) > (role == "worker"):
                    return host
            time.sleep(0.2)
        return hosts[0]

    def hold(self, longest: float) -> None:
        time.sleep(self.chance.uniform(longest / 4, longest))


Fault = Callable[[Field], str]


def worker_busy(field: Field) -> str:
    """A process of the worker, while it files mail."""
    field.host("worker")
    _nudge(field)
    return kill_busy(field.hosts, "worker", WAIT_FOR_WORK)


def worker_idle(field: Field) -> str:
    host = field.host("worker")
    return _of(host, host.kill_idle("worker"))


def worker_any(field: Field) -> str:
    """The leader, the guard, the pusher, the monitor or one that works."""
    host = field.host("worker")
    return _of(host, host.kill_one("worker", field.chance))


def watcher(field: Field) -> str:
    host = field.host("watcher")
    return _of(host, host.kill_one("watcher", field.chance))


def web(field: Field) -> str:
    host = field.host("web")
    return _of(host, host.kill_one("web", field.chance))


def postgresql(field: Field) -> str:
    """The whole server, as by a power cut, and back."""
    field.servers.postgresql.crash()
    field.hold(2.0)
    field.servers.postgresql.start_again()
    return "the server"


def postgresql_backend(field: Field) -> str:
    """One of its processes: the server throws everybody out and recovers."""
    with psycopg.connect(field.servers.postgresql.url, autocommit=True) as admin:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'", [field.database]
        ).fetchall()
        if not rows:
            return ""
        pid = field.chance.choice(sorted(row[0] for row in rows))
    return "one of its processes" if field.servers.postgresql.kill_process(pid) else ""


def dovecot(field: Field) -> str:
    field.servers.dovecot.stop()
    field.hold(3.0)
    field.servers.dovecot.start_again()
    return "stopped and started"


def disk_full(field: Field) -> str:
    """Not a byte is free under the blobs."""
    if not field.servers.can_fill:
        return ""
    filler = field.servers.blobs / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"\0" * (1 << 20))
    try:
        field.hold(4.0)
    finally:
        filler.unlink()
    return "and free again"


def line_cut(field: Field) -> str:
    """Every connection to the database breaks."""
    return f"{field.servers.proxy.cut_all()} connections"


def line_dead(field: Field) -> str:
    """No connection lives longer than a moment, for a while."""
    end = time.monotonic() + field.chance.uniform(1.0, 3.0)
    count = 0
    while time.monotonic() < end:
        count += field.servers.proxy.cut_all()
        time.sleep(0.1)
    return f"{count} connections"


def _at(about: str, when: str) -> Fault:
    def fault(field: Field) -> str:
        return f"{when} it" if field.servers.proxy.cut_at(about, when, WAIT_FOR_COMMIT) else ""

    return fault


def _killed_at(about: str) -> Fault:
    """Whoever commits next is killed when the server has committed, before he hears of it."""

    def fault(field: Field) -> str:
        proxy = field.servers.proxy
        port = proxy.hold_at(about, WAIT_FOR_COMMIT)
        try:
            return kill_client(port) if port else ""
        finally:
            proxy.let_go()

    return fault


def clock(field: Field) -> str:
    """A host loses its power and comes back with a clock that is two hours wrong."""
    host = field.hosts[-1]
    host.kill()
    shift = field.chance.choice(SHIFTS)
    host.start(shift=shift)
    return f"host {host.name} killed, {shift:+} s"


FAULTS: dict[str, Fault] = {
    "worker killed, busy": worker_busy,
    "worker killed, idle": worker_idle,
    "worker killed, any": worker_any,
    "watcher killed": watcher,
    "web killed": web,
    "PostgreSQL killed": postgresql,
    "PostgreSQL backend killed": postgresql_backend,
    "Dovecot stopped": dovecot,
    "disk full": disk_full,
    "all lines cut": line_cut,
    "lines keep breaking": line_dead,
    "line cut before the store commit": _at("store", "before"),
    "line cut after the store commit": _at("store", "after"),
    "line cut after the claim": _at("claim", "after"),
    "line cut before the file commit": _at("file", "before"),
    "line cut after the file commit": _at("file", "after"),
    "killed in the store commit": _killed_at("store"),
    "killed in the claim": _killed_at("claim"),
    "killed in the file commit": _killed_at("file"),
    "host killed, clock wrong": clock,
}


def schedule(count: int, seed: int) -> list[str]:
    """Names of faults, each as often as any other, in a seeded order."""
    chance = random.Random(seed + 2)
    names: list[str] = []
    while len(names) < count:
        names += chance.sample(list(FAULTS), len(FAULTS))
    return names[:count]


def _of(host: Host, words: str) -> str:
    return words and f"host {host.name}, {words}"


def _nudge(field: Field) -> None:
    """Tasks for the workers, so that they are at work: the sweep comes only once a minute."""
    from django.db import DatabaseError, connection
    from django_q.tasks import async_task

    try:
        for _ in range(TASKS):
            async_task("emailflow.tasks.sweep")
    except DatabaseError as error:
        print(f"    no tasks for the workers: {error}", file=sys.stderr)
    finally:
        connection.close()
