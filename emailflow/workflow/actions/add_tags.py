"""Put tags on the mail's ticket, or on the one that a later step opens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from emailflow.workflow.base import Action, Facts, Intent, JSONDict, StepError
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.forms import WordsField
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action

LONGEST_TAG = 60


@dataclass(frozen=True, slots=True)
class Tag:
    tags: tuple[str, ...]

    def describe(self) -> str:
        return f"Add the {'tags' if len(self.tags) > 1 else 'tag'} {', '.join(self.tags)}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.add_tags(self.tags)


class TagsField(WordsField):
    """Tags are lower case, without the number sign that mail has before them."""

    def to_python(self, value: Any) -> list[str]:
        tags = _tags(super().to_python(value))
        if any(len(tag) > LONGEST_TAG for tag in tags):
            raise ValidationError(f"A tag may have at most {LONGEST_TAG} characters.", code="long")
        return tags


@register_action
class AddTags(Action):
    slug = "add_tags"
    label = "Add tags"
    help = "To the ticket of the mail, or to the one that is opened for it."

    class ParamsForm(forms.Form):
        tags = TagsField(label="Tags", help_text="One a line.")

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        tags = _tags(Params(params).words("tags"))
        if not tags:
            raise StepError("parameter tags is missing")
        return [Tag(tuple(tags))]


def _tags(words: list[str] | tuple[str, ...]) -> list[str]:
    tags = dict.fromkeys(word.strip().lstrip("#").strip().lower() for word in words)
    return [tag for tag in tags if tag]
