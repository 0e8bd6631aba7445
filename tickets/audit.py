"""The audit log: rows made here, written with what they speak of in one transaction.

Values are plain: contacts by id, no addresses, no texts, no secrets.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils import timezone

from tickets.actors import Actor
from tickets.models import AuditEntry


def entry(
    *,
    actor: Actor,
    action: str,
    entity: models.Model | str,
    ticket_id: int | None = None,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """An unsaved row. ``action`` is a verb with its object: ``ticket.opened``, ``mailbox.changed``."""
    entity_type, entity_id = (entity, None) if isinstance(entity, str) else (str(entity._meta.model_name), entity.pk)
    return AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        entity_type=entity_type,
        entity_id=entity_id if isinstance(entity_id, int) else None,
        ticket_id=ticket_id,
        old_values=dict(old or {}),
        new_values=dict(new or {}),
        request_id=actor.request_id,
        created_at=timezone.now(),
    )


def record(
    *,
    actor: Actor,
    action: str,
    entity: models.Model | str,
    ticket_id: int | None = None,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    """Write one row now. Call it inside the transaction that makes the change."""
    entry(actor=actor, action=action, entity=entity, ticket_id=ticket_id, old=old, new=new).save(force_insert=True)
