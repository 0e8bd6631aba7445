"""Lists of the ledger and of the rules cost the same for one row and for thirty."""

from typing import Any

import pytest

from emailflow.inbound.pipeline import process_message
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Label, Mailbox, Message, Protocol, Workflow
from emailflow.services.workflows import save_workflow
from emailflow.workflow.base import Step
from tests.rest import API, SYSTEM, caller, counted, staff
from tickets.models import Team, Visibility

pytestmark = pytest.mark.django_db

LIST, PAGE = 8, 14
LISTS = ("messages", "messages?state=processed&mailbox=test", "executions", "workflows", "mailboxes", "labels")


def one(number: int, team: Team) -> None:
    mail = (
        f"From: Kim <kim{number}@example.com>\r\nTo: support@hub.example\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <{number}@example.com>\r\n\r\nIt does not print #printer\r\n"
    )
    message = receive_bytes(mail.encode(), mailbox=Mailbox.objects.get(slug="test")).message
    done = process_message(message.pk)
    assert done.ticket is not None
    done.ticket.assigned_team = team
    done.ticket.save(update_fields=["assigned_team"])
    Mailbox.objects.create(slug=f"box{number}", name="Box", protocol=Protocol.BUILTIN, team=team)
    Label.objects.create(slug=f"label{number}", name="Label")
    rule = Workflow(name=f"Rule {number}", enabled=False)
    words = {"operator": "is", "match": "words", "values": ["x"]}
    save_workflow(actor=SYSTEM, workflow=rule, conditions=[Step("subject", words)], steps=[Step("create_ticket", {})])


@pytest.mark.parametrize("visibility", [Visibility.ALL, Visibility.OWN_TEAMS])
def test_lists_and_pages_cost_the_same_however_many_rows_there_are(visibility: str) -> None:
    user = staff("bo", "Managers", visibility=visibility)
    team = Team.objects.create(name="Team")
    team.members.add(user)
    client = caller(user)
    one(0, team)
    paths = dict.fromkeys(LISTS, LIST) | {f"messages/{Message.objects.get().pk}": PAGE}
    before = {path: cost(client, path) for path in paths}
    for number in range(1, 30):
        one(number, team)
    after = {path: cost(client, path) for path in paths}
    assert after == before
    for path, budget in paths.items():
        assert after[path] <= budget, path


def cost(client: Any, path: str) -> int:
    with counted() as statements:
        response = client.get(f"{API}/{path}")
    assert response.status_code == 200
    if "results" in response.json():
        assert response.json()["results"]
    assert not any("COUNT(" in sql or "OFFSET" in sql for sql in statements)
    return len(statements)
