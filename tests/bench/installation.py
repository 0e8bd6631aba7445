"""An installation of Hub with nothing in it, for one process of a benchmark, gone at its end."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgresql import Postgresql


@contextmanager
def installation(where: str | None, database: str) -> Iterator[Path]:
    """Makes a folder with data and database below ``where``, and sets Django up for it. Once a process.

    PostgreSQL runs with fsync and synchronous_commit on. Raises PostgresqlError when it cannot be started.
    """
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-", dir=where))
    server: Postgresql | None = None
    try:
        url = f"sqlite:///{folder / 'hub.sqlite3'}"
        if database == "postgresql":
            server = Postgresql(folder, durable=True)
            url = server.start()
        _set_up(folder, url)
        yield folder
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(folder: Path, url: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": url,
        "LOG_LEVEL": "ERROR",
    }
    import logging

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    logging.disable(logging.WARNING)


def server_version() -> str:
    """As in ``PostgreSQL 15.4``: what the figures were measured with."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)")
        else:
            cursor.execute("SELECT 'SQLite ' || sqlite_version()")
        return str(cursor.fetchone()[0])
