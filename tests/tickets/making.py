"""Rows that the tests of the core start from, made through the services, and what they look at afterwards."""

import json
from typing import Any

from django.apps import apps

from tickets.actors import Actor
from tickets.models import AuditEntry, Comment, Contact, Source, Team, Ticket, User
from tickets.services.comments import add_comment
from tickets.services.customers import save_contact
from tickets.services.staff import save_team
from tickets.services.tickets import open_ticket

HUB = Actor.of_system("tests")
ADDRESS = "mette@nordwind.example"


def open_one(subject: str = "The printer", **fields: Any) -> Ticket:
    values: dict[str, Any] = {"body_text": "It is out of toner.", "source": Source.MANUAL} | fields
    return Ticket.objects.get(pk=open_ticket(actor=HUB, subject=subject, **values).pk)


def comment_on(ticket: Ticket, text: str = "I am on my way.", **fields: Any) -> Comment:
    return add_comment(actor=HUB, ticket=ticket, body_text=text, source=Source.MANUAL, **fields)


def contact_of(address: str = ADDRESS, **fields: Any) -> Contact:
    return save_contact(actor=HUB, contact=Contact(email=address, **fields))


def team_of(*members: User, name: str = "Operations") -> Team:
    return save_team(actor=HUB, team=Team(name=name), members=members)


def entries(action: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The old and new values of all audit entries of that action, oldest first."""
    return list(AuditEntry.objects.filter(action=action).order_by("id").values_list("old_values", "new_values"))


def audit_as_text() -> str:
    """Everything that the audit log holds, to look for what must not be there."""
    return json.dumps(list(AuditEntry.objects.values("actor_name", "old_values", "new_values")))


def counts() -> dict[str, int]:
    """How many rows each table of Hub has."""
    models = [model for app in ("tickets", "emailflow") for model in apps.get_app_config(app).get_models()]
    return {model._meta.db_table: model._default_manager.count() for model in models}
