"""What every installation starts with: the groups and their permissions.

Idempotent, run after each migration. It remembers what it has installed and never undoes a change by staff:
a permission that a manager took away stays away, a group that was deleted stays deleted.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models.signals import post_migrate

from tickets.models import Installed

_READ = ("view",)
_WRITE = ("view", "add", "change")

# Group -> (app, model) -> actions. Custom permissions by their full codename.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Agents": {
        "tickets.ticket": (*_WRITE, "assign_ticket"),
        "tickets.comment": _WRITE,
        "tickets.attachment": _WRITE,
        "tickets.participant": _WRITE,
        "tickets.tag": _WRITE,
        "tickets.customer": _WRITE,
        "tickets.customerdomain": _READ,
        "tickets.contact": _WRITE,
        "tickets.emaillog": _READ,
        "tickets.team": _READ,
        "tickets.user": _READ,
        "emailflow.message": _READ,
        "emailflow.outgoing": ("view", "change"),
        "emailflow.suppression": _READ,
        "emailflow.mailbox": _READ,
        "emailflow.workflow": _READ,
        "emailflow.execution": _READ,
        "emailflow.label": _READ,
        "emailflow.template": _READ,
    },
    "Managers": {
        "tickets.ticket": (*_WRITE, "delete", "assign_ticket", "merge_ticket", "export_ticket"),
        "tickets.comment": (*_WRITE, "delete"),
        "tickets.attachment": (*_WRITE, "delete"),
        "tickets.participant": (*_WRITE, "delete"),
        "tickets.tag": (*_WRITE, "delete"),
        "tickets.customer": (*_WRITE, "delete"),
        "tickets.customerdomain": (*_WRITE, "delete"),
        "tickets.contact": (*_WRITE, "delete"),
        "tickets.emaillog": _READ,
        "tickets.auditentry": _READ,
        "tickets.team": (*_WRITE, "delete"),
        "tickets.user": _READ,
        "emailflow.message": (*_READ, "replay_message", "view_raw_message"),
        "emailflow.delivery": _READ,
        "emailflow.outgoing": ("view", "change"),
        "emailflow.suppression": ("view", "delete"),
        "emailflow.mailbox": _WRITE,
        "emailflow.workflow": (*_WRITE, "delete"),
        "emailflow.execution": _READ,
        "emailflow.label": (*_WRITE, "delete"),
        "emailflow.template": (*_WRITE, "delete"),
    },
    "Read-only": {
        "tickets.ticket": _READ,
        "tickets.comment": _READ,
        "tickets.attachment": _READ,
        "tickets.participant": _READ,
        "tickets.tag": _READ,
        "tickets.customer": _READ,
        "tickets.customerdomain": _READ,
        "tickets.contact": _READ,
        "tickets.emaillog": _READ,
        "tickets.team": _READ,
        "tickets.user": _READ,
        "emailflow.message": _READ,
        "emailflow.outgoing": _READ,
        "emailflow.suppression": _READ,
        "emailflow.mailbox": _READ,
        "emailflow.workflow": _READ,
        "emailflow.execution": _READ,
        "emailflow.label": _READ,
        "emailflow.template": _READ,
    },
}


def connect() -> None:
    post_migrate.connect(_install, dispatch_uid="tickets.installing")


def once(key: str, using: str = "default") -> bool:
    """True the first time that ``key`` is asked for, ever; the row that remembers it is written here."""
    return Installed.objects.using(using).get_or_create(key=key)[1]


def _install(*, app_config: Any, using: str, plan: list[Any] | None = None, **_: Any) -> None:
    """After each app's own permissions exist, hand out those of that app's models."""
    if app_config.label not in {"tickets", "emailflow"} or not _ready(using):
        return
    for group_name, rights in GROUPS.items():
        wanted = {
            f"{app_config.label}.{_codename(model, action)}"
            for model, actions in rights.items()
            if model.startswith(f"{app_config.label}.")
            for action in actions
        }
        _install_group(group_name, wanted, using)


def _ready(using: str) -> bool:
    from django.db import connections

    return "tticket_installed" in connections[using].introspection.table_names()


def _codename(model: str, action: str) -> str:
    return action if "_" in action else f"{action}_{model.partition('.')[2]}"


def _install_group(name: str, wanted: set[str], using: str) -> None:
    remembered = set(
        Installed.objects.using(using).filter(key__startswith=f"right:{name}:").values_list("key", flat=True)
    )
    missing = sorted(right for right in wanted if f"right:{name}:{right}" not in remembered)
    if not missing:
        return
    if once(f"group:{name}", using):
        group, _ = Group.objects.using(using).get_or_create(name=name)
    else:
        found = Group.objects.using(using).filter(name=name).first()
        if found is None:
            return
        group = found
    app = missing[0].partition(".")[0]
    permissions = list(
        Permission.objects.using(using).filter(
            content_type__app_label=app, codename__in=[right.partition(".")[2] for right in missing]
        )
    )
    group.permissions.add(*permissions)
    # Only what was really given: a right whose table comes with a later migration is given then.
    Installed.objects.using(using).bulk_create(
        [Installed(key=f"right:{name}:{app}.{permission.codename}") for permission in permissions],
        ignore_conflicts=True,
    )
