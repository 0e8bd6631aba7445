"""Filters of the ledger and of the rules. See ``tickets.api.filters`` for how strict they are."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from emailflow.models import (
    Delivery,
    DeliveryState,
    Execution,
    ExecutionStatus,
    Mailbox,
    Message,
    OutboxKind,
    OutboxState,
    Outcome,
    Outgoing,
    State,
    Workflow,
)
from tickets.api.filters import ChoicesFilter, IdFilter, MomentFilter
from tickets.limits import row_id

_OUTCOMES = [choice for choice in Outcome.choices if choice[0]]


class MessageFilter(filters.FilterSet):
    state = ChoicesFilter(choices=State.choices, help_text="One or more states.")
    outcome = ChoicesFilter(choices=_OUTCOMES, help_text="One or more outcomes.")
    mailbox = filters.CharFilter(method="of_mailbox", help_text="Id or slug of a mailbox.")
    kind = filters.CharFilter(help_text="person, auto_reply, auto_generated, list, bounce, complaint or loop.")
    label = filters.CharFilter(help_text="Slug of a label.")
    ticket = IdFilter(help_text="Id of a ticket, or `none`.")
    message_id = filters.CharFilter(method="with_message_id", help_text="The Message-ID.")
    received_after = MomentFilter(field_name="received_at", lookup_expr="gte", help_text="At or after.")
    received_before = MomentFilter(field_name="received_at", lookup_expr="lt", help_text="Before.")

    class Meta:
        model = Message
        fields: list[str] = []

    def of_mailbox(self, messages: QuerySet[Message], name: str, value: str) -> QuerySet[Message]:
        if (number := row_id(value)) is not None:
            return messages.filter(mailbox=number)
        # Asked apart: with the id the index of the mailbox gives the newest first.
        return messages.filter(mailbox__in=list(Mailbox.objects.filter(slug=value).values_list("pk", flat=True)))

    def with_message_id(self, messages: QuerySet[Message], name: str, value: str) -> QuerySet[Message]:
        return messages.filter(message_id=value if value.startswith("<") else f"<{value}>")


class OutgoingFilter(filters.FilterSet):
    state = ChoicesFilter(choices=OutboxState.choices, help_text="One or more states.")
    kind = ChoicesFilter(choices=OutboxKind.choices, help_text="One or more kinds.")
    mailbox = IdFilter(help_text="Id of a mailbox, or `none`.")
    ticket = IdFilter(help_text="Id of a ticket, or `none`.")
    comment = IdFilter(help_text="Id of a comment, or `none`.")
    recipient = filters.CharFilter(method="to_recipient", help_text="The address, exactly.")

    class Meta:
        model = Outgoing
        fields: list[str] = []

    def to_recipient(self, rows: QuerySet[Outgoing], name: str, value: str) -> QuerySet[Outgoing]:
        return rows.filter(recipient=value.strip().lower())


class ExecutionFilter(filters.FilterSet):
    workflow = IdFilter(help_text="Id of a workflow, or `none`.")
    message = IdFilter(help_text="Id of a mail.")
    status = ChoicesFilter(choices=ExecutionStatus.choices, help_text="One or more.")
    dry_run = filters.BooleanFilter(help_text="Only trials, or only real runs.")

    class Meta:
        model = Execution
        fields: list[str] = []


class WorkflowFilter(filters.FilterSet):
    enabled = filters.BooleanFilter(help_text="Switched on, or off.")

    class Meta:
        model = Workflow
        fields: list[str] = []


class MailboxFilter(filters.FilterSet):
    slug = filters.CharFilter(help_text="The slug, exactly.")
    enabled = filters.BooleanFilter(help_text="Switched on, or off.")

    class Meta:
        model = Mailbox
        fields: list[str] = []


class DeliveryFilter(filters.FilterSet):
    state = ChoicesFilter(
        choices=DeliveryState.choices, help_text="One or more states; `unfetchable` is what was set aside."
    )
    mailbox = IdFilter(help_text="Id of a mailbox.")
    message = IdFilter(help_text="Id of a mail, or `none`.")

    class Meta:
        model = Delivery
        fields: list[str] = []
