"""A process of django-q2 that is killed while it waits, under ``up``: does the cluster freeze, and does it come back?

A worker that waits for a task holds the lock of the task queue. Killed, it takes the lock with it: nobody gets a task
any more, although every process is there and the guard has started a new one. The same with the monitor and the
queue of the results: tasks run, and are never struck off. The heartbeat stops, and the supervisor replaces the
whole cluster.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.bench.chaos.hosts import Host
from tests.bench.chaos.servers import Servers
from tests.postgresql import Postgresql, free_port

# The guard looks for what is due each 30 s.
SILENT_SECONDS = 45
FIRST_BEAT_SECONDS = 150
HEALED_SECONDS = 400
WHO = ("worker", "monitor")


class Freezing:
    """``stale``: after how many seconds of silence the supervisor acts; 0 for what Hub itself says.

    Has a PostgreSQL of its own: the other one is killed meanwhile. It ends with the thread that calls ``run``.
    """

    def __init__(self, servers: Servers, who: str, *, stale: int) -> None:
        self.who = who
        self.stale = stale
        self.postgresql = Postgresql(servers.data_folder(f"freezing-{who}"))
        self.servers = servers
        self._others: set[int] = set()

    def run(self, *, tries: int = 5) -> dict[str, Any]:
        """Kills until the cluster is frozen, then waits for the cure."""
        self.url = self.postgresql.start()
        data = Path(self.postgresql.folder.parent) / "data"
        changes = {"HUB_CHAOS_STALE": str(self.stale)} if self.stale else {}
        environment = self.servers.environment("postgres", data, DATABASE_URL=self.url, **changes)
        self.host = Host(f"freezing-{self.who}", environment, free_port())
        self.host.start()
        result: dict[str, Any] = {"who": self.who, "kills": 0, "frozen": 0, "healed_after": None, "problem": ""}
        try:
            self._try(result, tries)
        except (RuntimeError, OSError, psutil.Error, psycopg.Error) as error:
            result["problem"] = f"{type(error).__name__}: {error}"
        finally:
            self.host.stop()
            self.postgresql.stop()
        return result

    def _try(self, result: dict[str, Any], tries: int) -> None:
        self.host.wait_until_ready()
        while result["kills"] < tries and not result["frozen"]:
            if not self._wait(self._is_idle, FIRST_BEAT_SECONDS):
                raise RuntimeError("the cluster does not come to rest")
            leader = self.host.leader("worker")
            victim = self._victim(leader)
            self._say(f"kills process {victim.pid}")
            victim.kill()
            killed = time.monotonic()
            result["kills"] += 1
            result["frozen"] = int(self._is_frozen(leader))
        if not result["frozen"]:
            return
        self._say(f"frozen: every process of the cluster is there, and for {SILENT_SECONDS} s no task was done")
        if not self._wait(lambda: leader is not None and not _lives(leader), HEALED_SECONDS):
            raise RuntimeError(f"frozen, and not replaced within {HEALED_SECONDS} s")
        replaced = time.monotonic() - killed
        before = self._done()
        if not self._wait(lambda: self._done() > before, FIRST_BEAT_SECONDS):
            raise RuntimeError("replaced, and still no task is done")
        result["replaced_after"], result["healed_after"] = round(replaced), round(time.monotonic() - killed)
        self._say(
            f"replaced {result['replaced_after']} s after the kill, a task done {result['healed_after']} s after it"
        )

    def _victim(self, leader: psutil.Process | None) -> psutil.Process:
        """The guard starts the workers, then the monitor, then the pusher, and in place of a dead one a new one."""
        guards = [one for one in leader.children() if "hub.child" not in one.cmdline()] if leader else []
        members = sorted(guards[0].children(), key=lambda one: one.create_time()) if guards else []
        if len(members) < 4:
            raise RuntimeError(f"the cluster is not whole: {members}")
        if self.who == "monitor":
            return members[-1] if self._others else self._first_monitor(members)
        self._others = self._others or {one.pid for one in members[-2:]}
        workers = [one for one in members if one.pid not in self._others]
        return next((one for one in workers if _waits_for_a_pipe(one)), workers[0])

    def _first_monitor(self, members: list[psutil.Process]) -> psutil.Process:
        self._others = {one.pid for one in members if one != members[-2]}
        return members[-2]

    def _is_idle(self) -> bool:
        """All schedules have run once, and nothing is on its way."""
        done = self._done()
        time.sleep(3)
        return done == self._done() >= self._count("django_q_schedule") and not self._count("django_q_ormq")

    def _is_frozen(self, leader: psutil.Process | None) -> bool:
        """The cluster is there, and no task that becomes due now is done."""
        before = self._done()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE django_q_schedule SET next_run = now() - interval '1 second'")
        done = self._wait(lambda: self._done() > before, SILENT_SECONDS)
        if done:
            self._say("not frozen: a task was done")
        return not done and leader is not None and _lives(leader)

    def _done(self) -> int:
        """How many tasks the cluster has done and struck off."""
        return self._count("django_q_task")

    def _count(self, table: str) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    @staticmethod
    def _wait(condition: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.5)
        return False

    def _say(self, text: str) -> None:
        print(f"{'':8}freezing, {self.who}: {text}", file=sys.stderr, flush=True)


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _waits_for_a_pipe(process: psutil.Process) -> bool:
    """Reads the queue, and so holds its lock; the others wait for the lock. Where the kernel does not say: no."""
    try:
        return "pipe" in Path(f"/proc/{process.pid}/wchan").read_text()
    except OSError:
        return False
