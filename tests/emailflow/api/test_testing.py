"""The test route: a mail by hand goes the whole way of a real one."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from emailflow.models import Message
from tests.rest import API, caller, fields_of, staff
from tickets.models import Comment, EmailLog, Ticket

pytestmark = pytest.mark.django_db

ADDRESS = f"{API}/test/email-to-ticket"
MAIL: dict[str, Any] = {
    "message_id": "<1@example.com>",
    "subject": "Test ticket",
    "from_address": "test@example.com",
    "body": "This is a test #testing",
    "received_at": "2025-12-15T09:12:31+01:00",
}


@pytest.fixture(autouse=True)
def switched_on(settings: Any) -> None:
    settings.TICKET_TEST_API = True


@pytest.fixture
def client() -> APIClient:
    return caller(staff("ada", "Agents"))


def send(client: APIClient, **changes: Any) -> dict[str, Any]:
    response = client.post(ADDRESS, {"email_data": {**MAIL, **changes}})
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    assert list(body) == ["ticket_id", "ticket_number", "created", "linked", "outcome"]
    return body


def test_a_mail_becomes_a_ticket_with_its_tag(client: APIClient) -> None:
    body = send(client)
    ticket = Ticket.objects.get()
    assert body == {
        "ticket_id": ticket.pk,
        "ticket_number": ticket.ticket_number,
        "created": True,
        "linked": False,
        "outcome": "ticket_created",
    }
    assert [tag.name for tag in ticket.tags.all()] == ["testing"]
    message = Message.objects.get()
    assert (message.mailbox.slug, message.message_id) == ("test", "<1@example.com>")
    assert message.received_at.isoformat() == "2025-12-15T08:12:31+00:00"


def test_a_reply_with_only_our_number_in_in_reply_to_is_linked(client: APIClient) -> None:
    number = send(client)["ticket_number"]
    body = send(
        client, message_id="2@example.com", subject="Re: Test ticket", body="Still",
        in_reply_to=f"<{number}@example.net>",
    )  # fmt: skip
    assert (body["ticket_number"], body["created"], body["linked"]) == (number, False, True)
    assert body["outcome"] == "linked"
    assert Comment.objects.filter(ticket=body["ticket_id"]).count() == 2
    assert EmailLog.objects.get(email_message_id="<2@example.com>").is_reply is True


@pytest.mark.parametrize("references", [["<1@example.com>", "other@example.com"], "<0@example.com> <1@example.com>"])
def test_a_reply_is_found_by_its_references(client: APIClient, references: Any) -> None:
    number = send(client)["ticket_number"]
    body = send(client, message_id="<2@example.com>", body="More", references=references)
    assert (body["ticket_number"], body["linked"]) == (number, True)


def test_letters_of_every_alphabet_arrive(client: APIClient) -> None:
    send(client, subject="Hjælp – blåbærgrød", from_address="Søren Ø <s@example.com>", body="Æblegrød 🍎")
    ticket = Ticket.objects.get()
    assert ticket.subject == "Hjælp – blåbærgrød"
    assert ticket.contact is not None
    assert (ticket.contact.email, ticket.contact.name) == ("s@example.com", "Søren Ø")
    assert "Æblegrød 🍎" in ticket.description


def test_the_same_mail_twice_is_one_ticket(client: APIClient) -> None:
    assert send(client)["ticket_id"] == send(client)["ticket_id"]
    assert Ticket.objects.count() == 1


def test_where_no_ticket_is_made_there_are_nulls(client: APIClient, settings: Any) -> None:
    settings.TICKET_EMAIL_INTEGRATION = False
    assert send(client) == {
        "ticket_id": None, "ticket_number": None, "created": None, "linked": None, "outcome": "unrouted",
    }  # fmt: skip
    settings.TICKET_ENABLED = False
    assert send(client, message_id="<9@example.com>")["outcome"] is None
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email_data"),
        ({"email_data": {}}, "email_data.message_id"),
        ({"email_data": {**MAIL, "from_address": "nobody"}}, "email_data.from_address"),
        ({"email_data": {**MAIL, "from_address": "a@b.example\r\nBcc: c@d.example"}}, "email_data.from_address"),
        ({"email_data": {**MAIL, "subject": "a\r\nX-Injected: 1"}}, "email_data.subject"),
        ({"email_data": {**MAIL, "message_id": "<æ@example.com>"}}, "email_data.message_id"),
        ({"email_data": {**MAIL, "message_id": "<>"}}, "email_data.message_id"),
        ({"email_data": {**MAIL, "received_at": "yesterday"}}, "email_data.received_at"),
        ({"email_data": {**MAIL, "references": [1]}}, "email_data.references"),
        ({"email_data": {**MAIL, "to": "x"}}, "email_data.to"),
    ],
)
def test_wrong_data_is_400_and_names_the_field(client: APIClient, body: Any, field: str) -> None:
    response = client.post(ADDRESS, body)
    assert response.status_code == 400, response.content
    assert field in fields_of(response)
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    "sender",
    ["a@b.example", '"Holm, Kim" <kim@b.example>', "Kim (home) <kim@b.example>", "søren@b.example", "a@bø.example",
     "<a@b.example>", '"odd local"@b.example', "=?utf-8?q?=C3=B8?= <x@b.example>"],
)  # fmt: skip
def test_strange_senders_are_mails_or_clear_errors_and_never_a_crash(client: APIClient, sender: str) -> None:
    response = client.post(ADDRESS, {"email_data": {**MAIL, "from_address": sender}})
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        assert fields_of(response) == ["email_data.from_address"]


def test_it_is_not_there_unless_switched_on(client: APIClient, settings: Any) -> None:
    settings.TICKET_TEST_API = False
    assert client.post(ADDRESS, {"email_data": MAIL}).status_code == 404
    assert APIClient().post(ADDRESS, {"email_data": MAIL}).status_code == 404
    assert Message.objects.count() == 0


def test_it_needs_a_token_even_with_a_session(client: APIClient) -> None:
    assert APIClient().post(ADDRESS, {"email_data": MAIL}).status_code == 401
    browser = Client()
    browser.force_login(staff("bo", "Managers"))
    assert browser.post(ADDRESS, {"email_data": MAIL}, content_type="application/json").status_code == 401


def test_an_inbound_token_opens_it_and_a_read_token_does_not() -> None:
    user = staff("bo", "Agents")
    assert caller(user, "inbound").post(f"{ADDRESS}/", {"email_data": MAIL}).status_code == 200
    assert caller(user, "read").post(ADDRESS, {"email_data": MAIL}).status_code == 403
    assert caller(staff("eve", "Read-only")).post(ADDRESS, {"email_data": MAIL}).status_code == 403
