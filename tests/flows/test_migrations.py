"""A later migration that remakes tables loses no row, no view, no trigger, no index and no right of a reader."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]
Installation = Callable[..., dict[str, str]]
pytestmark = pytest.mark.slow

# Changes of type: SQLite makes each of these tables anew, PostgreSQL refuses them while a view uses the column. The
# middle one writes while triggers are gone, as a migration of data would.
REMAKES = """
from django.db import migrations, models

def write(apps, schema_editor):
    Ticket, SearchText = apps.get_model("tickets", "Ticket"), apps.get_model("tickets", "SearchText")
    ticket = Ticket.objects.get(subject="Elephant")
    SearchText.objects.create(ticket=ticket, kind="note", text="quagga")
    apps.get_model("tickets", "AuditEntry").objects.filter(action="customer.created").update(action="customer.made")

class Migration(migrations.Migration):
    dependencies = [("tickets", "{before}")]
    operations = [
        migrations.AlterField("ticket", "category", models.CharField(max_length=300, blank=True, default="")),
        migrations.AlterField("customer", "name", models.CharField(max_length=300)),
        migrations.AlterField("auditentry", "action", models.CharField(max_length=300)),
        migrations.AlterField("searchtext", "kind", models.CharField(max_length=300)),
        migrations.RunPython(write),
    ]
"""
FAILS = """
from django.db import migrations

def fail(apps, schema_editor):
    raise RuntimeError("this migration is broken")

class Migration(migrations.Migration):
    dependencies = [("tickets", "9001_remakes")]
    operations = [migrations.RunPython(fail)]
"""
MENDED = FAILS.replace('raise RuntimeError("this migration is broken")', "pass")

SETTINGS = """
from hub.settings import *
MIGRATION_MODULES = {**MIGRATION_MODULES, "tickets": "later_migrations"}
"""

VIEWS = {"tticket_open_tickets", "tticket_stats"}
TRIGGERS = {
    "sqlite": {
        "tticket_audit_log_no_update", "tticket_audit_log_no_delete", "tticket_audit_log_no_replace",
        "tticket_search_insert", "tticket_search_update", "tticket_search_delete",
    },
    "postgresql": {"tticket_audit_log_append_only", "tticket_audit_log_no_truncate"},
}  # fmt: skip
FULL_TEXT = {"sqlite": "tticket_search_fts", "postgresql": "tticket_search_vector"}


class Hub:
    """An installation with a database of its own, looked at with the plain driver."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = {**environment, "DJANGO_SETTINGS_MODULE": "hub.settings"}
        self.vendor = "postgresql" if environment["DATABASE_URL"] else "sqlite"
        self.folder = folder

    def run(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=PROJECT, env=self.environment, capture_output=True, text=True
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def migrate(self, *, fails: bool = False) -> str:
        return self.run("-m", "django", "migrate", "--no-input", fails=fails)

    def find(self, word: str) -> list[str]:
        return self.run("-m", "tests.flows.filling", "find", word).split()

    def connect(self) -> Any:
        if self.vendor == "postgresql":
            return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)
        connection = sqlite3.connect(Path(self.environment["DATA_DIR"]) / "hub.sqlite3", isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            return [tuple(row) for row in connection.execute(statement).fetchall()]
        finally:
            connection.close()

    def tables(self) -> list[str]:
        if self.vendor == "postgresql":
            return [row[0] for row in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = self.ask("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return [name for name, _ in rows if not name.startswith("tticket_search_fts")]

    def data(self) -> dict[str, list[str]]:
        """Every row of every table, with its columns by name: a table that was made anew has them in another order."""
        connection = self.connect()
        found = {}
        for table in self.tables():
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            rows = [sorted(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()]
            found[table] = sorted(str(row) for row in rows)
        connection.close()
        return found

    def objects(self) -> set[tuple[str, ...]]:
        """Kind, name and table of everything that hangs on the tables."""
        if self.vendor == "sqlite":
            return set(self.ask("SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))
        return set(
            self.ask(
                "SELECT c.relkind::text, c.relname::text, coalesce(i.indrelid::regclass::text, '') FROM pg_class c "
                "LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace "
                "UNION ALL SELECT 'trigger', tgname::text, tgrelid::regclass::text FROM pg_trigger "
                "WHERE NOT tgisinternal "
                "UNION ALL SELECT 'constraint', conname::text, conrelid::regclass::text FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace"
            )
        )

    def identities(self) -> list[tuple[Any, ...]]:
        """What differs when a view, trigger or index was dropped and made again."""
        if self.vendor == "sqlite":
            return self.ask("SELECT rowid, name, sql FROM sqlite_master ORDER BY name")
        return self.ask(
            "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "UNION ALL SELECT oid, tgname FROM pg_trigger ORDER BY 2, 1"
        )

    def upgrade(self, **migrations: str) -> None:
        """A later version of Hub: the same code with further migrations of tickets."""
        package = self.folder / "later_migrations"
        if not package.exists():
            shutil.copytree(PROJECT / "tickets" / "migrations", package, ignore=shutil.ignore_patterns("__pycache__"))
            (self.folder / "later_settings.py").write_text(SETTINGS)
        last = max(path.stem for path in package.glob("0*.py"))
        for name, text in migrations.items():
            (package / f"{name}.py").write_text(text.replace("{before}", last))
            shutil.rmtree(package / "__pycache__", ignore_errors=True)
        self.environment |= {"DJANGO_SETTINGS_MODULE": "later_settings", "PYTHONPATH": str(self.folder)}


@pytest.fixture
def hub(new_installation: Installation, tmp_path: Path) -> Hub:
    """Installed, with data in all tables."""
    made = Hub(new_installation(), tmp_path)
    made.migrate()
    made.run("-m", "tests.flows.filling")
    return made


@pytest.fixture
def reporting(hub: Hub) -> Iterator[list[str]]:
    """Roles of PostgreSQL that reporting tools use, one with a name that must be quoted."""
    names = [f"reporting_{hub.folder.name}", f'Re"porting: {hub.folder.name}']
    connection = hub.connect()
    for name in names:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield names
    for name in names:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))
    connection.close()


def assert_whole(hub: Hub) -> None:
    """Everything that hangs on the tables is there, works, and the log is as closed as before."""
    kinds = {"v": "view", "i": "index", "r": "table"}
    found = {(kinds.get(kind, kind), name) for kind, name, _ in hub.objects()}
    assert {name for kind, name in found if kind == "view"} == VIEWS
    assert {name for kind, name in found if kind == "trigger"} == TRIGGERS[hub.vendor]
    assert FULL_TEXT[hub.vendor] in {name for _, name in found}
    assert hub.ask("SELECT subject FROM tticket_open_tickets WHERE customer_name = 'Nordwind' ORDER BY id LIMIT 1") == [
        ("Elephant",)
    ]
    assert hub.ask("SELECT sum(tickets) FROM tticket_stats")[0][0] >= 2
    for statement in ("UPDATE tticket_audit_log SET action = 'x'", "DELETE FROM tticket_audit_log"):
        with pytest.raises((psycopg.errors.CheckViolation, sqlite3.IntegrityError), match="append-only"):
            hub.ask(statement)


def without(data: dict[str, list[str]], *tables: str) -> dict[str, list[str]]:
    return {name: rows for name, rows in data.items() if name not in tables}


def test_a_migration_that_remakes_tables_loses_nothing(hub: Hub) -> None:
    before, objects = hub.data(), hub.objects()
    assert_whole(hub)

    hub.upgrade(**{"9001_remakes": REMAKES})
    hub.migrate()

    after = hub.data()
    touched = ("django_migrations", "tticket_search", "tticket_audit_log")
    assert without(after, *touched) == without(before, *touched)
    assert set(before["tticket_search"]) < set(after["tticket_search"])
    changed = [row.replace("customer.created", "customer.made") for row in before["tticket_audit_log"]]
    assert after["tticket_audit_log"] == sorted(changed)
    assert hub.objects() == objects
    assert_whole(hub)
    if hub.vendor == "sqlite":
        assert hub.ask("PRAGMA foreign_key_check") == []
        assert hub.ask("PRAGMA integrity_check") == [("ok",)]

    # Rows from before, one written in the middle of the migration, and one of the new version.
    hub.run("-m", "tests.flows.filling", "open", "Tapir")
    for word, subjects in {
        "elephant": ["Elephant"], "zebra": ["Elephant"], "giraffe.txt": ["Elephant"], "okapi": ["printer"],
        "quagga": ["Elephant"], "tapir": ["Tapir"], "nothing": [],
    }.items():  # fmt: skip
        assert hub.find(word) == subjects


def test_a_migration_that_fails_half_way_can_be_run_again(hub: Hub) -> None:
    objects = hub.objects()
    hub.upgrade(**{"9001_remakes": REMAKES, "9002_more": FAILS})
    assert "this migration is broken" in hub.migrate(fails=True)
    assert "this migration is broken" in hub.migrate(fails=True)

    hub.upgrade(**{"9002_more": MENDED})
    hub.migrate()

    assert hub.objects() == objects
    assert_whole(hub)
    assert hub.find("quagga") == hub.find("zebra") == ["Elephant"]


def test_going_back_to_the_old_version_after_a_failure_makes_views_and_triggers_again(hub: Hub) -> None:
    objects = hub.objects()
    hub.upgrade(**{"9001_broken": FAILS.replace("9001_remakes", "0001_initial")})
    hub.migrate(fails=True)

    hub.environment["DJANGO_SETTINGS_MODULE"] = "hub.settings"
    hub.migrate()

    assert hub.objects() == objects
    assert_whole(hub)


def test_migrate_without_anything_to_do_drops_nothing(hub: Hub) -> None:
    before, identities = hub.data(), hub.identities()
    hub.migrate()
    assert hub.identities() == identities
    assert hub.data() == before


def test_a_view_that_was_lost_or_changed_by_hand_comes_back_with_the_next_migrate(hub: Hub) -> None:
    hub_connection = hub.connect()
    hub_connection.execute("DROP VIEW tticket_stats")
    hub_connection.execute("DROP VIEW tticket_open_tickets")
    hub_connection.execute("CREATE VIEW tticket_open_tickets AS SELECT 1 AS one")
    hub_connection.close()
    hub.migrate()
    assert_whole(hub)


class TestGrants:
    @pytest.fixture(autouse=True)
    def only_postgresql(self) -> None:
        if not os.environ["HUB_TEST_SERVER"]:
            pytest.skip("SQLite knows no roles: who may read the file may read everything")

    def rights(self, hub: Hub) -> set[tuple[Any, ...]]:
        return set(
            hub.ask(
                "SELECT c.relname::text, a.privilege_type, a.is_grantable, "
                "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END "
                "FROM pg_class c, aclexplode(c.relacl) a WHERE c.relkind = 'v' AND a.grantee <> c.relowner "
                "AND c.relnamespace = 'public'::regnamespace"
            )
        )

    def give(self, hub: Hub, reporting: list[str]) -> set[tuple[Any, ...]]:
        first, second = (sql.Identifier(name) for name in reporting)
        with hub.connect() as connection:
            connection.execute(sql.SQL("GRANT SELECT ON tticket_stats, tticket_open_tickets TO {}").format(first))
            connection.execute(sql.SQL("GRANT SELECT ON tticket_stats TO {} WITH GRANT OPTION").format(second))
            connection.execute("GRANT SELECT ON tticket_stats TO PUBLIC")
        given = self.rights(hub)
        assert len(given) == 4
        return given

    def test_who_may_read_a_view_may_read_it_after_a_migration(self, hub: Hub, reporting: list[str]) -> None:
        given = self.give(hub, reporting)
        hub.upgrade(**{"9001_remakes": REMAKES})
        hub.migrate()
        assert self.rights(hub) == given
        with hub.connect() as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(reporting[0])))
            assert connection.execute("SELECT count(*) FROM tticket_open_tickets").fetchone()

    def test_also_when_it_fails_half_way_and_is_run_again(self, hub: Hub, reporting: list[str]) -> None:
        given = self.give(hub, reporting)
        hub.upgrade(**{"9001_remakes": REMAKES, "9002_more": FAILS})
        hub.migrate(fails=True)
        hub.migrate(fails=True)
        hub.upgrade(**{"9002_more": MENDED})
        hub.migrate()
        assert self.rights(hub) == given

    def test_a_right_that_was_taken_away_does_not_come_back(self, hub: Hub, reporting: list[str]) -> None:
        given = self.give(hub, reporting)
        hub.upgrade(**{"9001_remakes": REMAKES})
        hub.migrate()
        with hub.connect() as connection:
            connection.execute("REVOKE SELECT ON tticket_stats FROM PUBLIC")
        hub.upgrade(**{"9002_more": MENDED})
        hub.migrate()
        assert self.rights(hub) == {right for right in given if right[3] != "PUBLIC"}

    def test_a_role_that_is_gone_stops_no_migration(self, hub: Hub, reporting: list[str]) -> None:
        given = self.give(hub, reporting)
        hub.upgrade(**{"9001_remakes": REMAKES, "9002_more": FAILS})
        hub.migrate(fails=True)
        with hub.connect() as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(reporting[1])))
        hub.upgrade(**{"9002_more": MENDED})
        hub.migrate()
        assert self.rights(hub) == {right for right in given if right[3] != reporting[1]}
        with hub.connect() as connection:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(reporting[1])))
