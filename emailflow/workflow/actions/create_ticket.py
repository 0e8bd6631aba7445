"""Open a ticket for the mail, or link it to the ticket that threading found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from emailflow.workflow.base import Action, Facts, Intent, JSONDict
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_action
from emailflow.workflow.rowfields import CustomerIdField, UserIdField
from tickets.models import Priority


@dataclass(frozen=True, slots=True)
class OpenOrLink:
    """Result: ticket_id, ticket_number, created, linked."""

    customer_id: int | None = None
    assigned_to_user_id: int | None = None
    priority: str | None = None
    known_ticket: str = ""  # the one that threading found, in words

    def describe(self) -> str:
        if self.known_ticket:
            return f"Link the mail to {self.known_ticket}."
        details = [
            f"customer {self.customer_id}" if self.customer_id else "",
            f"assigned to user {self.assigned_to_user_id}" if self.assigned_to_user_id else "",
            f"priority {self.priority}" if self.priority else "",
        ]
        told = ", ".join(filter(None, details))
        return f"Open a ticket ({told})." if told else "Open a ticket."

    def apply(self, context: ApplyContext) -> JSONDict:
        return context.open_or_link(
            customer_id=self.customer_id,
            assigned_to_user_id=self.assigned_to_user_id,
            priority=self.priority,
        )


@register_action
class CreateTicket(Action):
    slug = "create_ticket"
    label = "Create a ticket"
    help = "Opens a ticket, or links the mail to the ticket that it belongs to."

    class ParamsForm(forms.Form):
        customer_id = CustomerIdField(label="Customer", help_text="Empty: the customer of the sender's domain.")
        assigned_to_user_id = UserIdField(label="Assign to")
        priority = forms.ChoiceField(
            label="Priority",
            required=False,
            choices=[("", "by the words of the mail"), *Priority.choices],
        )

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        wanted = Params(params)
        return [
            OpenOrLink(
                customer_id=wanted.optional_id("customer_id"),
                assigned_to_user_id=wanted.optional_id("assigned_to_user_id"),
                priority=wanted.optional_choice("priority", Priority.values),
                known_ticket=(facts.thread_ticket_number or "its ticket") if facts.is_reply else "",
            )
        ]
