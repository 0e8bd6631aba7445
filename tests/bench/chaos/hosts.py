"""One host of Hub: ``manage.py up`` with all its processes, started, looked at and killed from outside."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[3]
READY_SECONDS = 120
SAMPLE_SECONDS = 0.06
BUSY = 0.3
_WORDS = {"web": "gunicorn", "worker": "qcluster", "watcher": "watch_mail"}


class Host:
    """``log``: what its processes have printed, of all its starts."""

    def __init__(self, name: str, environment: dict[str, str], port: int) -> None:
        self.name = name
        self.environment = environment
        self.port = port
        self.log = Path(environment["DATA_DIR"]).with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, shift: int = 0) -> None:
        """``shift``: seconds by which its clock is wrong."""
        with self.log.open("ab") as log:
            log.write(f"--- starts, clock {shift:+} s\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=PROJECT,
                env={**self.environment, "HUB_CHAOS_SHIFT": str(shift)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        until(lambda: self.health() is not None, READY_SECONDS, lambda: f"host {self.name} does not start: {self.log}")

    def health(self) -> dict[str, object] | None:
        """What ``/healthz`` says; None when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None

    def keep_up(self) -> None:
        """Start it once more when it has given up, as systemd would."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def leader(self, role: str) -> psutil.Process | None:
        """The program that the supervisor started for this role; None while it is not there."""
        with suppress(psutil.Error):
            for child in psutil.Process(self._pid()).children():
                if any(_WORDS[role] in part for part in child.cmdline()):
                    return child
        return None

    def members(self, role: str) -> list[psutil.Process]:
        """The leader first, then what it started, without the process that only waits for the supervisor's end."""
        leader = self.leader(role)
        if leader is None:
            return []
        with suppress(psutil.Error):
            return [leader, *(child for child in leader.children(recursive=True) if not _is_reaper(child))]
        return []

    def kill_one(self, role: str, chance: random.Random) -> str:
        """SIGKILL to one process of this role. Says which; '' when there was none."""
        members = self.members(role)
        if not members:
            return ""
        number = chance.randrange(len(members))
        return _killed(members[number], "the leader" if number == 0 else f"process {number} of {len(members)}")

    def kill_idle(self, role: str) -> str:
        """SIGKILL to a process of this role that does nothing; not to its leader."""
        loads = self.loads(role, leader=False)
        if not loads:
            return ""
        process, load = min(loads.items(), key=lambda item: item[1])
        return _killed(process, f"load {100 * load:.0f} %")

    def kill(self) -> None:
        """SIGKILL to the supervisor; returns when its processes have followed."""
        family = self.family()
        with suppress(ProcessLookupError):
            os.kill(self._pid(), signal.SIGKILL)
        assert self.process
        self.process.wait()
        until(lambda: not _alive(family), 30, lambda: f"left of host {self.name}: {_alive(family)}")

    def stop(self) -> int:
        """TERM, as on a shutdown. Returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -9

    def family(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._pid()).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def loads(self, role: str, *, leader: bool = True) -> dict[psutil.Process, float]:
        """How much of a processor each of these uses within a moment."""
        members = self.members(role)[0 if leader else 1 :]
        before = {process: _seconds(process) for process in members}
        time.sleep(SAMPLE_SECONDS)
        after = {process: _seconds(process) for process in members}
        return {one: (after[one] - before[one]) / SAMPLE_SECONDS for one in members if after[one] >= 0}

    def _pid(self) -> int:
        assert self.process, f"host {self.name} was never started"
        return self.process.pid


def kill_busy(hosts: Sequence[Host], role: str, wait: float) -> str:
    """SIGKILL to a process of this role that is at work, on whichever host; to the busiest when none is in time."""
    deadline = time.monotonic() + wait
    while True:
        loads = [(load, number, one) for number, host in enumerate(hosts) for one, load in host.loads(role).items()]
        if not loads:
            return ""
        load, number, process = max(loads, key=lambda found: found[0])
        if load >= BUSY or time.monotonic() > deadline:
            return _killed(process, f"host {hosts[number].name}, load {100 * load:.0f} %")


def until(condition: Callable[[], object], seconds: float, explain: Callable[[], str]) -> None:
    """Polls. Raises RuntimeError with the words of ``explain`` when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(explain())
        time.sleep(0.1)


def kill_client(port: int) -> str:
    """SIGKILL to the process that has this end of a connection. Says what it was."""
    for found in psutil.net_connections("tcp"):
        if found.laddr and found.laddr.port == port and found.pid:
            with suppress(psutil.Error):
                process = psutil.Process(found.pid)
                command = " ".join(process.cmdline())
                role = next((role for role, word in _WORDS.items() if word in command), "?")
                return _killed(process, f"the {role}")
    return ""


def with_mark(mark: str) -> list[psutil.Process]:
    """Every living process of the trial, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HUB_CHAOS") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _killed(process: psutil.Process, words: str) -> str:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return ""
    return words


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return -1.0
    return float(times.user + times.system)


def _is_reaper(process: psutil.Process) -> bool:
    return "hub.child" in process.cmdline()
