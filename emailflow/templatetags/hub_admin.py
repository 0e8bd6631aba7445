"""Tags for the admin's own templates: what waits for people."""

from typing import Any

from django import template

from emailflow.admin import front
from tickets.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def mail_counts(context: dict[str, Any]) -> dict[str, front.Capped] | None:
    """Unrouted and failed mail, in one statement; None for who may not see the ledger."""
    user = _user(context)
    return front.mail_counts(user) if user and user.has_perm("emailflow.view_message") else None


@register.simple_tag(takes_context=True)
def notices(context: dict[str, Any]) -> list[front.Notice]:
    user = _user(context)
    return front.notices(user) if user else []


def _user(context: dict[str, Any]) -> User | None:
    request = context.get("request")
    user = getattr(request, "user", None)
    return user if isinstance(user, User) and user.is_active and user.is_staff else None
