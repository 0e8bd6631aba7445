"""What the mail is by its form: from a person, automatic, from a list."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.mail import Kind as MailKind
from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm
from emailflow.workflow.matching import listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

# The other kinds, loops and reports of mail servers, never reach the rules.
KINDS = {
    MailKind.PERSON.value: "from a person",
    MailKind.AUTO_REPLY.value: "automatic reply",
    MailKind.AUTO_GENERATED.value: "sent by a machine",
    MailKind.LIST.value: "from a mailing list",
}


@register_condition
class Kind(Condition):
    slug = "kind"
    label = "Kind of mail"
    help = "What the mail is by its form, whatever it says."

    class ParamsForm(ConditionForm):
        kinds = forms.MultipleChoiceField(label="Any of", choices=list(KINDS.items()))

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        kinds = wanted.choices("kinds", KINDS)
        found = facts.kind.value in kinds
        return found != negated, f"{facts.kind.value} {'is not' if negated else 'is'} {listed(kinds)}"
