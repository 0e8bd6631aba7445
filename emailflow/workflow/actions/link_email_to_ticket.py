"""Put the mail on a ticket that staff named, whatever threading found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from emailflow.workflow.base import Action, Facts, Intent, JSONDict
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action
from emailflow.workflow.rowfields import TicketNumberField


@dataclass(frozen=True, slots=True)
class Link:
    """Result: ticket_id, ticket_number, linked."""

    ticket_number: str

    def describe(self) -> str:
        return f"Link the mail to {self.ticket_number}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.link(self.ticket_number)


@register_action
class LinkEmailToTicket(Action):
    slug = "link_email_to_ticket"
    label = "Link to a ticket"
    help = "Puts the mail on this ticket; a mail that is already on another one is moved."

    class ParamsForm(forms.Form):
        ticket_number = TicketNumberField(label="Ticket", help_text="Its number, like TKT-20251215-001.")

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        return [Link(Params(params).text("ticket_number"))]
