"""What the writer has newly written: without the quotes of older mail."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm, WordsField
from emailflow.workflow.matching import ANYWHERE, MATCHES, WORDS, first_match, listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

WAYS = {way: MATCHES[way] for way in (WORDS, ANYWHERE)}


@register_condition
class Body(Condition):
    slug = "body"
    label = "Body"
    help = "The new text of the mail matches one of these texts; with the operator 'is not', none of them."

    class ParamsForm(ConditionForm):
        match = forms.ChoiceField(label="How", choices=list(WAYS.items()))
        values = WordsField(label="Any of", help_text="One a line. Upper and lower case are the same.")

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        match = wanted.choice("match", WAYS)
        values = wanted.words("values")
        found = first_match(facts.mail.reply_text, values, match)
        not_ = "not true that it " if negated else ""
        return (found is None) == negated, f"{not_}{WAYS[match]} {listed(values)}"
