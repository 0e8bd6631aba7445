"""Put tags on the mail's ticket, or on the one that a later step opens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from emailflow.workflow.base import Action, Facts, Intent, JSONDict, StepError
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.forms import WordsField
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action
from tickets.errors import ServiceError
from tickets.services.tickets import clean_tags


@dataclass(frozen=True, slots=True)
class Tag:
    tags: tuple[str, ...]

    def describe(self) -> str:
        return f"Add the {'tags' if len(self.tags) > 1 else 'tag'} {', '.join(self.tags)}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.add_tags(self.tags)


class TagsField(WordsField):
    """The same words that a ticket takes as tags, separated in the same ways."""

    def to_python(self, value: Any) -> list[str]:
        try:
            return _tags(super().to_python(value))
        except ServiceError as error:
            raise ValidationError(error.message, code="invalid") from error


@register_action
class AddTags(Action):
    slug = "add_tags"
    label = "Add tags"
    help = "To the ticket of the mail, or to the one that is opened for it."

    class ParamsForm(forms.Form):
        tags = TagsField(label="Tags", help_text="Separated by commas, spaces or lines.")

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        try:
            tags = _tags(Params(params).words("tags"))
        except ServiceError as error:
            raise StepError(f"parameter tags: {error.message.rstrip('.')}") from error
        if not tags:
            raise StepError("parameter tags is missing")
        return [Tag(tuple(tags))]


def _tags(texts: Iterable[str]) -> list[str]:
    """Raises ServiceError for a word that cannot be a tag."""
    return list(clean_tags(word for text in texts for word in text.replace(",", " ").split()))
