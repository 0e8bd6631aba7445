"""What happens after a migration, connected by ``hub.apps``."""

from typing import Any

from django.db import connections
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from hub.schedules import install_schedules

_TABLES = {"tticket_installed", "django_q_schedule"}


@receiver(post_migrate, dispatch_uid="hub.install_schedules")
def put_in_schedules(sender: Any, using: str, **kwargs: Any) -> None:
    """Runs once a migration, with the signal of ``hub``, the last app of the list.

    The signal also comes after a migration backwards or of one app alone, when tables may be missing.
    """
    if sender.label == "hub" and _TABLES.issubset(connections[using].introspection.table_names()):
        install_schedules(using)
