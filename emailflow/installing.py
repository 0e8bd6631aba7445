"""What every installation starts with: the built-in mailboxes, labels and rules.

Idempotent, run after each migration of this app; a change or a deletion by staff is never undone.
"""

from typing import Any

from django.db import connections
from django.db.models.signals import post_migrate

from emailflow.models import Mailbox, Protocol
from emailflow.workflow import defaults

# Slug -> name. They belong to the machinery: if one is gone it comes back.
BUILT_IN = {"import": "Imported mail", "api": "Mail over the API", "test": "Test mail"}


def connect() -> None:
    from django.apps import apps

    post_migrate.connect(_install, sender=apps.get_app_config("emailflow"), dispatch_uid="emailflow.installing")


def _install(*, using: str, **_: Any) -> None:
    tables = set(connections[using].introspection.table_names())
    if not {"tticket_installed", "email_mailboxes", "email_workflows"} <= tables:
        return
    for slug, name in BUILT_IN.items():
        Mailbox.objects.using(using).get_or_create(
            slug=slug, defaults={"name": name, "protocol": Protocol.BUILTIN, "folder": ""}
        )
    defaults.install()
