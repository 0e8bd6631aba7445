"""Rules in memory: the same as the rows, and cheap."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from emailflow.models import Workflow
from emailflow.services.workflows import delete_workflow, save_workflow
from emailflow.workflow import store
from emailflow.workflow.base import Step
from tickets.actors import Actor

ACTOR = Actor.of_system("test")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    Workflow.objects.all().delete()
    store.forget()
    yield
    store.forget()


@pytest.fixture
def a_second_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Moves the clock of the store on, as if the last look was a second ago."""
    now = [1000.0]
    monkeypatch.setattr("emailflow.workflow.store.time.monotonic", lambda: now[0])

    def move() -> None:
        now[0] += store.SECONDS_BETWEEN_LOOKS

    return move


def make(name: str, **fields: object) -> Workflow:
    return save_workflow(
        actor=ACTOR, workflow=Workflow(name=name, **fields), conditions=[], steps=[Step("create_ticket")]
    )


def names() -> list[str]:
    return [spec.name for spec in store.load_workflows()]


def test_enabled_workflows_are_read_in_order_with_their_steps() -> None:
    make("Late", order=200)
    save_workflow(
        actor=ACTOR,
        workflow=Workflow(name="Early", order=1, stop=True, confidence_threshold=0.4),
        conditions=[Step("kind", {"operator": "is", "kinds": ["person"]})],
        steps=[Step("add_tags", {"tags": ["a"]}), Step("create_ticket", {"priority": "high"})],
    )
    make("Off", enabled=False)
    early, late = store.load_workflows()
    assert (early.name, early.stop, early.threshold) == ("Early", True, 0.4)
    assert [step.slug for step in early.steps] == ["add_tags", "create_ticket"]
    assert early.conditions[0].params == {"operator": "is", "kinds": ["person"]}
    assert late.name == "Late"


def test_within_a_second_nothing_is_asked_and_later_one_statement(a_second_later: Callable[[], None]) -> None:
    make("One")
    store.load_workflows()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        store.load_workflows()
    assert len(queries) == 0
    a_second_later()
    with CaptureQueriesContext(connection) as queries:
        store.load_workflows()
    assert len(queries) == 1


def test_a_change_by_this_process_holds_at_once() -> None:
    workflow = make("One")
    assert names() == ["One"]
    make("Two")
    assert names() == ["One", "Two"]
    workflow.name = "First"
    save_workflow(actor=ACTOR, workflow=workflow, conditions=[], steps=[Step("ignore")])
    assert store.load_workflows()[0].steps[0].slug == "ignore"
    delete_workflow(actor=ACTOR, workflow=workflow)
    assert names() == ["Two"]


def test_a_change_by_another_process_holds_a_second_later(
    a_second_later: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = make("One")
    assert names() == ["One"]
    with monkeypatch.context() as elsewhere:
        # Another process cannot reach into our memory.
        elsewhere.setattr(store, "forget", lambda: None)
        save_workflow(actor=ACTOR, workflow=workflow, conditions=[], steps=[Step("ignore")])
    a_second_later()
    assert store.load_workflows()[0].steps[0].slug == "ignore"


def test_rules_that_were_rolled_back_are_never_used_afterwards() -> None:
    make("One")
    with transaction.atomic():
        make("Two")
        assert names() == ["One", "Two"]
        transaction.set_rollback(True)
    assert names() == ["One"]
