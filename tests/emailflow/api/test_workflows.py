"""Workflows over REST: the same checks as in the admin, errors that name the very parameter."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from emailflow.models import Workflow
from tests.rest import API, caller, fields_of, staff
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db

PRINTERS: dict[str, Any] = {
    "name": "Printers",
    "classification_trigger": "*",
    "confidence_threshold": 0,
    "order": 5,
    "stop": True,
    "conditions": [{"condition": "subject", "params": {"operator": "is", "match": "words", "values": ["printer"]}}],
    "workflow_steps": [
        {"action": "create_ticket", "params": {"priority": "high"}},
        {"action": "add_tags", "params": {"tags": ["printer"]}},
    ],
}


@pytest.fixture
def client() -> APIClient:
    return caller(staff("mia", "Managers"))


def test_a_workflow_is_made_changed_and_deleted(client: APIClient) -> None:
    made = client.post(f"{API}/workflows", PRINTERS)
    assert made.status_code == 201, made.content
    row = made.json()
    assert [step["action"] for step in row["workflow_steps"]] == ["create_ticket", "add_tags"]
    assert row["conditions"][0]["params"]["values"] == ["printer"]
    assert (row["version"], row["enabled"], row["stop"]) == (1, True, True)
    off = client.patch(f"{API}/workflows/{row['id']}", {"enabled": False}).json()
    assert (off["enabled"], off["version"]) == (False, 2)
    assert (off["workflow_steps"], off["conditions"]) == (row["workflow_steps"], row["conditions"])
    bare = client.patch(f"{API}/workflows/{row['id']}/", {"conditions": []}).json()
    assert (bare["conditions"], bare["workflow_steps"]) == ([], row["workflow_steps"])
    assert client.get(f"{API}/workflows/{row['id']}").json() == bare
    assert client.delete(f"{API}/workflows/{row['id']}").status_code == 204
    assert client.get(f"{API}/workflows/{row['id']}").status_code == 404
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions[-4:] == ["workflow.created", "workflow.changed", "workflow.changed", "workflow.deleted"]


def test_a_changed_list_of_steps_is_whole_or_refused(client: APIClient) -> None:
    row = client.post(f"{API}/workflows", PRINTERS).json()
    address = f"{API}/workflows/{row['id']}"
    changed = client.patch(address, {"workflow_steps": [{"action": "ignore"}]})
    assert changed.status_code == 200, changed.content
    assert changed.json()["workflow_steps"] == [{"action": "ignore", "params": {}}]
    refused = client.patch(address, {"workflow_steps": [{"params": {}}]})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "workflow_steps[0].action"


def test_workflows_are_listed_in_the_order_in_which_they_run(client: APIClient) -> None:
    client.post(f"{API}/workflows", PRINTERS)
    names = [row["name"] for row in client.get(f"{API}/workflows").json()["results"]]
    assert names == list(Workflow.objects.order_by("order", "id").values_list("name", flat=True))
    assert names[0] == "Printers"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"classification_trigger": "no_such_label"}, "classification_trigger"),
        ({"confidence_threshold": 1.5}, "confidence_threshold"),
        ({"order": 10**12}, "order"),
        ({"trigger": "*"}, "trigger"),
        ({"workflow_steps": []}, "workflow_steps"),
        ({"workflow_steps": [{"params": {}}]}, "workflow_steps[0].action"),
        ({"workflow_steps": [{"action": "explode"}]}, "workflow_steps[0].action"),
        ({"workflow_steps": [{"action": "create_ticket", "parameters": {}}]}, "workflow_steps[0].parameters"),
        (
            {"workflow_steps": [{"action": "create_ticket", "params": {"priority": "soon"}}]},
            "workflow_steps[0].params.priority",
        ),
        (
            {"workflow_steps": [{"action": "create_ticket"}, {"action": "assign", "params": {"user_id": 4711}}]},
            "workflow_steps[1].params.user_id",
        ),
        (
            {"conditions": [{"condition": "subject", "params": {"operator": "is", "match": "words"}}]},
            "conditions[0].params.values",
        ),
        ({"conditions": [{"condition": "subject", "params": []}]}, "conditions[0].params"),
    ],
)
def test_a_wrong_workflow_is_refused_and_the_parameter_named(
    client: APIClient, change: dict[str, Any], field: str
) -> None:
    before = Workflow.objects.count()
    response = client.post(f"{API}/workflows", {**PRINTERS, **change})
    assert response.status_code == 400, response.content
    assert fields_of(response) == [field]
    assert Workflow.objects.count() == before


def test_two_workflows_cannot_have_one_name(client: APIClient) -> None:
    client.post(f"{API}/workflows", PRINTERS)
    response = client.post(f"{API}/workflows", PRINTERS)
    assert response.status_code == 400
    assert fields_of(response) == ["name"]


def test_agents_read_workflows_and_change_none() -> None:
    agent = caller(staff("ada", "Agents"))
    workflow = Workflow.objects.first()
    assert workflow is not None
    assert agent.get(f"{API}/workflows/{workflow.pk}").status_code == 200
    assert agent.post(f"{API}/workflows", PRINTERS).status_code == 403
    assert agent.patch(f"{API}/workflows/{workflow.pk}", {"enabled": False}).status_code == 403
    assert agent.delete(f"{API}/workflows/{workflow.pk}").status_code == 403
