"""The form of rules in the admin: typed fields for each condition and action, no JSON by hand."""

from typing import Any

import pytest
from django.urls import reverse

from emailflow.models import Workflow, WorkflowStep
from emailflow.services.workflows import save_workflow
from emailflow.workflow.base import Step
from tests.adminkit import agent, asked_by, browser, form_values, superuser, text_of, told
from tests.rest import SYSTEM, customer, ticket
from tickets.models import AuditEntry, User

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/workflow/"
FORM = "#workflow_form"


def page_of(row: Workflow) -> str:
    return reverse("admin:emailflow_workflow_change", args=[row.pk])


def rule(name: str = "Printers", **options: Any) -> Workflow:
    conditions = options.pop("conditions", [])
    steps = options.pop("steps", [Step("create_ticket", {})])
    workflow = Workflow(name=name, **options)
    return save_workflow(actor=SYSTEM, workflow=workflow, conditions=conditions, steps=steps)


def added(client: Any, **values: Any) -> Any:
    """Fill in the form for a new rule and press Save."""
    empty = form_values(client.get(LIST + "add/"), FORM)
    return client.post(LIST + "add/", empty | {"name": "Printers"} | values)


def new_step(number: int, action: str, place: str = "", **params: Any) -> dict[str, Any]:
    filled = {f"steps-{number}-cfg-{action}-{name}": value for name, value in params.items()}
    return {f"steps-{number}-action": action, f"steps-{number}-position": place, **filled}


def new_condition(number: int, condition: str, **params: Any) -> dict[str, Any]:
    filled = {f"conditions-{number}-cfg-{condition}-{name}": value for name, value in params.items()}
    return {f"conditions-{number}-condition": condition, f"conditions-{number}-position": "", **filled}


def stored(workflow: Workflow) -> list[tuple[str, dict[str, Any]]]:
    return [(step.action, step.params) for step in WorkflowStep.objects.filter(workflow=workflow).order_by("position")]


def test_a_new_rule_for_anything_fires_on_ordinary_mail() -> None:
    client = browser(superuser())
    assert form_values(client.get(LIST + "add/"), FORM)["confidence_threshold"] == "0.0"
    added(client, **{"steps-TOTAL_FORMS": "1"}, **new_step(0, "create_ticket"))
    assert Workflow.objects.get(name="Printers").confidence_threshold == 0


def test_the_form_of_a_rule_names_no_customer_that_is_not_visible() -> None:
    me = agent("mia", "Managers", visibility="own_tickets")
    seen, hidden = customer("Seen Ltd"), customer("Hidden Ltd")
    ticket(customer=seen, assigned_to_user=me)
    row = rule(steps=[Step("create_ticket", {"customer_id": hidden.pk})])
    for address in (LIST + "add/", page_of(row)):
        page = text_of(browser(me).get(address))
        assert "Seen Ltd" in page
        assert "Hidden Ltd" not in page
    values = form_values(browser(me).get(page_of(row)), FORM)
    browser(me).post(page_of(row), values | {"description": "Kept"})
    row.refresh_from_db()
    assert row.description == "Kept"
    assert stored(row) == [("create_ticket", {"customer_id": hidden.pk})]
    assert "Hidden Ltd" in text_of(browser(superuser()).get(page_of(row)))


def test_a_rule_is_made_with_typed_fields_alone() -> None:
    user = User.objects.create_user("mette")
    answer = added(
        browser(superuser()),
        **{"conditions-TOTAL_FORMS": "1", "steps-TOTAL_FORMS": "2"},
        **new_condition(0, "subject", operator="is", match="words", values="printer\ntoner"),
        **new_step(0, "set_priority", priority="high"),
        **new_step(1, "create_ticket", assigned_to_user_id=str(user.pk)),
    )
    assert answer.status_code == 302
    workflow = Workflow.objects.get(name="Printers")
    assert stored(workflow) == [
        ("set_priority", {"priority": "high"}),
        ("create_ticket", {"assigned_to_user_id": user.pk}),
    ]
    condition = workflow.conditions.get()
    assert condition.condition == "subject"
    assert condition.params == {"operator": "is", "match": "words", "values": ["printer", "toner"]}
    assert AuditEntry.objects.filter(action="workflow.created", entity_id=workflow.pk).exists()


def test_only_the_fields_of_the_chosen_action_are_read() -> None:
    answer = added(
        browser(superuser()),
        **new_step(0, "ignore"),
        **{"steps-0-cfg-set_priority-priority": "high", "steps-0-cfg-add_tags-tags": "x"},
    )
    assert answer.status_code == 302
    assert stored(Workflow.objects.get(name="Printers")) == [("ignore", {})]


def test_a_half_filled_condition_is_an_error_at_its_field() -> None:
    answer = added(
        browser(superuser()),
        **{"conditions-TOTAL_FORMS": "1"},
        **new_condition(0, "subject", operator="is", match="words", values=""),
        **new_step(0, "ignore"),
    )
    assert answer.status_code == 200
    form = answer.context["inline_admin_formsets"][0].formset.forms[0]
    assert form.params_form.errors["values"]
    assert "This field is required." in text_of(answer)
    assert not Workflow.objects.filter(name="Printers").exists()


def test_parameters_without_a_chosen_action_are_not_lost_in_silence() -> None:
    answer = added(browser(superuser()), **{"steps-0-cfg-set_priority-priority": "high"})
    form = answer.context["inline_admin_formsets"][1].formset.forms[0]
    assert form.errors["action"]


def test_a_rule_that_does_nothing_is_refused_in_words() -> None:
    answer = added(browser(superuser()))
    assert "a workflow without one does nothing" in text_of(answer)
    assert not Workflow.objects.filter(name="Printers").exists()


def test_a_stored_step_shows_its_values_and_keeps_them() -> None:
    user = User.objects.create_user("mette")
    workflow = rule(
        conditions=[Step("sender", {"operator": "is", "part": "domain", "values": ["nordwind.example"]})],
        steps=[Step("create_ticket", {"assigned_to_user_id": user.pk, "priority": "low"})],
    )
    client = browser(superuser())
    values = form_values(client.get(page_of(workflow)), FORM)
    assert values["steps-0-cfg-create_ticket-assigned_to_user_id"] == str(user.pk)
    assert values["conditions-0-cfg-sender-values"] == "nordwind.example"
    client.post(page_of(workflow), values | {"description": "Touched"})
    workflow.refresh_from_db()
    assert workflow.description == "Touched"
    assert stored(workflow) == [("create_ticket", {"assigned_to_user_id": user.pk, "priority": "low"})]


def test_a_changed_parameter_alone_is_saved() -> None:
    workflow = rule(steps=[Step("set_priority", {"priority": "low"})])
    client = browser(superuser())
    values = form_values(client.get(page_of(workflow)), FORM)
    client.post(page_of(workflow), values | {"steps-0-cfg-set_priority-priority": "critical"})
    assert stored(workflow) == [("set_priority", {"priority": "critical"})]
    workflow.refresh_from_db()
    assert workflow.version == 2


def test_steps_change_their_order_are_added_and_deleted() -> None:
    workflow = rule(steps=[Step("set_priority", {"priority": "low"}), Step("create_ticket", {}), Step("ignore", {})])
    client = browser(superuser())
    values = form_values(client.get(page_of(workflow)), FORM)
    values |= {"steps-0-position": "5", "steps-2-DELETE": "on", "steps-TOTAL_FORMS": "4"}
    client.post(page_of(workflow), values | new_step(3, "add_tags", tags="printer"))
    assert [action for action, _ in stored(workflow)] == ["create_ticket", "set_priority", "add_tags"]


def test_a_broken_step_is_shown_and_can_be_deleted() -> None:
    workflow = rule(steps=[Step("ignore", {})])
    WorkflowStep.objects.create(workflow=workflow, position=1, action="fly_to_moon", params={"when": "now"})
    client = browser(superuser())
    assert "fly_to_moon: broken" in text_of(client.get(LIST))
    page = client.get(page_of(workflow))
    assert "This action is broken" in text_of(page)
    values = form_values(page, FORM)
    refused = client.post(page_of(workflow), values | {"name": "Renamed"})
    assert "Hub knows no action named fly_to_moon" in text_of(refused)
    client.post(page_of(workflow), values | {"steps-1-DELETE": "on"})
    assert stored(workflow) == [("ignore", {})]


def test_a_row_that_is_gone_is_an_error_at_its_field() -> None:
    user = User.objects.create_user("mette")
    workflow = rule(steps=[Step("create_ticket", {"assigned_to_user_id": user.pk})])
    User.objects.filter(pk=user.pk).update(is_active=False)
    client = browser(superuser())
    page = client.get(page_of(workflow))
    assert f"{user.pk} (not here)" in text_of(page)
    answer = client.post(page_of(workflow), form_values(page, FORM))
    form = answer.context["inline_admin_formsets"][1].formset.forms[0]
    assert form.params_form.errors["assigned_to_user_id"]


def test_a_name_that_is_taken_stands_at_the_name() -> None:
    rule("Printers")
    answer = added(browser(superuser()), **new_step(0, "ignore"))
    assert answer.context["adminform"].form.errors["name"]


def test_rules_are_switched_off_and_on_from_the_list() -> None:
    workflow = rule()
    client = browser(superuser())
    chosen = {"_selected_action": [workflow.pk], "index": "0"}
    answer = client.post(LIST, chosen | {"action": "switch_off"}, follow=True)
    workflow.refresh_from_db()
    assert not workflow.enabled
    assert told(answer) == ["Printers is switched off."]
    client.post(LIST, chosen | {"action": "switch_on"})
    workflow.refresh_from_db()
    assert workflow.enabled


def test_a_deleted_rule_is_noted() -> None:
    workflow = rule()
    browser(superuser()).post(f"{LIST}{workflow.pk}/delete/", {"post": "yes"})
    assert not Workflow.objects.filter(pk=workflow.pk).exists()
    assert AuditEntry.objects.filter(action="workflow.deleted", entity_id=workflow.pk).exists()


def test_agents_read_rules_and_change_none() -> None:
    workflow = rule(steps=[Step("set_priority", {"priority": "low"})])
    client = browser(agent())
    assert client.get(page_of(workflow)).status_code == 200
    assert client.post(page_of(workflow), {"name": "x"}).status_code == 403
    chosen = {"_selected_action": [workflow.pk], "index": "0", "action": "switch_off"}
    client.post(LIST, chosen)
    workflow.refresh_from_db()
    assert workflow.enabled


def test_managers_write_rules() -> None:
    answer = added(browser(agent("boss", "Managers")), **new_step(0, "ignore"))
    assert answer.status_code == 302


def test_list_asks_the_same_with_one_rule_and_with_a_hundred() -> None:
    client = browser(superuser())
    few = asked_by(client, LIST)
    for n in range(100):
        rule(f"Rule {n}", conditions=[Step("kind", {"operator": "is", "kinds": ["person"]})])
    many = asked_by(client, LIST)
    assert few.number == many.number <= 8, many
