"""Through which of our mailboxes the mail came."""

from collections.abc import Mapping
from typing import Any

from emailflow.workflow.base import Condition, Facts
from emailflow.workflow.forms import ConditionForm
from emailflow.workflow.matching import listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition
from emailflow.workflow.rowfields import MailboxSlugsField


@register_condition
class Mailbox(Condition):
    slug = "mailbox"
    label = "Mailbox"
    help = "The mail came through one of these mailboxes; with the operator 'is not', through another one."

    class ParamsForm(ConditionForm):
        mailboxes = MailboxSlugsField(label="Any of")

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        mailboxes = wanted.words("mailboxes")
        found = facts.mailbox_slug in mailboxes
        return found != negated, f"{facts.mailbox_slug} {'is not' if negated else 'is'} {listed(mailboxes)}"
