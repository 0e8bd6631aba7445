"""Set the priority of the mail's ticket, or of the one that a later step opens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from emailflow.workflow.base import Action, Facts, Intent, JSONDict
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action
from tickets.models import Priority


@dataclass(frozen=True, slots=True)
class ChangePriority:
    priority: str

    def describe(self) -> str:
        return f"Set the priority to {self.priority}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.set_priority(self.priority)


@register_action
class SetPriority(Action):
    slug = "set_priority"
    label = "Set the priority"
    help = "Of the ticket of the mail, or of the one that is opened for it."

    class ParamsForm(forms.Form):
        priority = forms.ChoiceField(label="Priority", choices=Priority.choices)

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        return [ChangePriority(Params(params).choice("priority", Priority.values))]
