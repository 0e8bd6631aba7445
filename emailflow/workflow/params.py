"""The stored parameters of a condition or action, read with types and without a table.

Parameters are looked at twice, on purpose:

* A person's input (admin, API, import) goes through the plug-in's ``ParamsForm`` with ``forms.check_params``:
  it knows labels and help, and asks the database whether the rows that the ids name exist.
* A stored step is read here while a mail is decided. The engine calls ``check_names`` with the names that the
  form declares; the plug-in then takes each value through ``Params``. Nothing is asked of a table, so that
  deciding stays pure; a row that is gone is found out when the intent is applied.
"""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms

from emailflow.workflow.base import StepError

IS, IS_NOT = "is", "is_not"
_EMPTY: tuple[Any, ...] = (None, "", [], (), {})


def check_names(form: type[forms.Form], params: object) -> Mapping[str, Any]:
    """The parameters, when they have every name that the form requires and no name that it does not know.

    Raises StepError otherwise. Reads only the class of the form.
    """
    if not isinstance(params, Mapping):
        raise StepError("the parameters are not an object with names and values")
    fields = form.base_fields
    for name in params:
        if name not in fields:
            raise StepError(f"parameter {name} is unknown")
    for name, field in fields.items():
        if field.required and params.get(name) in _EMPTY:
            raise StepError(f"parameter {name} is missing")
    return params


class Params:
    """Typed access. Every method raises StepError that names the parameter at fault."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._present(name)
        if not isinstance(value, str) or not value.strip():
            raise StepError(f"parameter {name} must be a text")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """A list of texts, at least one, none of them empty."""
        value = self._present(name)
        if not isinstance(value, list | tuple):
            raise StepError(f"parameter {name} must be a list of texts")
        if not all(isinstance(word, str) and word.strip() for word in value):
            raise StepError(f"parameter {name} must hold texts only, none of them empty")
        return tuple(value)

    def choice(self, name: str, allowed: Collection[str]) -> str:
        value = self._present(name)
        if not isinstance(value, str) or value not in allowed:
            raise StepError(f"parameter {name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def choices(self, name: str, allowed: Collection[str]) -> tuple[str, ...]:
        values = self.words(name)
        for value in values:
            if value not in allowed:
                raise StepError(f"parameter {name} must be of {', '.join(allowed)}, not {value!r}")
        return values

    def optional_choice(self, name: str, allowed: Collection[str]) -> str | None:
        return None if self.is_empty(name) else self.choice(name, allowed)

    def optional_id(self, name: str) -> int | None:
        """The id of a row, or None. Whether the row exists is not asked here."""
        if self.is_empty(name):
            return None
        value = self._values[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise StepError(f"parameter {name} must be a whole number above 0, not {value!r}")
        return value

    def negated(self) -> bool:
        """Whether the operator of a condition is "is not"."""
        return self.choice("operator", (IS, IS_NOT)) == IS_NOT

    def is_empty(self, name: str) -> bool:
        return self._values.get(name) in _EMPTY

    def _present(self, name: str) -> Any:
        if self.is_empty(name):
            raise StepError(f"parameter {name} is missing")
        return self._values[name]
