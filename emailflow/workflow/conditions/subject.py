"""What the subject says."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm, WordsField
from emailflow.workflow.matching import MATCHES, first_match, listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition


@register_condition
class Subject(Condition):
    slug = "subject"
    label = "Subject"
    help = "The subject matches one of these texts; with the operator 'is not', none of them."

    class ParamsForm(ConditionForm):
        match = forms.ChoiceField(label="How", choices=list(MATCHES.items()))
        values = WordsField(label="Any of", help_text="One a line. Upper and lower case are the same.")

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        match = wanted.choice("match", MATCHES)
        values = wanted.words("values")
        found = first_match(facts.mail.subject, values, match)
        not_ = "not true that it " if negated else ""
        return (found is None) == negated, f"{not_}{MATCHES[match]} {listed(values)}"
