"""Who is there in the demo: customers, staff, teams, the drop folder, and rules of our own."""

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group

from emailflow.models import Mailbox, Protocol, StartPolicy
from emailflow.services.mailboxes import save_mailbox
from emailflow.services.workflow_files import import_workflows
from hub.demo.letter import OUR_DOMAIN, OUR_SERVER
from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.installing import once
from tickets.models import Customer, Team, User
from tickets.services.customers import save_customer
from tickets.services.staff import save_team, save_user

ACTOR = Actor.of_system("seed_demo")
DROP_FOLDER = "drop"

CUSTOMERS = {
    "Fjordbageriet": ["fjordbageriet.example"],
    "Skovgaard VVS": ["skovgaard-vvs.example"],
    "Harbour Logistics": ["harbourlogistics.example"],
    "Studio Rossi": ["studio-rossi.example"],
    "Gamlebyen Foto": ["gamlebyen-foto.example"],
    "Kiel Werft": ["kielwerft.example"],
}


@dataclass(frozen=True)
class Person:
    username: str
    first_name: str
    last_name: str
    group: str
    team: str
    language: str


STAFF = (
    Person("agent", "Ida", "Frost", "Agents", "Support", "da"),
    Person("manager", "Martin", "Krogh", "Managers", "Operations", "en"),
)


def make_customers() -> None:
    for name, domains in CUSTOMERS.items():
        if once(f"demo:customer:{name}"):
            save_customer(actor=ACTOR, customer=Customer(name=name), domains=domains)


def make_staff() -> dict[str, str]:
    """Returns the user names that were made, with their passwords."""
    made = {}
    for person in STAFF:
        if not once(f"demo:user:{person.username}") or User.objects.filter(username=person.username).exists():
            continue
        password = secrets.token_urlsafe(9)
        user = User(
            username=person.username,
            first_name=person.first_name,
            last_name=person.last_name,
            email=f"{person.username}@{OUR_DOMAIN}",
            language=person.language,
            is_staff=True,
        )
        user.set_password(password)
        groups = list(Group.objects.filter(name=person.group))
        save_user(actor=ACTOR, user=user, groups=groups, teams=[_team(person.team)])
        made[person.username] = password
    return made


def make_drop_folder() -> Mailbox:
    """The Maildir on disk and the mailbox that reads it."""
    for name in ("tmp", "new", "cur"):
        (settings.DROP_DIR / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    mailbox = Mailbox.objects.filter(slug=DROP_FOLDER).first()
    if mailbox:
        return mailbox
    return save_mailbox(
        actor=ACTOR,
        mailbox=Mailbox(
            slug=DROP_FOLDER,
            name="Drop folder",
            protocol=Protocol.MAILDIR,
            path=str(settings.DROP_DIR),
            folder="",
            start_policy=StartPolicy.ALL,
            addresses=[f"support@{OUR_DOMAIN}"],
            authserv_ids=[OUR_SERVER],
            form_senders=["formular@nordlys-hjemmeside.example"],
            from_name="Nordlys IT",
            from_address=f"support@{OUR_DOMAIN}",
        ),
    )


def make_rules() -> None:
    """Rules beside those that every installation has."""
    operations, support = _team("Operations"), _team("Support")
    wanted = [
        _rule("Alarms → Operations", "*", [_words("subject", ["backup"])], operations.pk, ["alarm"]),
        _rule("Invoice → Ticket for Operations", "invoice", [], operations.pk, ["invoice"]),
        _rule("Order → Ticket for Support", "order", [], support.pk, ["order"]),
    ]
    fresh = [rule for rule in wanted if once(f"demo:workflow:{rule['name']}")]
    for result in import_workflows(actor=ACTOR, data=fresh):
        if result.outcome == "failed":
            raise ServiceError(f"The rule {result.name} was refused: {result.error}", field=result.field)


def _rule(name: str, label: str, conditions: list[dict[str, Any]], team_id: int, tags: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "classification_trigger": label,
        "confidence_threshold": 0.0 if label == "*" else 0.6,
        "order": 100,
        "stop": True,
        "conditions": conditions,
        "workflow_steps": [
            {"action": "create_ticket", "params": {}},
            {"action": "assign", "params": {"assigned_team_id": team_id}},
            {"action": "add_tags", "params": {"tags": tags}},
        ],
    }


def _words(condition: str, values: list[str]) -> dict[str, Any]:
    return {"condition": condition, "params": {"operator": "is", "match": "words", "values": values}}


def _team(name: str) -> Team:
    return Team.objects.filter(name=name).first() or save_team(actor=ACTOR, team=Team(name=name))
