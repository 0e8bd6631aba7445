"""One form for every error of the API, and the only place that turns exceptions into it.

``{"detail": "one sentence", "errors": [{"field": "priority", "message": "..."}]}``; ``errors`` is never
empty. ``field`` is '' where no single field is at fault; a nested one is ``workflow_steps[0].action``.
"""

import logging
import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings

from tickets.blobs import StoreUnreachable
from tickets.errors import Conflict, ServiceError, TicketsAreOff

logger = logging.getLogger(__name__)


class TooLarge(exceptions.APIException):
    """The body is larger than the limit (RFC 9110, 15.5.14)."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


class LengthMissing(exceptions.APIException):
    """A body in chunks without a Content-Length, which would be read as empty (RFC 9110, 15.5.12)."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length, not in chunks."
    default_code = "length_required"
    field = "Content-Length"


class Forbidden(exceptions.PermissionDenied):
    """A 403 that names what is forbidden."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Missing(exceptions.NotFound):
    """A 404 that names what was not found."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Refused(exceptions.APIException):
    """A 409: the state of things does not allow it (RFC 9110, 15.5.10)."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class StoreAway(exceptions.APIException):
    """Files cannot be read or kept right now (RFC 9110, 15.6.4). Nothing was written: the caller comes again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The store of files does not answer; try again later."
    default_code = "store_away"
    wait = 30


def field_error(field: str, message: str) -> exceptions.ValidationError:
    """A 400 that names ``field``."""
    return exceptions.ValidationError({field: [message]})


def forbidden(field: str, message: str) -> Forbidden:
    """A 403 that names ``field``."""
    return Forbidden(field, message)


def not_found(field: str, message: str = "Not found.") -> Missing:
    """A 404 that names what was not found."""
    return Missing(field, message)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """REST_FRAMEWORK's EXCEPTION_HANDLER. None for what nobody expected: Django logs it and answers 500."""
    error = _as_api_exception(exc, context)
    if error is None:
        return None
    headers: dict[str, str] = {}
    header = getattr(error, "auth_header", None)
    if header:
        headers["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    entries = list(_entries(error))
    return Response({"detail": _summary(entries), "errors": entries}, status=error.status_code, headers=headers)


def _as_api_exception(exc: Exception, context: dict[str, Any]) -> exceptions.APIException | None:
    if isinstance(exc, exceptions.APIException):
        return exc
    if isinstance(exc, Http404):
        return not_found(_missing(context))
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exc, ServiceError):
        return _of_service(exc)
    if isinstance(exc, StoreUnreachable):
        logger.error("the store of files does not answer: %s", exc.strerror)
        return StoreAway()
    if isinstance(exc, RequestDataTooBig):
        return TooLarge()
    if isinstance(exc, SuspiciousOperation):
        return exceptions.ParseError(str(exc) or "The request is malformed.")
    return None


def _of_service(exc: ServiceError) -> exceptions.APIException:
    if isinstance(exc, TicketsAreOff | Conflict):
        return Refused(exc.field, exc.message)
    return field_error(exc.field or api_settings.NON_FIELD_ERRORS_KEY, exc.message)


def _missing(context: dict[str, Any]) -> str:
    """The part of the address that named the missing thing: the last one."""
    kwargs = context.get("kwargs") or {}
    return list(kwargs)[-1] if kwargs else ""


def _entries(error: exceptions.APIException) -> Iterator[dict[str, str]]:
    if isinstance(error.detail, dict | list):
        yield from _flatten(error.detail, "")
        return
    field = getattr(error, "field", "")
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        field = "Authorization"
    elif isinstance(error, TooLarge | exceptions.ParseError):
        field = "body"
    elif isinstance(error, exceptions.UnsupportedMediaType):
        field = "Content-Type"
    elif isinstance(error, exceptions.NotAcceptable):
        field = "Accept"
    yield {"field": field, "message": str(error.detail)}


def _flatten(detail: Any, path: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flatten(inner, _below(path, name))
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                yield from _flatten(inner, _below(path, position))
            else:
                yield {"field": path, "message": str(inner)}
    else:
        yield {"field": path, "message": str(detail)}


def _below(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return path
    return f"{path}.{name}" if path else name


def _summary(entries: list[dict[str, str]]) -> str:
    if not entries:
        return "The request is not valid."
    first = entries[0]
    if len(entries) == 1 and not first["field"]:
        return first["message"]
    return " ".join(
        f"{entry['field']}: {entry['message']}" if entry["field"] else entry["message"] for entry in entries
    )
