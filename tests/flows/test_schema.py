"""Both databases hold the constraints and indexes that the models name, under these names, and no others."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Field, ForeignKey, Model

from tickets.sql import objects

MODELS = [model for app in ("tickets", "emailflow", "hub") for model in apps.get_app_config(app).get_models()]
JOINS = [
    field.remote_field.through
    for model in MODELS
    for field in model._meta.local_many_to_many
    if field.remote_field.through._meta.auto_created
]
# Columns whose index or constraint Django names by itself, beside those of foreign keys. Add a name to Meta instead.
UNNAMED = {  # of Django's and knox's own models
    "tticket_api_tokens.token_key",
    "users.username",
}


def names_of(model: type[Model]) -> set[str]:
    return {row.name for row in (*model._meta.constraints, *model._meta.indexes)}


def fields_of(model: type[Model]) -> "dict[str, Field[Any, Any]]":
    return {field.column: field for field in model._meta.local_fields}


def test_every_name_says_its_table_and_is_used_once() -> None:
    names = [name for model in MODELS for name in names_of(model)]
    assert len(names) == len(set(names))
    for model in MODELS:
        app = model._meta.db_table.split("_")[0]
        for name in names_of(model):
            assert name.startswith((model._meta.db_table, f"{app}_")), name


def test_what_must_hold_together_is_a_named_constraint() -> None:
    for model in MODELS:
        assert not model._meta.unique_together, model
    unnamed = {
        f"{model._meta.db_table}.{column}"
        for model in MODELS
        for column, field in fields_of(model).items()
        if (field.unique or field.db_index) and not field.primary_key and not isinstance(field, ForeignKey)
    }
    assert unnamed == UNNAMED


def constraints_of(model: type[Model]) -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, model._meta.db_table)


def leftovers(model: type[Model]) -> Iterator[str]:
    """Constraints and indexes of the table that no model asks for."""
    fields = fields_of(model)
    together = {tuple(model._meta.get_field(name).column for name in names) for names in model._meta.unique_together}
    for name, found in constraints_of(model).items():
        # A check of JSON on SQLite names its column twice.
        columns = tuple(dict.fromkeys(found["columns"] or ()))
        field = fields.get(columns[0]) if len(columns) == 1 else None
        expected = (
            name in names_of(model)
            or name.endswith("_not_null")  # PostgreSQL 18 has a name for each NOT NULL too
            or name in objects.POSTGRESQL_INDEXES
            or found["primary_key"]
            or columns in together
            or (field is not None and found["foreign_key"] and isinstance(field, ForeignKey))
            or (field is not None and found["check"] and field.db_check(connection))
            or (field is not None and found["unique"] and field.unique)
            or (field is not None and found["index"] and (field.db_index or field.unique))
        )
        if not expected:
            yield f"{model._meta.db_table}: {name} {columns}"


@pytest.mark.django_db
@pytest.mark.parametrize("model", [*MODELS, *JOINS], ids=lambda model: model._meta.db_table)
def test_the_database_holds_exactly_what_the_model_names(model: type[Model]) -> None:
    assert names_of(model) <= set(constraints_of(model))
    assert list(leftovers(model)) == []


@pytest.mark.django_db
def test_views_triggers_and_full_text_are_there_and_no_others() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = current_schema()")
            views = {row[0] for row in cursor.fetchall()}
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
            triggers = {row[0] for row in cursor.fetchall()}
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'tticket_search_vector'")
            full_text = "USING gin" in cursor.fetchone()[0]
        else:
            cursor.execute("SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger', 'table')")
            rows = cursor.fetchall()
            views = {name for kind, name, _ in rows if kind == "view"}
            triggers = {name for kind, name, _ in rows if kind == "trigger"}
            full_text = any(name == "tticket_search_fts" and "fts5" in sql for _, name, sql in rows)
    assert views == {"tticket_open_tickets", "tticket_stats"}
    assert full_text
    assert triggers == (
        {"tticket_audit_log_append_only", "tticket_audit_log_no_truncate"}
        if connection.vendor == "postgresql"
        else {
            "tticket_audit_log_no_update", "tticket_audit_log_no_delete", "tticket_audit_log_no_replace",
            "tticket_search_insert", "tticket_search_update", "tticket_search_delete",
        }
    )  # fmt: skip
