"""The outbox over REST: lists, one mail, another try and a stop."""

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.outgoing import fresh, outgoing
from tests.rest import API, caller, counted, staff, ticket
from tickets.models import Visibility

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return caller(staff("ada", "Agents"))


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_outgoing_mail_is_listed_and_filtered(client: APIClient) -> None:
    one = outgoing("a@x.example", ticket=ticket(), state="failed", reason="no", kind="acknowledgement")
    two = outgoing("b@x.example")
    assert ids(client.get(f"{API}/outbox")) == [two.pk, one.pk]
    assert ids(client.get(f"{API}/outbox?sort=oldest")) == [one.pk, two.pk]
    wanted = {"state": "failed,bounced", "kind": "acknowledgement", "recipient": "A@x.example", "ticket": one.ticket_id}
    for name, value in wanted.items():
        assert ids(client.get(f"{API}/outbox", {name: value})) == [one.pk], name


def test_one_mail_is_shown_with_its_text_and_reason(client: APIClient) -> None:
    file = {"sha256": "ab" * 32, "name": "x.pdf", "mime_type": "application/pdf", "cid": ""}
    row = outgoing(ticket=ticket(), state="failed", reason="No such user.", attachments=[file])
    shown = client.get(f"{API}/outbox/{row.pk}").json()
    assert (shown["state"], shown["reason"], shown["text"]) == ("failed", "No such user.", row.text)
    assert row.ticket is not None
    assert shown["ticket_number"] == row.ticket.ticket_number
    assert shown["attachments"] == [{"name": "x.pdf", "mime_type": "application/pdf"}]
    assert "envelope_from" not in shown


def test_a_mail_is_sent_again_and_stopped(client: APIClient) -> None:
    row = outgoing(state="failed", reason="no")
    response = client.post(f"{API}/outbox/{row.pk}/retry")
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    response = client.post(f"{API}/outbox/{row.pk}/cancel/")
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert fresh(row).reason == "Cancelled by ada."


def test_a_mail_that_is_being_sent_is_409(client: APIClient) -> None:
    row = outgoing(state="sending", lease_token="x", lease_until=timezone.now())
    for what in ("retry", "cancel"):
        response = client.post(f"{API}/outbox/{row.pk}/{what}")
        assert response.status_code == 409
        assert "is being sent right now" in response.json()["detail"]


def test_steering_needs_a_right_of_its_own() -> None:
    reader, row = caller(staff("rob", "Read-only")), outgoing()
    assert client_status(reader, "get", f"outbox/{row.pk}") == 200
    assert client_status(reader, "post", f"outbox/{row.pk}/cancel") == 403
    assert client_status(caller(staff("eve")), "get", "outbox") == 403
    assert fresh(row).state == "queued"


def client_status(client: APIClient, method: str, path: str) -> int:
    status: int = getattr(client, method)(f"{API}/{path}").status_code
    return status


def test_what_is_not_visible_is_404() -> None:
    row = outgoing(ticket=ticket())
    mine = caller(staff("bo", "Agents", visibility=Visibility.OWN_TICKETS))
    assert ids(mine.get(f"{API}/outbox")) == []
    assert client_status(mine, "get", f"outbox/{row.pk}") == 404
    assert client_status(mine, "post", f"outbox/{row.pk}/cancel") == 404


def test_nobody_writes_a_mail_here(client: APIClient) -> None:
    row = outgoing()
    assert client_status(client, "post", "outbox") == 405
    assert client_status(client, "patch", f"outbox/{row.pk}") == 405
    assert client_status(client, "delete", f"outbox/{row.pk}") == 405


def test_the_list_costs_the_same_however_many_rows_there_are(client: APIClient) -> None:
    def cost() -> int:
        with counted() as statements:
            assert client.get(f"{API}/outbox").status_code == 200
        return len(statements)

    outgoing(ticket=ticket())
    before = cost()
    for _ in range(30):
        outgoing(ticket=ticket())
    assert cost() == before <= 8
