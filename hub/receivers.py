"""What happens after a migration, and when django-q2 has written a task's result; connected by ``hub.apps``."""

from typing import Any

from django.db import connections
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
