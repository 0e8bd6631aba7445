"""What happens after a migration, with a new database connection, and when django-q2 has written a task's result.

Connected by ``hub.apps``.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save
from django.dispatch import receiver

from hub.heartbeat import struck_off
from hub.schedules import HEARTBEAT, install_schedules

_TABLES = {"tticket_installed", "django_q_schedule"}


@receiver(post_migrate, dispatch_uid="hub.install_schedules")
def put_in_schedules(sender: Any, using: str, **kwargs: Any) -> None:
    """Runs once a migration, with the signal of ``hub``, the last app of the list.

    The signal also comes after a migration backwards or of one app alone, when tables may be missing.
    """
    if sender.label == "hub" and _TABLES.issubset(connections[using].introspection.table_names()):
        install_schedules(using)


@receiver(post_save, sender="django_q.Task", dispatch_uid="hub.struck_off")
def hear_the_result(sender: Any, instance: Any, **kwargs: Any) -> None:
    """The second half of a heartbeat."""
    if instance.func == HEARTBEAT.func:
        struck_off()


@receiver(connection_created, dispatch_uid="hub.write_lists_quickly")
def write_lists_quickly(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "postgresql":
        from hub.arrays import use_for  # the embedded default needs no psycopg

        use_for(connection)
