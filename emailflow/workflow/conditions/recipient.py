"""To whom the mail went: To, Cc, and where the mail server delivered it."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm, WordsField
from emailflow.workflow.matching import fold, listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

PARTS = {"address": "address", "domain": "domain"}


@register_condition
class Recipient(Condition):
    slug = "recipient"
    label = "Recipient"
    help = "One of the recipients is one of these; with the operator 'is not', none is."

    class ParamsForm(ConditionForm):
        part = forms.ChoiceField(label="What of it", choices=list(PARTS.items()))
        values = WordsField(label="Any of", help_text="One a line.")

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        part = wanted.choice("part", PARTS)
        values = wanted.words("values")
        people = facts.mail.recipients
        has = {fold(who.domain if part == "domain" else who.key) for who in people}
        found = any(fold(value.removeprefix("@") if part == "domain" else value) in has for value in values)
        return found != negated, f"{part} of {'no' if negated else 'a'} recipient is {listed(values)}"
