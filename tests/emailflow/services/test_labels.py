"""Labels that staff edit."""

import pytest

from emailflow.models import Label, Workflow
from emailflow.services.labels import delete_label, save_label
from emailflow.services.workflows import save_workflow
from emailflow.workflow import defaults
from emailflow.workflow.base import Step
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db
ACTOR = Actor.of_system("test")


@pytest.fixture
def own() -> Label:
    return save_label(actor=ACTOR, label=Label(slug="complaint", name="Complaint"))


def test_a_new_label_is_in_the_audit_log(own: Label) -> None:
    entry = AuditEntry.objects.get(entity_type="label")
    assert (entry.action, entry.new_values["slug"]) == ("label.created", "complaint")


def test_the_slug_of_an_unused_label_can_be_changed(own: Label) -> None:
    own.slug = "reclamation"
    save_label(actor=ACTOR, label=own)
    assert Label.objects.filter(slug="reclamation").exists()


def test_the_slug_of_a_label_that_a_workflow_names_stays(own: Label) -> None:
    save_workflow(
        actor=ACTOR,
        workflow=Workflow(name="Rule", classification_trigger="complaint"),
        conditions=[],
        steps=[Step("ignore")],
    )
    own.slug = "reclamation"
    with pytest.raises(Conflict) as caught:
        save_label(actor=ACTOR, label=own)
    assert caught.value.field == "slug"
    with pytest.raises(Conflict):
        delete_label(actor=ACTOR, label=own)


def test_a_built_in_label_can_be_renamed_and_switched_off_but_keeps_its_slug() -> None:
    defaults.install()
    spam = Label.objects.get(slug="spam")
    spam.name, spam.enabled = "Uønsket", False
    save_label(actor=ACTOR, label=spam)
    spam = Label.objects.get(slug="spam")
    assert (spam.name, spam.enabled) == ("Uønsket", False)
    spam.slug = "junk"
    with pytest.raises(Conflict):
        save_label(actor=ACTOR, label=spam)
    with pytest.raises(Conflict):
        delete_label(actor=ACTOR, label=spam)


@pytest.mark.parametrize("slug", ["", "*", "Two words", "æble"])
def test_a_malformed_slug_is_refused(slug: str) -> None:
    with pytest.raises(ServiceError) as caught:
        save_label(actor=ACTOR, label=Label(slug=slug, name="X"))
    assert caught.value.field == "slug"


def test_a_slug_is_given_once(own: Label) -> None:
    with pytest.raises(ServiceError) as caught:
        save_label(actor=ACTOR, label=Label(slug="complaint", name="Again"))
    assert caught.value.field == "slug"


def test_an_unused_label_can_be_deleted(own: Label) -> None:
    delete_label(actor=ACTOR, label=own)
    assert not Label.objects.filter(slug="complaint").exists()


def test_a_name_that_is_too_long_stands_at_its_field() -> None:
    with pytest.raises(ServiceError) as error:
        save_label(actor=ACTOR, label=Label(slug="long", name="x" * 201))
    assert error.value.field == "name"
