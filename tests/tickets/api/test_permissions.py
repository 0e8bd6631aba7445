"""Who may do what, and who sees what: groups times routes, and visibility as 404."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.rest import API, SYSTEM, caller, customer, staff, ticket
from tickets.models import Attachment, Contact, Source, Team, Ticket, Visibility
from tickets.services.comments import add_comment
from tickets.services.files import Upload

pytestmark = pytest.mark.django_db

READ = ("tickets", "tickets/{t}", "tickets/{t}/comments", "tickets/{t}/comments/{c}", "tickets/{t}/attachments",
        "tickets/{t}/emails", "tickets/by-email/kim@example.com", "attachments/{a}", "attachments/{a}/download",
        "customers", "customers/{u}", "contacts", "contacts/{k}", "tags", "messages", "outbox", "workflows",
        "executions", "mailboxes", "labels", "users", "teams")  # fmt: skip
WRITE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "open a ticket": ("post", "tickets", {"subject": "x"}),
    "change a ticket": ("patch", "tickets/{t}", {"status": "closed"}),
    "comment": ("post", "tickets/{t}/comments", {"body_text": "x"}),
    "add a customer": ("post", "customers", {"name": "x"}),
    "change a customer": ("patch", "customers/{u}", {"name": "x"}),
    "delete a customer": ("delete", "customers/{u}", {}),
    "add a contact": ("post", "contacts", {"email": "bo@example.com"}),
    "change a contact": ("patch", "contacts/{k}", {"name": "x"}),
    "delete a contact": ("delete", "contacts/{k}", {}),
    "delete a workflow": ("delete", "workflows/4711", {}),
}
DELETES = {name for name in WRITE if name.startswith("delete")}


@pytest.fixture
def names() -> dict[str, Any]:
    firm = customer()
    kim = Contact.objects.create(email="kim@example.com", customer=firm)
    opened = ticket(contact=kim)
    comment = add_comment(
        actor=SYSTEM, ticket=opened, body_text="x", source=Source.API, uploads=[Upload("a.txt", b"a")]
    )
    return {
        "t": opened.pk, "c": comment.pk, "a": Attachment.objects.get().pk, "u": firm.pk, "k": kim.pk,
    }  # fmt: skip


def call(client: APIClient, what: str, names: dict[str, Any]) -> int:
    method, path, body = WRITE[what]
    status: int = getattr(client, method)(f"{API}/{path.format(**names)}", body).status_code
    return status


@pytest.mark.parametrize("group", ["Agents", "Managers", "Read-only"])
def test_every_group_reads_everything(group: str, names: dict[str, Any]) -> None:
    client = caller(staff("ada", group))
    for path in READ:
        assert client.get(f"{API}/{path.format(**names)}").status_code == 200, path
        assert client.head(f"{API}/{path.format(**names)}/").status_code == 200, path


def test_without_a_group_nothing_can_be_read_or_written(names: dict[str, Any]) -> None:
    client = caller(staff("eve"))
    for path in READ:
        assert client.get(f"{API}/{path.format(**names)}").status_code == 403, path
        assert client.options(f"{API}/{path.format(**names)}").status_code == 403, path
    for what in WRITE:
        assert call(client, what, names) == 403, what


def test_without_a_token_nothing_can_be_read_or_written(names: dict[str, Any]) -> None:
    client = APIClient()
    for path in READ:
        assert client.get(f"{API}/{path.format(**names)}").status_code == 401, path
    for what in WRITE:
        assert call(client, what, names) == 401, what


def test_read_only_writes_nothing(names: dict[str, Any]) -> None:
    client = caller(staff("rob", "Read-only"))
    for what in WRITE:
        assert call(client, what, names) == 403, what
    assert Ticket.objects.get().status == "open"


def test_agents_write_and_delete_nothing(names: dict[str, Any]) -> None:
    client = caller(staff("ada", "Agents"))
    for what in WRITE:
        expected = {403} if what in DELETES else {200, 201}
        assert call(client, what, names) in expected, what


def test_managers_write_and_delete(names: dict[str, Any]) -> None:
    client = caller(staff("mia", "Managers"))
    for what in WRITE:
        assert call(client, what, names) in {200, 201, 204, 404}, what


def test_a_single_permission_opens_exactly_its_route(names: dict[str, Any]) -> None:
    client = caller(staff("eve", rights=("tickets.view_customer",)))
    assert client.get(f"{API}/customers").status_code == 200
    assert client.get(f"{API}/contacts").status_code == 403
    assert call(client, "add a customer", names) == 403


@pytest.mark.parametrize("visibility", [Visibility.OWN_TEAMS, Visibility.OWN_TICKETS])
def test_what_is_not_visible_is_404_and_in_no_list(visibility: str, names: dict[str, Any]) -> None:
    client = caller(staff("ada", "Managers", visibility=visibility))
    for path in READ:
        if "{" in path:
            assert client.get(f"{API}/{path.format(**names)}").status_code == 404, path
    for what in ("change a ticket", "comment", "change a customer", "delete a contact"):
        assert call(client, what, names) == 404, what
    for path in ("tickets", "customers", "contacts"):
        assert client.get(f"{API}/{path}").json()["results"] == [], path
    assert client.get(f"{API}/tickets?search=toner").json()["results"] == []
    assert client.get(f"{API}/tickets/by-email/kim@example.com").json()["tickets"] == []
    number = Ticket.objects.get().ticket_number
    assert client.get(f"{API}/tickets/{number}").status_code == 404
    assert client.get(f"{API}/tickets?search={number}").json()["results"] == []


def test_tickets_of_the_own_team_and_own_tickets_are_visible(names: dict[str, Any]) -> None:
    ada = staff("ada", "Agents", visibility=Visibility.OWN_TEAMS)
    bo = staff("bo", "Agents", visibility=Visibility.OWN_TICKETS)
    team = Team.objects.create(name="Second line")
    team.members.set([ada, bo])
    of_team = ticket("Of the team", assigned_team=team)
    of_bo = ticket("Of Bo", assigned_to_user=bo, assigned_team=team)
    seen = [row["id"] for row in caller(ada).get(f"{API}/tickets").json()["results"]]
    assert seen == [of_bo.pk, of_team.pk]
    seen = [row["id"] for row in caller(bo).get(f"{API}/tickets").json()["results"]]
    assert seen == [of_bo.pk]
    assert caller(bo).get(f"{API}/tickets/{of_team.pk}").status_code == 404


def test_a_customer_that_is_not_visible_cannot_be_named(names: dict[str, Any]) -> None:
    ada = staff("ada", "Agents", visibility=Visibility.OWN_TICKETS)
    response = caller(ada).post(f"{API}/tickets", {"subject": "x", "customer": names["u"]})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "customer"


def test_a_ticket_that_leaves_the_callers_sight_is_shown_a_last_time() -> None:
    ada = staff("ada", "Agents", visibility=Visibility.OWN_TICKETS)
    opened = ticket(assigned_to_user=ada)
    client = caller(ada)
    response = client.patch(f"{API}/tickets/{opened.pk}", {"assigned_to_user": None})
    assert (response.status_code, response.json()["assigned_to_user"]) == (200, None)
    assert client.get(f"{API}/tickets/{opened.pk}").status_code == 404


def test_an_opened_ticket_is_shown_to_its_maker_who_may_not_see_it_later() -> None:
    client = caller(staff("ada", "Agents", visibility=Visibility.OWN_TICKETS))
    response = client.post(f"{API}/tickets", {"subject": "x", "tags": ["one-tag"]})
    assert response.status_code == 201
    assert response.json()["tags"] == ["one-tag"]
