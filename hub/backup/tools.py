"""PostgreSQL's own programs: found, checked against the server, and run without a password on a command line."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg import pq
from psycopg.conninfo import make_conninfo

from hub.backup.archive import BackupError


def tool(name: str) -> str:
    """The path of ``pg_dump``, ``pg_restore`` or ``psql``, not older than the server. Raises BackupError."""
    needed = server_version()
    found = []
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    for folder in dict.fromkeys(folders):
        path = shutil.which(name, path=folder)
        version = _version_of(path) if path else 0
        if path and version >= needed:
            return path
        if path:
            found.append(f"{path} is version {version}")
    raise BackupError(
        f"The program {name} of PostgreSQL {needed} or newer is needed: install postgresql-client-{needed} "
        f"(Debian and Ubuntu) or put it on the PATH{'; ' + ', '.join(found) if found else ''}."
    )


def server_version() -> int:
    """The major number."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10000


def _version_of(path: str) -> int:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\b(\d+)(?:\.\d+|devel|beta|rc)", said)
    return int(match[1]) if match else 0


def conninfo() -> str:
    """How to reach the database, without the password: others on this machine can read a command line."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    params: dict[str, Any] = dict(connection.get_connection_params())
    return make_conninfo("", **{name: value for name, value in params.items() if name in known - {"password"}})


def environment() -> dict[str, str]:
    password = connection.get_connection_params().get("password") or ""
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {}), "PGCLIENTENCODING": "UTF8"}


def run(command: Sequence[str]) -> None:
    """Raises BackupError with the last words of the program."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, errors="replace")  # noqa: S603
    if done.returncode:
        raise failed(command[0], done.stderr)


def failed(program: str, stderr: str) -> BackupError:
    # DETAIL lines hold the content of rows.
    lines = [line for line in stderr.strip().splitlines() if "DETAIL" not in line]
    return BackupError(f"{Path(program).name} failed: {' '.join(lines[-3:])[:500] or 'it does not say why'}")
