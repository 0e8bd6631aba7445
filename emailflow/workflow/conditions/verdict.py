"""How far the From address can be believed, by the word of our own mail server."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.mail import Verdict as SenderVerdict
from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm
from emailflow.workflow.matching import listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

VERDICTS = {
    SenderVerdict.PASS.value: "pass: the sender is who it says",
    SenderVerdict.FAIL.value: "fail: the sender is forged",
    SenderVerdict.NONE.value: "none: our mail server said nothing",
}


@register_condition
class Verdict(Condition):
    slug = "verdict"
    label = "Sender check"
    help = "What SPF, DKIM and DMARC say of the sender, as our own mail server reports it."

    class ParamsForm(ConditionForm):
        verdicts = forms.MultipleChoiceField(label="Any of", choices=list(VERDICTS.items()))

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        verdicts = wanted.choices("verdicts", VERDICTS)
        found = facts.verdict.value in verdicts
        return found != negated, f"{facts.verdict.value} {'is not' if negated else 'is'} {listed(verdicts)}"
