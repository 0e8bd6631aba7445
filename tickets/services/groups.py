"""Groups: what their members may do. The only writer of these rows, besides the first installation."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction

from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.removing import remove
from tickets.storable import storable

_LONGEST_NAME = 150


def save_group(*, actor: Actor, group: Group, permissions: Iterable[Permission] | None = None) -> Group:
    """Write a new or changed group, all of its permissions where given, and an audit row with what differs.

    Locks the row of a group that exists. Raises ServiceError at name, Conflict when the group is gone.
    """
    group.name = storable(group.name).strip()
    if not 0 < len(group.name) <= _LONGEST_NAME:
        raise ServiceError(f"Enter a name of at most {_LONGEST_NAME} characters.", field="name")
    is_new = group.pk is None
    try:
        # Closes the race between two people who edit the same group: each audit row tells its own change.
        with transaction.atomic():
            old = {} if is_new else _values(_locked(group))
            group.save()
            if permissions is not None:
                group.permissions.set(permissions)
            _record(actor, group, is_new, old, _values(group))
    except IntegrityError as error:
        if is_new:
            group.pk = None
        if Group.objects.filter(name=group.name).exclude(pk=group.pk).exists():
            raise ServiceError("There is a group of this name already.", field="name") from error
        raise
    return group


def delete_group(*, actor: Actor, group: Group) -> None:
    """Remove a group; its members lose what it gave them. Writes an audit row. Raises Conflict when it is gone."""
    remove(group, lambda: audit.record(actor=actor, action="group.deleted", entity=group, old=_values(group)))


def _locked(group: Group) -> Group:
    row = Group.objects.select_for_update(no_key=True).filter(pk=group.pk).first()
    if row is None:
        raise Conflict("This group is not there any more.")
    return row


def _values(group: Group) -> dict[str, Any]:
    rights = group.permissions.values_list("content_type__app_label", "codename")
    return {"name": group.name, "permissions": sorted(f"{app}.{codename}" for app, codename in rights)}


def _record(actor: Actor, group: Group, is_new: bool, old: dict[str, Any], new: dict[str, Any]) -> None:
    changed = [name for name in new if is_new or old[name] != new[name]]
    if changed:
        audit.record(
            actor=actor,
            action="group.made" if is_new else "group.changed",
            entity=group,
            old={name: old[name] for name in changed if not is_new},
            new={name: new[name] for name in changed},
        )
