"""Every list of both apps shows what its reader may see, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from emailflow import querysets as mail_lists
from emailflow.models import Delivery, Execution, Mailbox, Message, Outgoing, Suppression, Workflow
from tests.tickets.making import HUB, comment_on, contact_of, open_one, team_of
from tickets import querysets as lists
from tickets.models import Attachment, AuditEntry, Customer, EmailLog, Participant, Tag, Team, Ticket, TicketTag, User
from tickets.services.files import Upload
from tickets.services.tickets import change_ticket

pytestmark = pytest.mark.django_db

OWNERS = ("kim", "team", "nobody")
# Whose rows a reader sees: "kim" is given to Kim, "team" to her team, "nobody" to neither.
SEES = {"all": {"kim", "team", "nobody"}, "own_teams": {"kim", "team"}, "own_tickets": {"kim"}}


class World:
    """One ticket with everything that hangs on it for each owner; every row is known by its owner."""

    def __init__(self) -> None:
        self.kim = User.objects.create_user("kim")
        self.team = team_of(self.kim)
        self.other_team = team_of(name="Others")
        self.tickets: dict[str, Ticket] = {}
        self.messages: dict[str, Message] = {}
        self.lost: dict[str, Message] = {}
        self.rule = Workflow.objects.get(name="Spam → Ignore")
        self._fill("kim", {"assigned_to_user": self.kim}, None)
        self._fill("team", {"assigned_team": self.team}, self.team)
        self._fill("nobody", {"assigned_team": self.other_team}, self.other_team)

    def _fill(self, owner: str, assigned: dict[str, Any], team: Team | None) -> None:
        customer = Customer.objects.create(name=owner)
        contact = contact_of(f"{owner}@x.example", customer=customer)
        ticket = open_one(owner, contact=contact, uploads=[Upload(owner, b"a")], **assigned)
        comment_on(ticket, "note", is_internal=True)
        mailbox = Mailbox.objects.create(slug=f"box-{owner}", name=owner, protocol="maildir", team=team)
        EmailLog.objects.create(
            ticket=ticket, source_key=owner, email_message_id=owner, email_received_at=timezone.now(),
            created_at=timezone.now(),
        )  # fmt: skip
        sent = Outgoing.objects.create(
            ticket=ticket, kind="reply", dedupe_key=owner, recipient=f"{owner}@x.example", not_before=timezone.now(),
            created_at=timezone.now(),
        )  # fmt: skip
        Suppression.objects.create(address=sent.recipient, reason="550", outgoing=sent, created_at=timezone.now())
        self.tickets[owner] = ticket
        self.messages[owner] = self._mail(mailbox, owner, ticket)
        self.lost[owner] = self._mail(mailbox, f"lost {owner}", None)
        Delivery.objects.create(mailbox=mailbox, source="s", uid="1", message=self.messages[owner])

    def _mail(self, mailbox: Mailbox, subject: str, ticket: Ticket | None) -> Message:
        moment = timezone.now()
        message = Message.objects.create(
            mailbox=mailbox, sha256=subject, size=1, subject=subject, received_at=moment, stored_at=moment,
            next_attempt_at=moment, ticket=ticket, state="processed",
            outcome="ticket_created" if ticket else "unrouted",
        )  # fmt: skip
        Execution.objects.create(
            message=message, workflow=self.rule, workflow_name="r", status="success", created_at=moment
        )
        return message


@pytest.fixture
def world(db: None) -> World:
    return World()


def reader(world: World, visibility: str) -> User:
    User.objects.filter(pk=world.kim.pk).update(visibility=visibility)
    return User.objects.get(pk=world.kim.pk)


OF_TICKETS: dict[Callable[[User], QuerySet[Any]], Callable[[Any], str]] = {
    lists.visible_tickets: lambda row: row.subject,
    lists.tickets_for: lambda row: row.subject,
    lists.comments_for: lambda row: row.ticket.subject,
    lists.attachments_for: lambda row: row.name,
    lists.participants_for: lambda row: row.address.partition("@")[0],
    lists.email_log_for: lambda row: row.source_key,
    lists.customers_for: lambda row: row.name,
    lists.contacts_for: lambda row: row.email.partition("@")[0],
    mail_lists.outgoing_for: lambda row: row.recipient.partition("@")[0],
    mail_lists.suppressions_for: lambda row: row.address.partition("@")[0],
}
SCOPED = {
    *(function.__name__ for function in OF_TICKETS),
    *("tags_for", "audit_for", "messages_for", "executions_for", "mailboxes_for", "deliveries_for", "workflows_for"),
    "templates_for",
}


@pytest.mark.parametrize("visibility", SEES)
@pytest.mark.parametrize("function", OF_TICKETS, ids=lambda function: function.__name__)
def test_lists_of_tickets_and_what_hangs_on_them(
    world: World, function: Callable[[User], QuerySet[Any]], visibility: str
) -> None:
    rows = list(function(reader(world, visibility)))
    assert {OF_TICKETS[function](row) for row in rows} == SEES[visibility]
    assert len(rows) == len({row.pk for row in rows}), "a row is listed twice"


@pytest.mark.parametrize("visibility", SEES)
def test_tags_of_invisible_tickets_are_not_told(world: World, visibility: str) -> None:
    for owner, ticket in world.tickets.items():
        TicketTag.objects.create(ticket=ticket, tag=Tag.objects.create(name=f"only-{owner}"))
    tags = lists.tags_for(reader(world, visibility)).filter(name__startswith="only-")
    assert set(tags.values_list("name", flat=True)) == {f"only-{owner}" for owner in SEES[visibility]}


@pytest.mark.parametrize("visibility", SEES)
def test_the_audit_log_speaks_of_visible_tickets_and_of_other_things_to_those_who_see_all(
    world: World, visibility: str
) -> None:
    rows = lists.audit_for(reader(world, visibility))
    of_tickets = {world.tickets[owner].pk for owner in SEES[visibility]}
    assert set(rows.exclude(ticket_id=None).values_list("ticket_id", flat=True)) == of_tickets
    assert rows.filter(ticket_id=None).exists() is (visibility == "all")
    assert AuditEntry.objects.filter(ticket_id=None).exists()


@pytest.mark.parametrize("visibility", SEES)
def test_a_mail_is_seen_with_its_ticket_and_one_without_by_the_team_of_its_mailbox(
    world: World, visibility: str
) -> None:
    user = reader(world, visibility)
    seen = set(SEES[visibility])
    if visibility != "own_tickets":
        seen |= {f"lost {owner}" for owner in seen if owner == "team" or visibility == "all"}
    assert set(mail_lists.messages_for(user).values_list("subject", flat=True)) == seen
    assert {row.message.subject for row in mail_lists.executions_for(user)} == seen


@pytest.mark.parametrize("visibility", SEES)
def test_mailboxes_and_what_they_offered_are_seen_by_their_team(world: World, visibility: str) -> None:
    user = reader(world, visibility)
    boxes = {"all": {"kim", "team", "nobody"}, "own_teams": {"team"}, "own_tickets": {"team"}}[visibility]
    built_in = {"Imported mail", "Mail over the API", "Test mail"} if visibility == "all" else set()
    assert set(mail_lists.mailboxes_for(user).values_list("name", flat=True)) == boxes | built_in
    assert {row.mailbox.name for row in mail_lists.deliveries_for(user)} == boxes


@pytest.mark.parametrize("visibility", SEES)
def test_rules_name_no_mail_and_are_the_same_for_everyone(world: World, visibility: str) -> None:
    assert mail_lists.workflows_for(reader(world, visibility)).count() == Workflow.objects.count()


def test_a_ticket_that_is_given_away_is_seen_no_more(world: World) -> None:
    kim = reader(world, "own_tickets")
    change_ticket(actor=HUB, ticket=world.tickets["kim"], changes={"assigned_to_user": None})
    assert not any(function(kim).exists() for function in OF_TICKETS)


def test_who_is_in_two_teams_sees_each_ticket_once(world: World) -> None:
    team_of(world.kim, name="Second")
    change_ticket(actor=HUB, ticket=world.tickets["team"], changes={"assigned_to_user": world.kim})
    kim = reader(world, "own_teams")
    assert sorted(lists.tickets_for(kim).values_list("subject", flat=True)) == ["kim", "team"]


def test_a_ticket_and_those_merged_into_it_are_a_family(world: World) -> None:
    Ticket.objects.filter(pk=world.tickets["team"].pk).update(merged_into=world.tickets["nobody"])
    assert set(lists.family_of(world.tickets["nobody"])) == {world.tickets["nobody"], world.tickets["team"]}


def test_every_list_function_is_tested_here() -> None:
    named = {
        name for module in (lists, mail_lists) for name in vars(module) if name.endswith("_for") or "visible" in name
    }
    assert named == SCOPED


@pytest.mark.parametrize(
    ("function", "related", "statements"),
    [
        (lists.tickets_for, ("customer", "contact", "assigned_to_user", "assigned_team", "tags"), 2),
        (lists.comments_for, ("author_user", "author_contact", "attachments"), 2),
        (lists.customers_for, ("domains",), 2),
        (lists.contacts_for, ("customer",), 1),
        (mail_lists.messages_for, ("mailbox", "ticket"), 1),
        (mail_lists.executions_for, ("message", "workflow"), 1),
        (mail_lists.deliveries_for, ("mailbox",), 1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_list_asks_no_more_for_many_rows_than_for_one(
    world: World,
    function: Callable[[User], QuerySet[Any]],
    related: tuple[str, ...],
    statements: int,
    django_assert_num_queries: Any,
) -> None:
    user = reader(world, "all")
    with django_assert_num_queries(statements):
        for row in function(user):
            for name in related:
                value = getattr(row, name)
                if hasattr(value, "all"):
                    list(value.all())
    assert Attachment.objects.count() == Participant.objects.count() == 3
