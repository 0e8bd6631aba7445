"""Fixtures for all tests: the databases, and what a process needs that a test starts."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

pytest_plugins = ["tests.dovecot", "tests.flush", "tests.objectstore", "tests.places", "tests.smtpsink", "tests.tls"]


# What touches no database says the same on both: it runs once, on SQLite.
PURE = ("tests/corpus/", "tests/emailflow/classify/", "tests/emailflow/inbound/parsing/", "tests/emailflow/outbound/")
_TOUCHES = {"db", "transactional_db", "process_environment", "new_installation"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("HUB_TEST_DATABASE") != "postgresql" or config.option.keyword:
        return
    again = [item for item in items if item.nodeid.startswith(PURE) and not _touches_database(item)]
    left = [item for item in items if not item.nodeid.startswith(PURE) or _touches_database(item)]
    if left:  # unless they alone are asked for
        items[:] = left
        config.hook.pytest_deselected(items=again)


def _touches_database(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("django_db") or _TOUCHES & set(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite in a file, as in real life: threads and processes of one test share it."""
    test = settings.DATABASES["default"].setdefault("TEST", {})
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        test["NAME"] = str(settings.DATA_DIR / "tests.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def maildirs_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test's Maildir is in the test's own folder; a deployer would name it."""
    settings.MAILDIR_ROOTS.append(tmp_path_factory.getbasetemp())


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """The environment of a process that works on the database and the data folder of this test."""
    return {**os.environ, "DATABASE_URL": _url_of_test_database(), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def new_installation(tmp_path: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """Makes the environment of an installation of its own: empty data folder, empty database.

    Call it with the settings that shall differ: ``new_installation(OUTGOING_MAIL="hold")``.
    """
    made: list[str] = []

    def make(**changes: str) -> dict[str, str]:
        server = os.environ["HUB_TEST_SERVER"]
        name = f"hub_{uuid.uuid4().hex}"
        url = ""
        if server:
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            made.append(name)
            url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        folder = tmp_path / name
        return {
            **os.environ,
            "DATA_DIR": str(folder),
            "DATABASE_URL": url,
            "PYTHONUNBUFFERED": "1",
            **changes,
        }

    yield make
    for name in made:
        with psycopg.connect(os.environ["HUB_TEST_SERVER"], autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _url_of_test_database() -> str:
    name = str(connection.settings_dict["NAME"])
    server = os.environ["HUB_TEST_SERVER"]
    if not server:
        return f"sqlite:///{quote(name)}"
    return urlunsplit(urlsplit(server)._replace(path=f"/{quote(name)}"))
