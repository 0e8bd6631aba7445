"""Tickets over REST: what a ticket looks like, filters, opening, changing, mails, and tickets by address."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from tests.rest import API, caller, customer, fields_of, staff, ticket
from tickets.models import Attachment, AuditEntry, Comment, Contact, EmailLog, Team, Ticket, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return staff("ada", "Agents")


@pytest.fixture
def client(ada: User) -> APIClient:
    return caller(ada)


def mail(of: Ticket, sender: str, *, minutes: int = 0, is_reply: bool = False, direction: str = "in") -> EmailLog:
    moment = timezone.now() + timedelta(minutes=minutes)
    return EmailLog.objects.create(
        ticket=of,
        source_key=f"{direction}:{EmailLog.objects.count() + 1}",
        email_message_id=f"<{EmailLog.objects.count() + 1}@example.com>",
        email_subject=of.subject,
        email_from=sender,
        email_received_at=moment,
        is_reply=is_reply,
        direction=direction,
        created_at=moment,
    )


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_a_ticket_has_these_fields_by_id_and_by_number(client: APIClient, ada: User) -> None:
    firm = customer()
    kim = Contact.objects.create(email="kim@example.com", name="Kim Holm", customer=firm)
    opened = ticket(
        contact=kim, tags=["b-tag", "a-tag"], assigned_to_user=ada, custom_fields={"floor": 2}, priority="high"
    )
    by_id = client.get(f"{API}/tickets/{opened.pk}").json()
    assert client.get(f"{API}/tickets/{opened.ticket_number}/").json() == by_id
    assert client.get(f"{API}/tickets/{opened.ticket_number.lower()}").json() == by_id
    assert by_id == {
        "id": opened.pk,
        "ticket_number": opened.ticket_number,
        "subject": "The printer",
        "description": "It is out of toner.",
        "status": "open",
        "priority": "high",
        "category": "",
        "tags": ["a-tag", "b-tag"],
        "source": "manual",
        "customer": firm.pk,
        "customer_detail": {"id": firm.pk, "name": "Example Ltd"},
        "contact": kim.pk,
        "contact_detail": {"id": kim.pk, "name": "Kim Holm", "email": "kim@example.com"},
        "assigned_to_user": ada.pk,
        "assigned_to_user_detail": {"id": ada.pk, "username": "ada", "name": "ada"},
        "assigned_team": None,
        "assigned_team_detail": None,
        "custom_fields": {"floor": 2},
        "merged_into": None,
        "first_response_at": None,
        "resolved_at": None,
        "closed_at": None,
        "created_at": by_id["created_at"],
        "updated_at": by_id["updated_at"],
    }


def test_the_list_is_filtered_by_each_of_its_parameters(client: APIClient, ada: User) -> None:
    firm, team = customer(), Team.objects.create(name="Second line")
    kim = Contact.objects.create(email="kim@example.com")
    wanted = ticket(
        "Toner for Kim", customer=firm, contact=kim, priority="critical", category="hardware", source="phone",
        tags=["toner"], assigned_to_user=ada, assigned_team=team,
    )  # fmt: skip
    other = ticket("A chair")
    Ticket.objects.filter(pk=wanted.pk).update(status="resolved")
    only = {
        "status": "resolved,closed", "priority": "critical", "source": "phone",
        "tag": "Toner", "assignee": "me", "team": team.pk, "customer": firm.pk, "contact": kim.pk,
        "search": "toner kim",
    }  # fmt: skip
    for name, value in only.items():
        assert ids(client.get(f"{API}/tickets", {name: value})) == [wanted.pk], name
    for name in ("assignee", "team", "customer", "contact"):
        assert ids(client.get(f"{API}/tickets", {name: "none"})) == [other.pk], name
    assert ids(client.get(f"{API}/tickets?status=open&status=resolved")) == [other.pk, wanted.pk]
    assert ids(client.get(f"{API}/tickets", {"search": wanted.ticket_number})) == [wanted.pk]
    assert ids(client.get(f"{API}/tickets", {"search": "kim@example.com"})) == [wanted.pk]


def test_the_list_is_filtered_by_time(client: APIClient) -> None:
    old, new = ticket(), ticket()
    Ticket.objects.filter(pk=old.pk).update(created_at="2020-05-01T12:00Z", updated_at="2020-05-02T12:00Z")
    assert ids(client.get(f"{API}/tickets", {"created_before": "2020-05-01T14:30:00+02:00"})) == [old.pk]
    assert ids(client.get(f"{API}/tickets", {"created_before": "2020-05-01T14:00:00+02:00"})) == []
    assert ids(client.get(f"{API}/tickets", {"created_after": "2020-05-01T12:00:00Z"})) == [new.pk, old.pk]
    assert ids(client.get(f"{API}/tickets", {"updated_after": "2020-05-03"})) == [new.pk]
    assert ids(client.get(f"{API}/tickets", {"updated_before": "2020-05-03"})) == [old.pk]


def test_opening_a_ticket_writes_it_with_its_first_message_and_audit(client: APIClient, ada: User) -> None:
    firm = customer()
    body = {
        "subject": "No line",
        "description": "All telephones are dead.",
        "priority": "critical",
        "category": "telephone",
        "tags": ["#Phone", "second floor"],
        "customer": firm.pk,
        "assigned_to_user": ada.pk,
        "custom_fields": {"floor": {"number": 2}},
    }
    response = client.post(f"{API}/tickets", body, headers={"X-Request-ID": "abc-1"})
    assert response.status_code == 201
    shown = response.json()
    assert shown["ticket_number"].startswith("TKT-")
    assert (shown["source"], shown["tags"]) == ("api", ["phone", "second-floor"])
    assert shown["custom_fields"] == {"floor": {"number": 2}}
    assert (shown["customer"], shown["assigned_to_user"]) == (firm.pk, ada.pk)
    comment = Comment.objects.get(ticket=shown["id"])
    assert (comment.body_text, comment.author_user) == ("All telephones are dead.", ada)
    entry = AuditEntry.objects.get(action="ticket.opened")
    assert (entry.actor_name, entry.ticket_id, entry.request_id) == ("ada", shown["id"], "abc-1")


def test_a_ticket_for_a_contact_carries_the_contacts_words(client: APIClient) -> None:
    kim = Contact.objects.create(email="kim@example.com")
    shown = client.post(f"{API}/tickets", {"subject": "Help", "description": "Hi", "contact": kim.pk}).json()
    comment = Comment.objects.get(ticket=shown["id"])
    assert (comment.author_contact, comment.author_user) == (kim, None)


def test_a_ticket_takes_files_as_a_form(client: APIClient) -> None:
    body = {
        "subject": "Error page",
        "description": "See the file.",
        "tags": ["web", "error"],
        "custom_fields": '{"page": "/"}',
        "attachments": [SimpleUploadedFile("../../fejl æ.txt", b"trace"), SimpleUploadedFile("b.png", b"no png")],
    }
    response = client.post(f"{API}/tickets", body, format="multipart")
    assert response.status_code == 201, response.content
    shown = response.json()
    assert (shown["tags"], shown["custom_fields"]) == (["error", "web"], {"page": "/"})
    files = client.get(f"{API}/tickets/{shown['id']}/attachments").json()["results"]
    assert [(row["name"], row["size"], row["mime_type"]) for row in files] == [
        ("fejl æ.txt", 5, "text/plain"),
        ("b.png", 6, "text/plain"),
    ]
    assert Attachment.objects.count() == 2


def test_changing_a_ticket_touches_only_what_is_named(client: APIClient, ada: User) -> None:
    opened = ticket(tags=["old"], custom_fields={"a": 1}, assigned_to_user=ada)
    response = client.patch(
        f"{API}/tickets/{opened.ticket_number}", {"status": "resolved", "tags": ["new"], "assigned_to_user": None}
    )
    assert response.status_code == 200, response.content
    shown = response.json()
    assert (shown["status"], shown["tags"], shown["assigned_to_user"]) == ("resolved", ["new"], None)
    assert shown["resolved_at"] is not None
    assert (shown["subject"], shown["custom_fields"]) == ("The printer", {"a": 1})
    entry = AuditEntry.objects.get(action="ticket.changed")
    assert entry.new_values["status"] == "resolved"


def test_assigning_needs_a_right_of_its_own(ada: User) -> None:
    opened = ticket(assigned_to_user=ada)
    rights = ("tickets.view_ticket", "tickets.add_ticket", "tickets.change_ticket")
    client = caller(staff("eve", rights=rights))
    response = client.patch(f"{API}/tickets/{opened.pk}", {"assigned_to_user": None})
    assert response.status_code == 403
    assert fields_of(response) == ["assigned_to_user"]
    same = client.patch(f"{API}/tickets/{opened.pk}", {"assigned_to_user": ada.pk, "status": "closed"})
    assert same.status_code == 200
    response = client.post(f"{API}/tickets", {"subject": "x", "assigned_to_user": ada.pk})
    assert fields_of(response) == ["assigned_to_user"]


def test_nobody_can_be_assigned_who_is_not_active(client: APIClient) -> None:
    gone = User.objects.create_user("gone", is_active=False)
    response = client.patch(f"{API}/tickets/{ticket().pk}", {"assigned_to_user": gone.pk})
    assert response.status_code == 400
    assert fields_of(response) == ["assigned_to_user"]


def test_the_mails_of_a_ticket_come_oldest_first_in_this_form(client: APIClient) -> None:
    opened = ticket()
    second = mail(opened, "kim@example.com", minutes=-5, is_reply=True)
    first = mail(opened, "kim@example.com", minutes=-10)
    mail(ticket("Another"), "kim@example.com")
    body = client.get(f"{API}/tickets/{opened.ticket_number}/emails").json()
    assert client.get(f"{API}/tickets/{opened.pk}/emails/").json() == body
    assert list(body) == ["ticket_id", "ticket_number", "emails"]
    assert (body["ticket_id"], body["ticket_number"]) == (opened.pk, opened.ticket_number)
    assert [row["id"] for row in body["emails"]] == [first.pk, second.pk]
    assert list(body["emails"][0]) == [
        "id", "email_message_id", "email_from", "email_subject", "email_received_at", "is_reply", "created_at",
    ]  # fmt: skip
    assert [row["is_reply"] for row in body["emails"]] == [False, True]
    assert body["emails"][0]["email_message_id"] == first.email_message_id


def test_the_mails_of_a_merged_ticket_are_among_those_of_its_target(client: APIClient) -> None:
    target, source = ticket(), ticket("The same")
    mail(source, "kim@example.com")
    Ticket.objects.filter(pk=source.pk).update(merged_into=target)
    body = client.get(f"{API}/tickets/{target.pk}/emails").json()
    assert (body["ticket_id"], len(body["emails"])) == (target.pk, 1)


def test_tickets_by_address_are_those_asked_for_or_written_to(client: APIClient) -> None:
    kim = Contact.objects.create(email="kim@example.com")
    asked, wrote, other = ticket("Asked", contact=kim), ticket("Wrote"), ticket("Other")
    mail(wrote, "Kim@Example.COM")
    mail(asked, "kim@example.com")
    mail(other, "kim@example.com", direction="out")
    body = client.get(f"{API}/tickets/by-email/KIM@example.com").json()
    assert list(body) == ["email_address", "tickets"]
    assert body["email_address"] == "KIM@example.com"
    assert [row["id"] for row in body["tickets"]] == [wrote.pk, asked.pk]
    assert list(body["tickets"][0]) == ["id", "ticket_number", "subject", "status", "created_at"]


def test_tickets_by_address_come_in_pages_named_by_the_link_header(client: APIClient) -> None:
    kim = Contact.objects.create(email="kim/o'hara+x@example.com")
    opened = [ticket(contact=kim).pk for _ in range(3)]
    address = f"{API}/tickets/by-email/kim%2Fo'hara%2Bx@example.com/"
    first = client.get(f"{address}?page_size=2")
    assert [row["id"] for row in first.json()["tickets"]] == opened[:0:-1]
    assert first["Link"].endswith('>; rel="next"')
    second = client.get(first["Link"].partition(">")[0][1:])
    assert [row["id"] for row in second.json()["tickets"]] == opened[:1]
    assert "Link" not in second


@pytest.mark.parametrize("address", ["nobody", "a%00@example.com", "a" * 400 + "@example.com"])
def test_what_is_no_address_is_400(client: APIClient, address: str) -> None:
    response = client.get(f"{API}/tickets/by-email/{address}")
    assert response.status_code == 400
    assert fields_of(response) == ["email_address"]


def test_an_unknown_address_has_no_tickets(client: APIClient) -> None:
    body = client.get(f"{API}/tickets/by-email/nobody@example.com").json()
    assert body == {"email_address": "nobody@example.com", "tickets": []}
