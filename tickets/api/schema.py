"""The OpenAPI description: how callers log in, what errors look like, addresses without a last slash.

Named by SPECTACULAR_SETTINGS and used by the views' decorators.
"""

from collections.abc import Callable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers

BYTES = OpenApiTypes.BINARY


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tickets.api.authentication.ApiTokenAuthentication"
    name = "token"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "`Authorization: Bearer <token>` or `Authorization: Token <token>`. "
            "`manage.py api_token USER` makes one.",
        }


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="The field at fault, like `workflow_steps[0].action`; '' for none.")
    message = serializers.CharField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A wrong field",
            value={
                "detail": 'priority: "soon" is not a valid choice.',
                "errors": [{"field": "priority", "message": '"soon" is not a valid choice.'}],
            },
        )
    ]
)
class ErrorSerializer(serializers.Serializer[Any]):
    """Every error has this form."""

    detail = serializers.CharField(help_text="Everything in one sentence.")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


def _error(description: str) -> OpenApiResponse:
    return OpenApiResponse(ErrorSerializer, description=description)


ERRORS = {
    400: _error("The request is not valid; `errors` names the fields."),
    401: _error("No token, or one that is unknown, expired, or of an inactive user."),
    403: _error("The user lacks a permission, or the token a scope."),
    404: _error("There is no such thing, or it is not visible to the user."),
    409: _error("Not now: tickets are switched off, or somebody else was faster."),
    413: _error("The body is too large."),
    429: _error("Too many requests; `Retry-After` says for how many seconds."),
}

Endpoint = tuple[str, str, str, Callable[..., Any]]


def without_last_slash(endpoints: list[Endpoint], **kwargs: Any) -> list[Endpoint]:
    """The slash at the end is optional; the description shows each address once, without it."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints]


def without_descriptions() -> list[type]:
    """Classes whose docstrings speak to programmers of Hub, not to callers of the API."""
    # Imported here: the views import this module.
    from tickets.api.serializers.base import StrictSerializer, WholeSerializer
    from tickets.api.views.base import ListAndDetail, Resource
    from tickets.api.views.comments import OfTicket

    foreign: list[type] = get_lib_doc_excludes()  # type: ignore[no-untyped-call]
    return [*foreign, StrictSerializer, WholeSerializer, Resource, ListAndDetail, OfTicket]
