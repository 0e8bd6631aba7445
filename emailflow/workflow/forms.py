"""What a person may write as parameters: form fields, and the way from a form to JSON and back.

The admin shows ``ParamsForm`` of a plug-in with ``initial=`` the stored JSON and saves ``params_of(form)``;
API and importer call ``check_params``. All three keep the same JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder

from emailflow.workflow.base import JSONDict
from emailflow.workflow.params import IS, IS_NOT

NO_SUCH_ROW = "no_such_row"  # the code of "this id is of no row here"
MOST_WORDS = 200
LONGEST_WORD = 300


class WordsField(forms.Field):
    """Texts, one a line; a list of strings in JSON. Empty lines and doubles are left out."""

    widget = forms.Textarea(attrs={"rows": 3})
    default_error_messages = {
        "invalid": "Enter a list of texts, one a line.",
        "many": f"Enter at most {MOST_WORDS} texts.",
        "long": f"A text may have at most {LONGEST_WORD} characters.",
    }

    def to_python(self, value: Any) -> list[str]:
        if value is None or value == "":
            return []
        lines = value.splitlines() if isinstance(value, str) else value
        if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        words = list(dict.fromkeys(" ".join(line.replace("\0", "").split()) for line in lines))
        words = [word for word in words if word]
        if len(words) > MOST_WORDS:
            raise ValidationError(self.error_messages["many"], code="many")
        if any(len(word) > LONGEST_WORD for word in words):
            raise ValidationError(self.error_messages["long"], code="long")
        return words

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(line) for line in value) if isinstance(value, list | tuple) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(initial) != self.to_python(data)
        except ValidationError:
            return True


class OperatorField(forms.ChoiceField):
    """Is, or is not. Required like all of a condition: what is not said is not guessed."""

    def __init__(self) -> None:
        super().__init__(label="Operator", choices=[(IS, "is"), (IS_NOT, "is not")])


class ConditionForm(forms.Form):
    """What every condition of ours asks first."""

    operator = OperatorField()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one parameter; ``field`` is '' when it is the whole."""

    field: str
    message: str
    no_such_row: bool = False


def params_of(form: forms.Form) -> JSONDict:
    """The JSON parameters of a valid form. What is empty is left out; a row becomes its id."""
    kept: JSONDict = {}
    for name, value in form.cleaned_data.items():
        plain = getattr(value, "pk", value)
        if plain is None or (isinstance(plain, str | Sequence) and not plain):
            continue
        kept[name] = plain
    # Dates, decimals and the like get the form that they have when they are read from the table again.
    plain_values: JSONDict = json.loads(json.dumps(kept, cls=DjangoJSONEncoder))
    return plain_values


def check_params(form: type[forms.Form], params: object) -> tuple[JSONDict, list[Problem]]:
    """Parameters from outside: the JSON to store, and what is wrong with them. Asks for rows that ids name.

    With nothing but ids of missing rows wrong, the JSON is still whole: a workflow that is off may keep it.
    """
    if not isinstance(params, Mapping):
        return {}, [Problem("", "Enter an object with names and values.")]
    unknown = [Problem(str(name), "There is no such parameter.") for name in params if name not in form.base_fields]
    if unknown:
        return {}, unknown
    filled = form(data=dict(params))
    problems = [
        Problem("" if name == "__all__" else name, " ".join(error.messages), no_such_row=error.code == NO_SUCH_ROW)
        for name, errors in filled.errors.as_data().items()
        for error in errors
    ]
    if any(not problem.no_such_row for problem in problems):
        return {}, problems
    kept = params_of(filled)
    for problem in problems:
        kept[problem.field] = form.base_fields[problem.field].to_python(params[problem.field])
    return kept, problems
