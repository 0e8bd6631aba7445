"""The whole test suite on both databases: ``python -m tests``. What follows is handed on to pytest.

python -m tests                    everything, two processes a database
python -m tests tests/hub -k up    a part of it
"""

import os
import subprocess
import sys
import time
from pathlib import Path

DATABASES = ("sqlite", "postgresql")


def main(arguments: list[str]) -> int:
    """Runs pytest once a database, and closes with one line for each. Returns 0 when both passed."""
    lines, worst = [], 0
    for database in DATABASES:
        print(f"\n=== tests on {database} ===", flush=True)
        started = time.monotonic()
        code = _run(database, arguments)
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        result = "passed" if code == 0 else f"FAILED (pytest exit code {code})"
        lines.append(f"{database:<11} {result} in {minutes}:{seconds:02d}")
        worst = worst or code
        if code == 2:
            # Ctrl-C means both.
            break
    print("\n" + "\n".join(lines), flush=True)
    return worst


def _run(database: str, arguments: list[str]) -> int:
    spread = [] if any(a.startswith(("-n", "--numprocesses")) for a in arguments) else ["-n", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *spread, *arguments],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "HUB_TEST_DATABASE": database},
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal has told pytest too; it stops its database server.
        process.wait()
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
