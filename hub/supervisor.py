"""Keeps Hub's processes running: web, worker and mail watcher. Used by the command ``up``.

Each child is the leader of a process group of its own. A child that ends is started again, after a pause that
grows from one second to a minute; one that is asked for is killed with its whole group first.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

# Ctrl-C promises an end within ten seconds.
_TERM_SECONDS = 8.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
# A child that ran this long was well: its next failure is a new one.
_HEALTHY_SECONDS = 60.0
_TICK = 0.2


class Child:
    """One program, started again as often as it ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.command = list(command)
        self.folder = folder
        self.environment = dict(environment)
        self.pass_fds = tuple(pass_fds)
        self.process: subprocess.Popen[str] | None = None
        self.started_at = 0.0
        self.next_start = 0.0
        self.pause = _FIRST_PAUSE

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 (our own command lines)
            [sys.executable, "-m", "hub.child", str(os.getpid()), *self.command],
            cwd=self.folder,
            env=self.environment,
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own; and Ctrl-C in the terminal reaches the supervisor alone.
            start_new_session=True,
        )
        assert self.process.stdout is not None
        threading.Thread(target=_pass_on, args=(self.name, self.process.stdout), daemon=True).start()

    def keep_running(self) -> None:
        """Starts the child when it is due, and clears up after one that has ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        # What the leader left behind would work beside the next one.
        self.kill_group()
        if now - self.started_at >= _HEALTHY_SECONDS:
            self.pause = _FIRST_PAUSE
        say(f"{self.name} ended ({_how(code)}); it starts again in {self.pause:.0f} s")
        self.process, self.next_start = None, now + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def terminate(self) -> None:
        """Asks the leader to end; gunicorn and django-q stop their own processes in order."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def kill_group(self) -> None:
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                # Nobody is left in the group: what was wanted.
                return

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


class Supervisor:
    """Starts the children and keeps them running until TERM, INT or HUP arrives."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = list(children)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._to_kill: set[str] = set()

    def run(self) -> None:
        """Returns when all processes have ended, ten seconds after the signal at the latest."""
        try:
            while not self.stopping.is_set():
                for child in self.children:
                    self._kill_when_asked(child)
                    child.keep_running()
                self.stopping.wait(_TICK)
        finally:
            self._stop()

    def listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())

    def kill(self, name: str) -> None:
        """From any thread: the child is killed with its group, and started again as after any other end."""
        with self._lock:
            self._to_kill.add(name)

    def seconds_since_start(self, name: str) -> float:
        """How long the child runs; 0 while it does not."""
        child = next(child for child in self.children if child.name == name)
        return 0.0 if child.has_ended() else time.monotonic() - child.started_at

    def _kill_when_asked(self, child: Child) -> None:
        with self._lock:
            asked = child.name in self._to_kill
            self._to_kill.discard(child.name)
        if asked:
            child.kill_group()

    def _stop(self) -> None:
        say("stopping")
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + _TERM_SECONDS
        while time.monotonic() < deadline and not all(child.has_ended() for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            # Also where the leader has ended: its own children may not have.
            child.kill_group()
        for child in self.children:
            if child.process:
                child.process.wait()
        say("stopped")


def watch_in_background(check: Callable[[], bool], *, every: float, stopping: threading.Event) -> None:
    """Runs ``check`` in a thread until it returns True; what hangs there does not stop the supervisor."""

    def loop() -> None:
        while not stopping.wait(every):
            if check():
                return

    threading.Thread(target=loop, daemon=True).start()


def say(text: str) -> None:
    """One line of the supervisor itself, between the lines of its children."""
    print(f"up      | {text}", flush=True)


def _pass_on(name: str, lines: IO[str]) -> None:
    with lines:
        for line in lines:
            # With LOG_FORMAT=json a line is an object that must stay one.
            print(line.rstrip() if line.startswith('{"') else f"{name:<7} | {line.rstrip()}", flush=True)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
