"""Becomes a program that dies with the supervisor: ``python -m hub.child PARENT_PID PROGRAM ARGUMENTS...``.

A program of its own, and not code between fork and exec: the supervisor has threads, and after a fork the
locks that they held stay held.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # Kept over exec. TERM and not KILL: gunicorn and django-q then stop their own processes.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # The supervisor died before the request was made.
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 (a shell would be one more process)


if __name__ == "__main__":
    main()
