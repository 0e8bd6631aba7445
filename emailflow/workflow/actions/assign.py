"""Hand the mail's ticket, or the one that a later step opens, to a user, a team, or both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from emailflow.workflow.base import Action, Facts, Intent, JSONDict, StepError
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action
from emailflow.workflow.rowfields import TeamIdField, UserIdField


@dataclass(frozen=True, slots=True)
class HandTo:
    user_id: int | None = None
    team_id: int | None = None

    def describe(self) -> str:
        to = [
            f"user {self.user_id}" if self.user_id else "",
            f"team {self.team_id}" if self.team_id else "",
        ]
        return f"Assign the ticket to {' and '.join(filter(None, to))}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.assign(user_id=self.user_id, team_id=self.team_id)


@register_action
class Assign(Action):
    slug = "assign"
    label = "Assign"
    help = "The ticket of the mail, or the one that is opened for it, to a user, a team, or both."

    class ParamsForm(forms.Form):
        assigned_to_user_id = UserIdField(label="User")
        assigned_team_id = TeamIdField(label="Team")

        def clean(self) -> dict[str, Any]:
            cleaned = self.cleaned_data
            if not self.errors and not any(cleaned.values()):
                self.add_error("assigned_to_user_id", "Choose a user or a team.")
            return cleaned

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        wanted = Params(params)
        user_id = wanted.optional_id("assigned_to_user_id")
        team_id = wanted.optional_id("assigned_team_id")
        if user_id is None and team_id is None:
            raise StepError("parameter assigned_to_user_id is missing: name a user or a team")
        return [HandTo(user_id, team_id)]
