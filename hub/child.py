"""Becomes a program that dies with the supervisor: ``python -m hub.child PARENT_PID PROGRAM ARGUMENTS...``.

A program of its own, and not code between fork and exec: the supervisor has threads, and after a fork the
locks that they held stay held.
"""

import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1


_GRACE = 6.0  # seconds between the supervisor's death and the end of what did not stop by itself


def _reap_after(supervisor: int) -> None:
    """A process beside the program that ends its whole group when the supervisor is dead: django-q may not hear a
    TERM. It goes when the program goes."""
    program, group = os.getpid(), os.getpgrp()
    if os.fork():
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)  # or the supervisor would wait for the end of the output
    while _lives(supervisor):
        if os.getppid() != program:
            os._exit(0)
        time.sleep(0.5)
    time.sleep(_GRACE)
    os.killpg(group, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # Kept over exec. TERM and not KILL: gunicorn and django-q then stop their own processes.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        _reap_after(parent)
    if os.getppid() != parent:
        # The supervisor died before the request was made.
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 (a shell would be one more process)


if __name__ == "__main__":
    main()
