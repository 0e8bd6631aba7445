"""Who wrote the mail, by its From header. How far that can be believed is the condition ``verdict``."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm, WordsField
from emailflow.workflow.matching import ANYWHERE, EQUALS, first_match, listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

PARTS = {"address": "address", "domain": "domain", "name": "name contains"}


@register_condition
class Sender(Condition):
    slug = "sender"
    label = "Sender"
    help = "The address or domain is one of these, or the name contains one of them."

    class ParamsForm(ConditionForm):
        part = forms.ChoiceField(label="What of it", choices=list(PARTS.items()))
        values = WordsField(label="Any of", help_text="One a line. A domain means exactly that domain.")

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        part = wanted.choice("part", PARTS)
        values = wanted.words("values")
        sender = facts.mail.sender
        has = {"address": sender.key, "domain": sender.domain, "name": sender.name}[part]
        if part == "domain":
            values = tuple(value.removeprefix("@") for value in values)
        found = first_match(has, values, ANYWHERE if part == "name" else EQUALS)
        verb = ("does not contain" if negated else "contains") if part == "name" else "is not" if negated else "is"
        return (found is None) == negated, f"{part} {verb} {listed(values)}"
