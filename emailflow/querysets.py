"""The only place where lists of this app are put together; every one starts with what the user may see.

A mail is visible with its ticket; a mail without one to those who see all, or who are in its mailbox's team.
"""

from django.db.models import Q, QuerySet

from emailflow.models import Delivery, Execution, Mailbox, Message, Outgoing, Suppression, Template, Workflow
from tickets.models import User, Visibility
from tickets.querysets import ticket_scope


def message_scope(user: User, prefix: str = "") -> Q | None:
    """The condition on mails that ``user`` may see, or None for all. ``prefix`` names the way to the mail."""
    tickets = ticket_scope(user, f"{prefix}ticket__")
    if tickets is None:
        return None
    if user.visibility == Visibility.OWN_TEAMS:
        teams = User.teams.through.objects.filter(user_id=user.pk).values("team_id")
        nobodys = Q(**{f"{prefix}ticket__isnull": True, f"{prefix}mailbox__team__in": teams})
        return tickets | nobodys
    return tickets


def messages_for(user: User) -> QuerySet[Message]:
    """The ledger as lists show it."""
    scope = message_scope(user)
    messages = Message.objects.all() if scope is None else Message.objects.filter(scope)
    return messages.select_related("mailbox", "ticket")


def executions_for(user: User) -> QuerySet[Execution]:
    scope = message_scope(user, "message__")
    executions = Execution.objects.all() if scope is None else Execution.objects.filter(scope)
    return executions.select_related("message", "message__ticket", "workflow")


def outgoing_for(user: User) -> QuerySet[Outgoing]:
    """The outbox as lists show it: a mail is visible with its ticket, like a mail that came in."""
    scope = message_scope(user)
    rows = Outgoing.objects.all() if scope is None else Outgoing.objects.filter(scope)
    return rows.select_related("mailbox", "ticket").defer("ticket__description", "ticket__custom_fields")


def suppressions_for(user: User) -> QuerySet[Suppression]:
    """All for those who see all; else those that a mail of theirs has caused."""
    rows = Suppression.objects.all()
    return rows if message_scope(user) is None else rows.filter(outgoing__in=outgoing_for(user).values("pk"))


def mailboxes_for(user: User) -> QuerySet[Mailbox]:
    """All mailboxes for those who see all; else those of own teams."""
    mailboxes = Mailbox.objects.select_related("team")
    if user.visibility == Visibility.ALL:
        return mailboxes
    return mailboxes.filter(team__members=user.pk)


def deliveries_for(user: User) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.select_related("mailbox")
    if user.visibility == Visibility.ALL:
        return deliveries
    return deliveries.filter(mailbox__team__members=user.pk)


def workflows_for(user: User) -> QuerySet[Workflow]:
    """Rules are the same for everyone who may see rules at all: they name no mail."""
    return Workflow.objects.prefetch_related("steps", "conditions")


def templates_for(user: User) -> QuerySet[Template]:
    """The general ones, and those of the mailboxes that ``user`` may see."""
    templates = Template.objects.select_related("mailbox")
    if user.visibility == Visibility.ALL:
        return templates
    return templates.filter(Q(mailbox__isnull=True) | Q(mailbox__in=mailboxes_for(user).values("pk")))
