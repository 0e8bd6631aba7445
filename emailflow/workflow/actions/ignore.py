"""Make no ticket of the mail. It stays in the ledger and can be processed again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from emailflow.workflow.base import Action, Facts, Intent, JSONDict
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.registry import register_action


@dataclass(frozen=True, slots=True)
class Ignore:
    """Result: ignored, reason. A mail that is on a ticket stays there: somebody waits for that answer."""

    reason: str
    known_ticket: str = ""  # the one that threading found, in words

    def describe(self) -> str:
        if self.known_ticket:
            return f"Not ignored: the mail belongs to {self.known_ticket}."
        return f"Ignore the mail: {self.reason}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.ignore(self.reason)


@register_action
class IgnoreMail(Action):
    slug = "ignore"
    label = "Ignore the mail"
    help = "No ticket is made. The mail stays in the ledger. A mail that belongs to a ticket is not ignored."

    class ParamsForm(forms.Form):
        pass

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        return [
            Ignore(
                reason=f"it is labelled {facts.label}",
                known_ticket=(facts.thread_ticket_number or "its ticket") if facts.is_reply else "",
            )
        ]
