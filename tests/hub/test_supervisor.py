"""What the supervisor promises: a child that ends comes back, and a silent worker is replaced."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.utils import timezone
from django_q.models import Schedule

from hub.heartbeat import beat
from hub.management.commands.up import _WorkerWatch
from hub.models import Heartbeat
from hub.supervisor import Child, Supervisor

PROJECT = Path(__file__).resolve().parents[2]
# Ignores TERM, as a frozen cluster does, and has a child of its own.
FROZEN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
)


def python(name: str, code: str) -> Child:
    return Child(name, [sys.executable, "-c", code], folder=PROJECT, environment=os.environ)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def supervise() -> Iterator[Callable[..., Supervisor]]:
    running: list[tuple[Supervisor, threading.Thread]] = []

    def make(*children: Child) -> Supervisor:
        supervisor = Supervisor(children)
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        running.append((supervisor, thread))
        return supervisor

    yield make
    for supervisor, thread in running:
        supervisor.stopping.set()
        thread.join(30)


def family_of(child: Child) -> list[psutil.Process]:
    assert child.process
    leader = psutil.Process(child.process.pid)
    return [leader, *leader.children(recursive=True)]


def has_family(child: Child) -> bool:
    try:
        return child.process is not None and len(family_of(child)) == 2
    except psutil.NoSuchProcess:
        # It ended while we looked.
        return False


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_ends_comes_back_after_a_growing_pause(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    child = python("short", f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(3)")
    supervise(child)
    until(lambda: starts.exists() and len(starts.read_text()) >= 2)
    until(lambda: child.pause >= 4)


def test_the_pause_is_never_longer_than_a_minute_and_short_again_after_a_healthy_run() -> None:
    child = python("short", "raise SystemExit(3)")
    for _ in range(10):
        child.next_start = 0
        child.keep_running()
        assert child.process
        child.process.wait()
        child.keep_running()
    assert child.pause == 60
    child.next_start = 0
    child.keep_running()
    assert child.process
    child.process.wait()
    child.started_at -= 61
    child.keep_running()
    assert child.pause == 2


def test_a_child_that_ignores_the_request_to_stop_is_killed_with_its_own_children(
    supervise: Callable[..., Supervisor],
) -> None:
    child = python("frozen", FROZEN)
    supervisor = supervise(child)
    until(lambda: has_family(child))
    family = family_of(child)
    supervisor.stopping.set()
    until(lambda: all(gone(process) for process in family), 10)


@pytest.mark.django_db
def test_a_worker_without_heartbeat_is_replaced(supervise: Callable[..., Supervisor]) -> None:
    worker = python("worker", FROZEN)
    supervisor = supervise(worker)
    until(lambda: has_family(worker))
    family = family_of(worker)
    beat()
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    worker.started_at -= 600
    _WorkerWatch(supervisor).check()
    until(lambda: all(gone(process) for process in family))
    until(lambda: has_family(worker))
    assert worker.process
    assert worker.process.pid != family[0].pid


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["it just started", "its heart beats", "staff took the heartbeat away"])
def test_a_worker_is_left_alone_when(supervise: Callable[..., Supervisor], why: str) -> None:
    worker = python("worker", "import time; time.sleep(600)")
    supervisor = supervise(worker)
    until(lambda: worker.process)
    beat()
    if why != "its heart beats":
        Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    if why != "it just started":
        worker.started_at -= 600
    if why == "staff took the heartbeat away":
        Schedule.objects.filter(func="hub.heartbeat.beat").delete()
    _WorkerWatch(supervisor).check()
    assert supervisor._to_kill == set()
