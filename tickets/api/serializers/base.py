"""What all serializers share. Those that read bodies are strict; none of them writes: services do."""

import math
from collections.abc import Callable
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

MAX_TEXT = 1_000_000
_MAX_JSON_DEPTH = 20
# A browser's form carries it beside the fields.
_CSRF = "csrfmiddlewaretoken"


class StrictSerializer(serializers.Serializer[Any]):
    """A body. A field that it does not know, or that cannot be set, is an error that names the field."""

    def to_internal_value(self, data: Any) -> Any:
        if hasattr(data, "keys"):
            writable = {field.field_name for field in self._writable_fields}
            unknown = [name for name in data if name not in writable and name != _CSRF]
            if unknown:
                raise serializers.ValidationError(
                    {str(name): ["There is no such field that can be set."] for name in unknown}
                )
        return super().to_internal_value(data)


class WholeSerializer(StrictSerializer):
    """A row of a list in a body. It replaces what was there, so PATCH too needs all of it."""

    def to_internal_value(self, data: Any) -> Any:
        found: dict[str, Any] = super().to_internal_value(data)
        left_out = {str(field.field_name): field for field in self._writable_fields if field.field_name not in found}
        missing = [name for name, field in left_out.items() if field.required]
        if missing:
            raise serializers.ValidationError(
                {name: [str(left_out[name].error_messages["required"])] for name in missing}
            )
        for name, field in left_out.items():
            if field.default is not serializers.empty:
                found[name] = field.default() if callable(field.default) else field.default
        return found


class VisibleField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row that the caller may see; any other id does not exist.

    ``rows`` is the function that gives the visible rows of a user.
    """

    def __init__(self, *, rows: Callable[[Any], QuerySet[Any]], model: type[Model], **kwargs: Any) -> None:
        self.rows = rows
        self.model = model
        super().__init__(queryset=model._default_manager.all(), **kwargs)

    def get_queryset(self) -> QuerySet[Any]:
        request = self.context.get("request")
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return self.model._default_manager.all()
        return self.rows(user)


class CleanJSONField(serializers.JSONField):
    """A JSON object that both databases can keep: no NUL, no lone surrogates, no infinite numbers."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("A JSON object is expected.")
        reason = _unfit(value, 0)
        if reason:
            raise serializers.ValidationError(reason)
        return value


def _unfit(value: Any, depth: int) -> str:
    if depth > _MAX_JSON_DEPTH:
        return f"No more than {_MAX_JSON_DEPTH} levels."
    if isinstance(value, str):
        if "\x00" in value:
            return "Null characters are not allowed."
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            return "Half a character (a lone surrogate) is not allowed."
    elif isinstance(value, float) and not math.isfinite(value):
        return "Numbers must be finite."
    elif isinstance(value, dict | list):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            if reason := _unfit(part, depth + 1):
                return reason
    return ""
