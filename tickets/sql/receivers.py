"""Around every migration: drop what would break it, make it again. On SQLite a view breaks every table
remake, and a remake silently drops triggers."""

from typing import Any

from django.db.models.signals import post_migrate, pre_migrate

from tickets.sql import install


def connect() -> None:
    """Called once, by the app's ``ready``."""
    from django.apps import apps

    tickets = apps.get_app_config("tickets")
    pre_migrate.connect(_before, sender=tickets, dispatch_uid="tickets.sql.before")
    post_migrate.connect(_after, sender=tickets, dispatch_uid="tickets.sql.after")


def _before(*, using: str, plan: list[Any] | None = None, **_: Any) -> None:
    if plan:
        install.drop(using)


def _after(*, using: str, **_: Any) -> None:
    from django.db import connections

    tables = connections[using].introspection.table_names()
    if {"tticket_audit_log", "tticket_search", "tticket_installed", "users"} <= set(tables):
        install.make(using)
