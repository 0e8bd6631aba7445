"""The only writer of labels."""

import re

from django.db import IntegrityError, transaction

from emailflow.models import Label, Message, Workflow
from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.limits import check_length
from tickets.models import Installed

_SLUG = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_FIELDS = ("slug", "name", "description", "enabled")


def save_label(*, actor: Actor, label: Label) -> Label:
    """Write a new or changed label.

    A built-in label can be renamed and switched off; its slug, which the classifier speaks, stays. So does
    the slug of a label that a workflow or a mail names. Raises ServiceError with the field.
    """
    label.name = " ".join(label.name.split())
    if not label.name:
        raise ServiceError("Enter a name.", field="name")
    check_length(label.name, "name")
    if not _SLUG.fullmatch(label.slug):
        raise ServiceError("Enter lower-case letters, digits, - and _, a letter first.", field="slug")
    try:
        # The row is locked, so that the audit entry has the true old values.
        with transaction.atomic():
            stored = Label.objects.select_for_update(no_key=True).filter(pk=label.pk).first()
            if stored and stored.slug != label.slug:
                _check_unused(stored, field="slug")
            old = _values(stored) if stored else {}
            new = _values(label)
            if old == new:
                return label
            label.save()
            changed = [key for key in new if old.get(key) != new[key]]
            audit.record(
                actor=actor,
                action="label.changed" if stored else "label.created",
                entity=label,
                old={key: old[key] for key in changed if key in old},
                new={key: new[key] for key in changed},
            )
    except IntegrityError as error:
        if Label.objects.exclude(pk=label.pk).filter(slug=label.slug).exists():
            raise ServiceError("There is already a label with this slug.", field="slug") from error
        raise
    return label


def delete_label(*, actor: Actor, label: Label) -> None:
    """Remove a label that nothing names. Raises Conflict for a built-in or used one: switch those off."""
    # Looked up and removed together: a workflow that is saved in between would listen to nothing.
    with transaction.atomic():
        stored = Label.objects.select_for_update().get(pk=label.pk)
        _check_unused(stored, field="")
        audit.record(actor=actor, action="label.deleted", entity=stored, old=_values(stored))
        stored.delete()


def _check_unused(label: Label, *, field: str) -> None:
    if Installed.objects.filter(key=f"label:{label.slug}").exists():
        raise Conflict("The classifier itself uses this label: rename it or switch it off.", field=field)
    if Workflow.objects.filter(classification_trigger=label.slug).exists():
        raise Conflict("A workflow listens to this label.", field=field)
    if Message.objects.filter(label=label.slug).exists():
        raise Conflict("Mail carries this label.", field=field)


def _values(label: Label) -> dict[str, object]:
    return {name: getattr(label, name) for name in _FIELDS}
