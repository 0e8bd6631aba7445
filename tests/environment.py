"""Where the tests run: a pytest plugin that sets the environment before Django reads its settings.

Loaded by ``-p tests.environment`` in pytest.ini. Each run, and each worker of pytest-xdist, has a data folder
of its own that is gone at the end. The database is an SQLite file, or, with ``HUB_TEST_DATABASE=postgresql``,
one PostgreSQL server for the whole run: the one that ``DATABASE_URL_POSTGRESQL`` names, else one that is
started here.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.postgresql import Postgresql, PostgresqlError

# Enough for the blobs of some thousand mails; a container often has 64 MB of shared memory.
_ROOM_IN_MEMORY = 2 * 1024**3
# A test says itself what it sets; a variable of the developer's shell must not decide.
_FOREIGN = (
    *("SECRET_KEY", "TOKEN_KEYS", "FIELD_ENCRYPTION_KEYS", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"),
    *("TRUSTED_PROXIES", "EMAIL_URL", "DEFAULT_FROM_EMAIL", "SITE_URL", "TIME_ZONE", "LANGUAGE_CODE"),
    *(
        "LOG_LEVEL",
        "LOG_FORMAT",
        "METRICS_TOKEN",
        "API_RATE",
        "TICKET_ENABLED",
        "TICKET_EMAIL_INTEGRATION",
        "EMAIL_WORKFLOWS_ENABLED",
    ),
    *(
        "TICKET_AUTO_ASSIGN",
        "TICKET_DEFAULT_ASSIGNEE_ID",
        "TICKET_DEFAULT_PRIORITY",
        "TICKET_STRANGER_POLICY",
    ),
    *("TICKET_TEST_API", "OUTGOING_MAIL", "MAILDIR_ROOTS", "MAIL_MAX_BYTES", "MAIL_RAW_RETENTION_DAYS"),
    *("BLOB_STORAGE_URL", "REPLY_UNDO_SECONDS"),
    *("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_EMAIL"),
)


class _Run:
    """What this process has made and must remove. A worker of xdist uses what the first process made."""

    root: Path | None = None
    server: Postgresql | None = None


def _begin() -> None:
    for name in _FOREIGN:
        # Empty counts as not set, and also hides a line of the developer's .env file.
        os.environ[name] = ""
    # Answers leave at once, but for the tests of taking them back.
    os.environ["REPLY_UNDO_SECONDS"] = "0"
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if not worker:
        _Run.root = Path(tempfile.mkdtemp(prefix="hub-tests-", dir=_fast_folder()))
        os.environ["HUB_TEST_ROOT"] = str(_Run.root)
        _choose_database(_Run.root)
    data = Path(os.environ["HUB_TEST_ROOT"]) / (worker or "main")
    # WhiteNoise warns where there is no folder of collected static files.
    (data / "static").mkdir(parents=True, exist_ok=True)
    os.environ["DATA_DIR"] = str(data)
    os.environ["DATABASE_URL"] = os.environ["HUB_TEST_SERVER"]


def _choose_database(root: Path) -> None:
    wanted = os.environ.get("HUB_TEST_DATABASE", "sqlite")
    if wanted == "sqlite":
        os.environ["HUB_TEST_SERVER"] = ""
    elif wanted != "postgresql":
        raise pytest.UsageError(f"HUB_TEST_DATABASE: {wanted!r} is not allowed; use sqlite or postgresql")
    elif os.environ.get("DATABASE_URL_POSTGRESQL"):
        os.environ["HUB_TEST_SERVER"] = os.environ["DATABASE_URL_POSTGRESQL"]
    else:
        _Run.server = Postgresql(root)
        try:
            os.environ["HUB_TEST_SERVER"] = _Run.server.start()
        except PostgresqlError as error:
            shutil.rmtree(root, ignore_errors=True)
            raise pytest.UsageError(str(error)) from None


def _fast_folder() -> str | None:
    """Memory instead of disk, so that the durable writes of Hub cost the tests nothing."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_IN_MEMORY:
        return str(memory)
    return None


def pytest_report_header() -> str:
    server = os.environ["HUB_TEST_SERVER"]
    return f"database: {'PostgreSQL' if server else 'SQLite'}, data in {os.environ['DATA_DIR']}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Also after Ctrl-C. Last: other plugins may still hold a connection."""
    _end()


def _end() -> None:
    if _Run.server:
        _Run.server.stop()
        _Run.server = None
    if _Run.root:
        shutil.rmtree(_Run.root, ignore_errors=True)
        _Run.root = None


# For a run that ends before pytest is configured, such as one with an error in the settings.
atexit.register(_end)
_begin()
