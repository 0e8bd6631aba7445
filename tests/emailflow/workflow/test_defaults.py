"""What an installation starts with."""

import pytest

from emailflow.models import Label, Workflow
from emailflow.services.workflows import delete_workflow, save_workflow
from emailflow.workflow import defaults, store
from emailflow.workflow.base import Step
from emailflow.workflow.engine import decide
from tests.emailflow.workflow.making import make_facts
from tickets.actors import Actor
from tickets.models import Installed

pytestmark = pytest.mark.django_db
ACTOR = Actor.of_system("test")


@pytest.fixture(autouse=True)
def fresh() -> None:
    """As on the first start, whatever the test database was given."""
    Workflow.objects.all().delete()
    Label.objects.all().delete()
    Installed.objects.all().delete()
    store.forget()
    defaults.install()


def fired(label: str, confidence: float) -> list[str]:
    plan = decide(make_facts(label=label, confidence=confidence), store.load_workflows())
    return [planned.name for planned in plan.workflows if planned.fired]


@pytest.mark.parametrize(
    ("label", "confidence", "name"),
    [
        ("spam", 0.9, "Spam → Ignore"),
        ("spam", 0.89, "Everything else → Ticket"),
        ("newsletter", 0.9, "Newsletter → Ignore"),
        ("newsletter", 0.85, "Everything else → Ticket"),
        ("newsletter", 0.69, "Everything else → Ticket"),
        ("support_request", 0.7, "Support Request → Ticket"),
        ("support_request", 0.6, "Everything else → Ticket"),
        ("general", 0.0, "Everything else → Ticket"),
        ("invoice", 1.0, "Everything else → Ticket"),
    ],
)
def test_every_mail_has_exactly_one_default_rule(label: str, confidence: float, name: str) -> None:
    assert fired(label, confidence) == [name]


def test_the_labels_of_the_classifier_are_there() -> None:
    assert set(Label.objects.values_list("slug", flat=True)) == {
        *("support_request", "invoice", "order", "newsletter", "spam", "auto_reply", "bounce", "general")
    }


def test_what_staff_deleted_or_changed_is_not_undone() -> None:
    delete_workflow(actor=ACTOR, workflow=Workflow.objects.get(name="Newsletter → Ignore"))
    spam = Workflow.objects.get(name="Spam → Ignore")
    spam.enabled = False
    save_workflow(actor=ACTOR, workflow=spam, conditions=[], steps=[Step("ignore")])
    renamed = Workflow.objects.get(name="Support Request → Ticket")
    renamed.name = "Support"
    save_workflow(actor=ACTOR, workflow=renamed, conditions=[], steps=[Step("create_ticket")])
    Label.objects.filter(slug="order").delete()
    defaults.install()
    assert set(Workflow.objects.values_list("name", flat=True)) == {
        "Spam → Ignore",
        "Support",
        "Everything else → Ticket",
    }
    assert not Workflow.objects.get(name="Spam → Ignore").enabled
    assert not Label.objects.filter(slug="order").exists()


def test_rules_of_staff_run_before_the_ones_that_open_tickets() -> None:
    save_workflow(
        actor=ACTOR,
        workflow=Workflow(name="Mine", classification_trigger="support_request"),
        conditions=[],
        steps=[Step("set_priority", {"priority": "high"})],
    )
    assert fired("support_request", 0.8) == ["Mine", "Support Request → Ticket"]
