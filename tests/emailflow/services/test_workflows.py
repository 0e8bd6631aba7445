"""Saving rules: checked, versioned, in the audit log."""

from typing import Any

import pytest

from emailflow.models import Workflow, WorkflowStep
from emailflow.services.workflow_files import export_workflows, import_workflows
from emailflow.services.workflows import delete_workflow, save_workflow
from emailflow.workflow.base import Step
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.models import AuditEntry, Customer, User

pytestmark = pytest.mark.django_db
ACTOR = Actor.of_system("test")
TICKET = [Step("create_ticket")]


@pytest.fixture(autouse=True)
def no_rules() -> None:
    Workflow.objects.all().delete()


def save(workflow: Workflow | None = None, conditions: Any = (), steps: Any = TICKET, **fields: Any) -> Workflow:
    workflow = workflow or Workflow(name="Rule")
    for name, value in fields.items():
        setattr(workflow, name, value)
    return save_workflow(actor=ACTOR, workflow=workflow, conditions=conditions, steps=steps)


def audit() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(entity_type="workflow", actor_name="test").order_by("id"))


def test_a_new_workflow_is_written_with_conditions_and_steps_in_order() -> None:
    workflow = save(
        conditions=[Step("subject", {"operator": "is", "match": "words", "values": ["nede"]})],
        steps=[Step("set_priority", {"priority": "high"}), Step("create_ticket", {"priority": ""})],
    )
    assert workflow.version == 1
    assert [(row.action, row.params) for row in workflow.steps.all()] == [
        ("set_priority", {"priority": "high"}),
        ("create_ticket", {}),
    ]
    assert [row.condition for row in workflow.conditions.all()] == ["subject"]
    (entry,) = audit()
    assert entry.action == "workflow.created"
    assert entry.new_values["name"] == "Rule"


def test_a_change_counts_up_the_version_and_records_old_and_new() -> None:
    workflow = save()
    save(workflow, steps=[Step("ignore")], confidence_threshold=0.9)
    assert Workflow.objects.get().version == 2
    entry = audit()[-1]
    assert entry.action == "workflow.changed"
    assert entry.old_values == {
        "confidence_threshold": 0.7,
        "workflow_steps": [{"action": "create_ticket", "params": {}}],
    }
    assert entry.new_values == {
        "confidence_threshold": 0.9,
        "workflow_steps": [{"action": "ignore", "params": {}}],
    }


def test_saving_without_a_change_writes_nothing() -> None:
    workflow = save()
    save(workflow)
    assert Workflow.objects.get().version == 1
    assert len(audit()) == 1


def test_steps_can_grow_and_shrink() -> None:
    workflow = save()
    first = workflow.steps.get().pk
    save(workflow, steps=[Step("set_priority", {"priority": "low"}), Step("create_ticket")])
    assert [row.action for row in workflow.steps.all()] == ["set_priority", "create_ticket"]
    assert workflow.steps.all()[0].pk == first
    save(workflow, steps=[Step("ignore")])
    assert list(WorkflowStep.objects.values_list("action", "position")) == [("ignore", 0)]


def test_addresses_and_texts_stay_out_of_the_audit_log() -> None:
    save(
        description="Mette ringede",
        conditions=[Step("sender", {"operator": "is", "part": "address", "values": ["mette@example.dk"]})],
    )
    stored = str(audit()[0].new_values)
    assert "mette" not in stored.lower()
    assert "example.dk" in stored


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"classification_trigger": "nonsense"}, "classification_trigger"),
        ({"confidence_threshold": 1.01}, "confidence_threshold"),
        ({"confidence_threshold": float("nan")}, "confidence_threshold"),
        ({"order": 2**40}, "order"),
        ({"steps": []}, "workflow_steps"),
        ({"steps": [Step("ignore"), Step("launch_rocket")]}, "workflow_steps[1].action"),
        ({"steps": [Step("set_priority", {"priority": "hot"})]}, "workflow_steps[0].params.priority"),
        ({"steps": [Step("create_ticket", {"customer_id": 999})]}, "workflow_steps[0].params.customer_id"),
        ({"conditions": [Step("moon")]}, "conditions[0].condition"),
        ({"conditions": [Step("subject", {"operator": "is", "match": "words"})]}, "conditions[0].params.values"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        save(**changes)
    assert caught.value.field == field
    assert not Workflow.objects.exists()
    assert not audit()


def test_a_name_is_given_once() -> None:
    save()
    with pytest.raises(ServiceError) as caught:
        save(Workflow(), name="Rule ")
    assert caught.value.field == "name"


def test_a_workflow_that_is_off_may_name_what_is_not_here_and_cannot_be_switched_on() -> None:
    steps = [Step("create_ticket", {"customer_id": 999})]
    workflow = save(steps=steps, enabled=False)
    with pytest.raises(ServiceError, match="999"):
        save(workflow, steps=steps, enabled=True)
    assert not Workflow.objects.get().enabled


def test_a_deleted_workflow_is_in_the_audit_log_and_cannot_be_saved_again() -> None:
    workflow = save()
    copy = Workflow.objects.get()
    delete_workflow(actor=ACTOR, workflow=workflow)
    assert audit()[-1].action == "workflow.deleted"
    with pytest.raises(Conflict):
        save(copy, order=5)


# Import and export


FILE = {
    "name": "Support Request → Ticket",
    "classification_trigger": "support_request",
    "workflow_steps": [{"action": "create_ticket", "params": {}}],
}


def outcomes(*items: Any, dry_run: bool = False) -> list[tuple[str, str]]:
    results = import_workflows(actor=ACTOR, data=list(items), dry_run=dry_run)
    return [(result.outcome, result.field) for result in results]


def exported() -> list[dict[str, Any]]:
    return export_workflows(Workflow.objects.all())


def test_the_form_of_the_documentation_comes_in() -> None:
    customer = Customer.objects.create(name="Holm A/S")
    user = User.objects.create_user("anna")
    params = {"customer_id": customer.pk, "assigned_to_user_id": user.pk}
    item = {**FILE, "confidence_threshold": 0.8, "workflow_steps": [{"action": "create_ticket", "params": params}]}
    assert outcomes(item) == [("created", "")]
    assert exported() == [
        {**item, "description": "", "order": 100, "stop": False, "enabled": True, "conditions": []},
    ]


def test_a_missing_threshold_is_0_7_and_for_any_label_0() -> None:
    outcomes(FILE, {**FILE, "name": "All", "classification_trigger": "*"})
    assert dict(Workflow.objects.values_list("name", "confidence_threshold")) == {
        "Support Request → Ticket": 0.7,
        "All": 0.0,
    }


def test_what_is_exported_comes_in_identical() -> None:
    save(
        name="Æøå → Ticket",
        description="To\nlinjer",
        classification_trigger="invoice",
        confidence_threshold=0.35,
        order=-3,
        stop=True,
        enabled=False,
        conditions=[
            Step("subject", {"operator": "is_not", "match": "starts", "values": ["Re:", "Sv: "]}),
            Step("attachment", {"operator": "is", "test": "any"}),
        ],
        steps=[Step("add_tags", {"tags": ["bilag"]}), Step("create_ticket", {"priority": "low"})],
    )
    save(Workflow(name="Second"))
    before = exported()
    Workflow.objects.all().delete()
    assert outcomes(*before) == [("created", ""), ("created", "")]
    assert exported() == before


def test_importing_twice_changes_nothing_the_second_time() -> None:
    outcomes(FILE)
    assert outcomes(FILE) == [("unchanged", "")]
    assert Workflow.objects.get().version == 1


def test_an_import_keeps_the_place_and_switches_that_the_file_does_not_name() -> None:
    save(name=FILE["name"], order=900, stop=True, enabled=False, description="Ours")
    changed = {**FILE, "workflow_steps": [{"action": "ignore"}]}
    assert outcomes(changed) == [("updated", "")]
    workflow = Workflow.objects.get()
    assert (workflow.order, workflow.stop, workflow.enabled, workflow.description) == (900, True, False, "Ours")
    assert workflow.steps.get().action == "ignore"


def test_an_unknown_id_comes_in_switched_off_and_is_named_each_time() -> None:
    steps = [{"action": "create_ticket", "params": {"customer_id": 123, "assigned_to_user_id": 5}}]
    for outcome in ("created", "unchanged"):
        (result,) = import_workflows(actor=ACTOR, data=[{**FILE, "enabled": True, "workflow_steps": steps}])
        assert result.outcome == outcome
        assert "workflow_steps[0].params.customer_id" in str(result)
        assert "123" in str(result)
        assert "workflow_steps[0].params.assigned_to_user_id" in str(result)
    workflow = Workflow.objects.get()
    assert not workflow.enabled
    assert workflow.steps.get().params == {"customer_id": 123, "assigned_to_user_id": 5}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"classification_trigger": "nonsense"}, "classification_trigger"),
        ({"classification_trigger": None}, "classification_trigger"),
        ({"confidence_threshold": "0.7"}, "confidence_threshold"),
        ({"confidence_threshold": True}, "confidence_threshold"),
        ({"confidence_threshold": 70}, "confidence_threshold"),
        ({"stop": 1}, "stop"),
        ({"enabled": "yes"}, "enabled"),
        ({"order": 1.5}, "order"),
        ({"conditions": {}}, "conditions"),
        ({"conditions": [{"condition": "moon"}]}, "conditions[0].condition"),
        ({"conditions": [{"params": {}}]}, "conditions[0].condition"),
        ({"workflow_steps": "ignore"}, "workflow_steps"),
        ({"workflow_steps": ["ignore"]}, "workflow_steps[0]"),
        ({"workflow_steps": [{"action": 7}]}, "workflow_steps[0].action"),
        ({"workflow_steps": [{"action": "ignore", "parms": {}}]}, "workflow_steps[0].parms"),
        ({"workflow_steps": [{"action": "ignore", "params": []}]}, "workflow_steps[0].params"),
        ({"workflow_steps": [{"action": "create_ticket", "params": {"customer_id": "x"}}]},
         "workflow_steps[0].params.customer_id"),
        ({"treshold": 0.7}, "treshold"),
    ],
)  # fmt: skip
def test_a_wrong_workflow_is_named_with_its_field_and_the_others_go_on(changes: dict[str, Any], field: str) -> None:
    wrong = {**FILE, "name": "Wrong", **changes}
    assert outcomes(wrong, FILE) == [("failed", field), ("created", "")]
    assert Workflow.objects.get().name == FILE["name"]


@pytest.mark.parametrize("key", ["name", "classification_trigger", "workflow_steps"])
def test_a_missing_field_is_named(key: str) -> None:
    assert outcomes({name: value for name, value in FILE.items() if name != key}) == [("failed", key)]


def test_what_is_no_workflow_at_all_is_told() -> None:
    (result,) = import_workflows(actor=ACTOR, data=["x"])
    assert str(result) == "failed: workflow 1 of the file: It is not an object with names and values."


def test_a_name_that_is_in_the_file_twice_is_told() -> None:
    assert outcomes(FILE, {**FILE, "confidence_threshold": 0.1}) == [("created", ""), ("failed", "name")]
    assert Workflow.objects.get().confidence_threshold == 0.7


def test_a_dry_run_says_the_same_and_writes_nothing() -> None:
    save(name="Old")
    items = [{**FILE, "name": "Old", "confidence_threshold": 0.1}, FILE, {**FILE, "name": "Wrong", "order": None}]
    assert outcomes(*items, dry_run=True) == [("updated", ""), ("created", ""), ("failed", "order")]
    assert [(row.name, row.confidence_threshold) for row in Workflow.objects.all()] == [("Old", 0.7)]
    assert len(audit()) == 1
