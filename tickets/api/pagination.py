"""Keyset pages: each list is walked along an index that ends in the id, without count(*) and without OFFSET.

A page is ``{"next": address or null, "results": [...]}``. Lives apart from the views: REST_FRAMEWORK names
it by a string, and a module that also defines views would import itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from tickets.api.errors import field_error
from tickets.limits import HIGHEST_ID
from tickets.storable import is_storable

if TYPE_CHECKING:
    # At run time the views import this module through the settings.
    from rest_framework.views import APIView

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
# The parameters that belong to the page, not to the filters.
PARAMETERS = ("cursor", "sort", "page_size", "format")

Sorts = Mapping[str, Sequence[str]]


class KeysetPagination(BasePagination):
    """The view names its orders in ``sorts``: ``{"newest": ("-created_at", "-id")}``; first is default.

    All columns of one order must run the same way, hold no NULL, and end in ``id``.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """At most ``page_size`` rows. Raises ValidationError that names cursor, sort or page_size."""
        self.request = request
        self.size = _page_size(request)
        self.sort, self.columns = _sort(request, sorts_of(view))
        text = request.query_params.get("cursor")
        if text is not None:
            queryset = queryset.filter(_after(queryset.model, self.columns, _decode(text, self.sort)))
        rows = list(queryset.order_by(*self.columns)[: self.size + 1])
        self.more = len(rows) > self.size
        self.rows = rows[: self.size]
        return self.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next_link(), "results": data})

    def next_link(self) -> str | None:
        """The address of the next page, or None on the last one."""
        if not self.more:
            return None
        address = self.request.build_absolute_uri()
        return replace_query_param(address, "cursor", _encode(self.sort, self.columns, self.rows[-1]))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": "string",
                    "nullable": True,
                    "format": "uri",
                    "example": "https://hub.example.com/api/v1/tickets?cursor=WyJuZXdlc3QiXQ",
                    "description": "Address of the next page; null on the last one.",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = list(sorts_of(view))
        return [
            _parameter("cursor", {"type": "string"}, "Where the page begins; taken from `next`."),
            _parameter(
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE},
                "Rows a page.",
            ),
            _parameter("sort", {"type": "string", "enum": names, "default": names[0]}, "The order."),
        ]


def sorts_of(view: Any) -> Sorts:
    sorts: Sorts = getattr(view, "sorts", None) or {"newest": ("-id",)}
    return sorts


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size")
    if text is None:
        return DEFAULT_PAGE_SIZE
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_PAGE_SIZE:
        return int(text)
    raise field_error("page_size", f"A whole number from 1 to {MAX_PAGE_SIZE}.")


def _sort(request: Request, sorts: Sorts) -> tuple[str, Sequence[str]]:
    name = request.query_params.get("sort", next(iter(sorts)))
    if name not in sorts:
        raise field_error("sort", f"Choose one of: {', '.join(sorts)}.")
    return name, sorts[name]


def _bare(column: str) -> str:
    return column.removeprefix("-")


def _encode(sort: str, columns: Sequence[str], row: Any) -> str:
    values = [getattr(row, _bare(column)) for column in columns]
    plain = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([sort, *plain]).encode()).decode().rstrip("=")


def _decode(text: str, sort: str) -> list[Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        raise field_error("cursor", "This is not a cursor of this list.") from None
    if not isinstance(found, list) or not found or found[0] != sort:
        raise field_error("cursor", "This cursor belongs to another list or order.")
    return found[1:]


def _after(model: type[models.Model], columns: Sequence[str], values: list[Any]) -> Q:
    """The rows behind ``values``. The bound on the first column stands alone so that its index is used."""
    if len(values) != len(columns):
        raise field_error("cursor", "This cursor belongs to another list or order.")
    clean = [_value(model, _bare(column), value) for column, value in zip(columns, values, strict=True)]
    step = "lt" if columns[0].startswith("-") else "gt"
    behind = Q()
    for position in reversed(range(len(columns))):
        name = _bare(columns[position])
        condition = Q(**{f"{name}__{step}": clean[position]})
        behind = condition | (Q(**{name: clean[position]}) & behind) if behind else condition
    if len(columns) == 1:
        return behind
    return Q(**{f"{_bare(columns[0])}__{step}e": clean[0]}) & behind


def _value(model: type[models.Model], name: str, value: Any) -> Any:
    try:
        field: Any = model._meta.get_field(name)
        field = getattr(field, "output_field", None) or field
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ValidationError("not a plain value")
        if isinstance(value, str) and not is_storable(value):
            raise ValidationError("a character that no column holds")
        clean = field.to_python(value)
        if isinstance(clean, datetime):
            if clean.tzinfo is None:
                raise ValidationError("no time zone")
            clean = clean.astimezone(UTC)
        if isinstance(clean, int) and abs(clean) > HIGHEST_ID:
            raise ValidationError("too large")
    except (ValidationError, FieldDoesNotExist, ValueError, TypeError, OverflowError):
        raise field_error("cursor", "This is not a cursor of this list.") from None
    return clean
