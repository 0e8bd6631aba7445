"""A worker that says what a mail costs: ``python -m tests.weigh`` in the environment of a test.

Each line on stdin makes it empty the queue; it answers with one line of JSON: seconds of work (its own and its
children's), and the most memory that it and its children needed at once, in MB.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    import django

    django.setup()
    from emailflow.inbound.parsing.render import close_children
    from emailflow.inbound.pipeline import process_due

    for _ in sys.stdin:
        # Linux: the mark of the highest use is taken back to what is used now.
        Path("/proc/self/clear_refs").write_text("5")
        begun, work = time.monotonic(), _seconds()
        while process_due():
            pass
        elapsed = time.monotonic() - begun
        close_children()
        answer = {
            "seconds": _seconds() - work,
            "elapsed": elapsed,
            "memory": _highest(),
            "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_000,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _seconds() -> float:
    """Of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _highest() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_000


if __name__ == "__main__":
    main()
