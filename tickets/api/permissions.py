"""What a caller may do: Django's model permissions, and the scopes of a token on top of them.

A token without scopes may do everything that its user may. ``read`` limits it to reading, ``write`` allows
reading and writing, ``inbound`` only handing in mail; ``tickets.services.staff`` knows the names.

Which rows a caller may see is decided in the querysets: what is not visible is 404, never 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tickets.api.errors import forbidden
from tickets.models import ApiToken, User

if TYPE_CHECKING:
    # At run time the views import this module through the settings.
    from rest_framework.views import APIView

_VERBS = {
    "GET": "view",
    "HEAD": "view",
    "OPTIONS": "view",
    "POST": "add",
    "PATCH": "change",
    "DELETE": "delete",
}
_SAFE = {"GET", "HEAD", "OPTIONS"}


class ModelRights(BasePermission):
    """The view names its ``rights_model``; the HTTP method names the permission (GET needs ``view``).

    ``action_rights`` replaces that for single actions: ``{"raw": ("emailflow.view_raw_message",)}``.
    ``token_scopes`` of the view names further scopes that open it: ``("inbound",)``.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not isinstance(user, User) or not user.is_active:
            return False
        _check_scopes(request, view)
        missing = [right for right in needed_rights(request.method or "GET", view) if not user.has_perm(right)]
        if missing:
            raise forbidden("", f"You need the permission {missing[0]} for this.")
        return True


def needed_rights(method: str, view: Any) -> tuple[str, ...]:
    """The permissions that ``method`` needs on this view, as ``app_label.codename``."""
    own = getattr(view, "action_rights", {}).get(getattr(view, "action", None))
    if own is not None:
        return tuple(own)
    model: type[models.Model] = view.rights_model
    # A method without a verb is answered by 405 later; asking for the strongest right costs nobody anything.
    return (f"{model._meta.app_label}.{_VERBS.get(method, 'delete')}_{model._meta.model_name}",)


def _check_scopes(request: Request, view: APIView) -> None:
    if not isinstance(request.auth, ApiToken) or not request.auth.scopes:
        return
    opening = {"read", "write"} if request.method in _SAFE else {"write"}
    opening |= set(getattr(view, "token_scopes", ()))
    if not opening & set(request.auth.scopes):
        names = " or ".join(sorted(opening))
        raise forbidden("Authorization", f"This token lacks the scope {names}.")
