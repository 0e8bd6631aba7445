"""Mails a second with one and with two worker processes, each on a stored backlog of the same size."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.letters import letters
from tests.bench.ways import store


def one_and_two(mails: int, seed: int, folder: Path) -> tuple[float, float]:
    return _rate(1, mails, seed + 11, folder), _rate(2, mails, seed + 12, folder)


def _rate(workers: int, mails: int, seed: int, folder: Path) -> float:
    store(list(letters(mails, seed)))
    ready, go = folder / f"ready{workers}", folder / f"go{workers}"
    ready.mkdir()
    command = [sys.executable, "-m", "tests.bench.worker", str(ready), str(go)]
    processes = [subprocess.Popen(command, env=dict(os.environ)) for _ in range(workers)]
    try:
        while len(list(ready.iterdir())) < workers:
            _none_has_failed(processes)
            time.sleep(0.01)
        begun = time.perf_counter()
        go.touch()
        for process in processes:
            process.wait()
        spent = time.perf_counter() - begun
        _none_has_failed(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return mails / spent


def _none_has_failed(processes: list["subprocess.Popen[bytes]"]) -> None:
    if any(process.poll() for process in processes):
        raise RuntimeError("a worker of the benchmark failed; it has said why")
