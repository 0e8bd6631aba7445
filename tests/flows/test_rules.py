"""Rules on real mail: what staff say is what happens, and a broken rule loses no mail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django import forms

from emailflow.models import Execution, Message, Outcome, State, Workflow, WorkflowStep
from emailflow.services.workflow_files import import_workflows
from emailflow.services.workflows import save_workflow
from emailflow.workflow import registry, store
from emailflow.workflow.base import Action, Facts, Intent, JSONDict, Step
from emailflow.workflow.context import ApplyContext
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets.actors import Actor
from tickets.models import Customer, Team, Ticket, User

pytestmark = pytest.mark.django_db
ACTOR = Actor.of_system("test")


def rule(name: str, *steps: Step, conditions: Any = (), order: int = 100, **fields: Any) -> Workflow:
    values = {"classification_trigger": "*", "confidence_threshold": 0.0, **fields}
    return save_workflow(
        actor=ACTOR, workflow=Workflow(name=name, order=order, **values), conditions=conditions, steps=steps
    )


def executions(message: Message) -> list[tuple[str, str]]:
    return list(Execution.objects.filter(message=message).order_by("id").values_list("workflow_name", "status"))


def ticket_of(message: Message) -> Ticket:
    assert message.ticket is not None, message.last_error
    return message.ticket


def test_an_imported_rule_opens_the_ticket_for_its_customer_and_user(deliver: Deliver) -> None:
    customer, user = Customer.objects.create(name="Nordwind"), User.objects.create_user("anna")
    item = {
        "name": "Support Request → Ticket",
        "classification_trigger": "support_request",
        "confidence_threshold": 0.5,
        "workflow_steps": [
            {
                "action": "create_ticket",
                "params": {"customer_id": customer.pk, "assigned_to_user_id": user.pk},
            }
        ],
    }
    import_workflows(actor=ACTOR, data=[item])
    message = deliver(mail("Our internet is down. Can you help?", subject="Help with network issue"))
    ticket = ticket_of(message)
    assert (ticket.assigned_to_user, ticket.customer, ticket.priority) == (user, customer, "normal")
    execution = Execution.objects.get(message=message)
    assert execution.workflow_name == "Support Request → Ticket"
    assert execution.results == [
        {
            "action": "create_ticket",
            "ticket_id": ticket.pk,
            "ticket_number": ticket.ticket_number,
            "created": True,
            "linked": False,
        }
    ]


def test_rules_before_the_ticket_decide_its_priority_tags_and_assignment(deliver: Deliver) -> None:
    user, team = User.objects.create_user("anna"), Team.objects.create(name="Second level")
    domain = Step("sender", {"operator": "is", "part": "domain", "values": ["nordwind.example"]})
    rule(
        "Important customer",
        Step("set_priority", {"priority": "critical"}),
        Step("add_tags", {"tags": ["vip"]}),
        Step("assign", {"assigned_to_user_id": user.pk, "assigned_team_id": team.pk}),
        conditions=[domain],
    )
    rule(
        "Others",
        Step("add_tags", {"tags": ["other"]}),
        conditions=[Step("sender", {**domain.params, "operator": "is_not"})],
    )
    ticket = ticket_of(deliver(mail("Hello", subject="Hello")))
    assert (ticket.priority, ticket.assigned_to_user, ticket.assigned_team) == ("critical", user, team)
    assert [tag.name for tag in ticket.tags.all()] == ["vip"]


def test_rules_after_the_ticket_change_it(deliver: Deliver) -> None:
    rule("Open", Step("create_ticket"), order=1)
    rule("Then", Step("set_priority", {"priority": "high"}), Step("add_tags", {"tags": ["late"]}), order=2)
    message = deliver(mail("Hello", subject="Hello"))
    ticket = ticket_of(message)
    assert ticket.priority == "high"
    assert [tag.name for tag in ticket.tags.all()] == ["late"]
    results = Execution.objects.get(message=message, workflow_name="Then").results
    assert {result["ticket_id"] for result in results} == {ticket.pk}


def test_an_ignored_mail_makes_no_ticket_and_stop_ends_the_run(deliver: Deliver) -> None:
    rule(
        "Not for us",
        Step("ignore"),
        conditions=[Step("subject", {"operator": "is", "match": "words", "values": ["tilbud"]})],
        stop=True,
    )
    message = deliver(mail("Køb nu", subject="Et godt tilbud"))
    assert (message.state, message.outcome, message.ticket) == (State.PROCESSED, Outcome.IGNORED, None)
    assert executions(message) == [("Not for us", "success")]
    assert ticket_of(deliver(mail("Hej", subject="Noget andet")))


def test_a_rule_can_put_a_mail_on_a_ticket_that_staff_named(deliver: Deliver) -> None:
    target = ticket_of(deliver(mail("The first", subject="Collected here")))
    rule(
        "Collect",
        Step("link_email_to_ticket", {"ticket_number": target.ticket_number}),
        conditions=[Step("subject", {"operator": "is", "match": "starts", "values": ["Report"]})],
        stop=True,
    )
    message = deliver(mail("All is well", subject="Report of today"))
    assert message.outcome == Outcome.LINKED
    assert message.ticket == target
    assert Execution.objects.get(message=message).results == [
        {
            "action": "link_email_to_ticket",
            "ticket_id": target.pk,
            "ticket_number": target.ticket_number,
            "linked": True,
        }
    ]


def test_a_change_of_a_rule_holds_for_the_next_mail(deliver: Deliver) -> None:
    mine = rule("Mine", Step("add_tags", {"tags": ["before"]}))
    deliver(mail("One", subject="One"))
    save_workflow(actor=ACTOR, workflow=mine, conditions=[], steps=[Step("add_tags", {"tags": ["after"]})])
    ticket = ticket_of(deliver(mail("Two", subject="Two")))
    assert [tag.name for tag in ticket.tags.all()] == ["after"]


def break_rule(workflow: Workflow, **fields: Any) -> None:
    """As an older version, or a hand in the database, could have left it."""
    WorkflowStep.objects.filter(workflow=workflow).update(**fields)
    store.forget()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "launch_rocket"}, "action launch_rocket: there is no such action"),
        ({"action": "set_priority", "params": {"priority": "hot"}}, "parameter priority must be one of"),
        ({"action": "create_ticket", "params": {"customer_id": 999}}, "customer 999 does not exist"),
        ({"action": "link_email_to_ticket", "params": {}}, "parameter ticket_number is missing"),
    ],
)
def test_a_broken_rule_is_a_failed_execution_and_the_mail_still_becomes_a_ticket(
    deliver: Deliver, fields: dict[str, Any], words: str
) -> None:
    break_rule(rule("Broken", Step("ignore"), stop=True), **fields)
    message = deliver(mail("Hello", subject="Hello"))
    assert message.outcome == Outcome.TICKET_CREATED
    failed = Execution.objects.get(message=message, status="failed")
    assert failed.workflow_name == "Broken"
    assert words in failed.error
    assert words in message.last_error


def test_a_mail_whose_only_rule_is_broken_is_failed_and_shown(deliver: Deliver) -> None:
    Workflow.objects.all().delete()
    break_rule(rule("Broken", Step("ignore")), action="launch_rocket")
    message = deliver(mail("Hello", subject="Hello"))
    assert message.state == State.FAILED
    assert "launch_rocket" in message.last_error


@dataclass(frozen=True)
class Stamp:
    words: str

    def describe(self) -> str:
        return f"Stamp the mail with {self.words}."

    def apply(self, context: ApplyContext) -> JSONDict:
        return {"stamped": self.words, **context.add_tags((self.words,))}


class StampMail(Action):
    """What another app would ship in its ``workflow_actions.py``."""

    slug = "stamp_mail"
    label = "Stamp the mail"
    help = "Shows that it was here."

    class ParamsForm(forms.Form):
        words = forms.CharField()

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        return [Stamp(params["words"])]


@pytest.fixture
def third_party() -> Iterator[None]:
    registry.register_action(StampMail)
    yield
    del registry.actions[StampMail.slug]


@pytest.mark.usefixtures("third_party")
def test_an_action_of_another_app_is_saved_carried_out_and_listed(deliver: Deliver) -> None:
    rule("Stamped", Step("stamp_mail", {"words": "seen"}))
    message = deliver(mail("Hello", subject="Hello"))
    assert [tag.name for tag in ticket_of(message).tags.all()] == ["seen"]
    execution = Execution.objects.get(message=message, workflow_name="Stamped")
    assert execution.status == "success"
    assert execution.results[0]["stamped"] == "seen"


def test_a_rule_of_an_app_that_is_gone_is_shown_as_broken(deliver: Deliver, third_party: None) -> None:
    rule("Stamped", Step("stamp_mail", {"words": "seen"}))
    plugin = registry.actions.pop(StampMail.slug)
    try:
        message = deliver(mail("Hello", subject="Hello"))
    finally:
        registry.actions[StampMail.slug] = plugin
    assert message.ticket is not None
    assert ("Stamped", "failed") in executions(message)
