"""How many statements a list, a page and the like may cost; thirty rows cost what one costs."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.rest import API, SYSTEM, caller, counted, staff, ticket
from tickets.models import Contact, Customer, EmailLog, Source, Ticket, Visibility
from tickets.services.comments import add_comment
from tickets.services.customers import save_customer
from tickets.services.files import Upload

pytestmark = pytest.mark.django_db

LIST, PAGE = 8, 14


def one(number: int) -> None:
    """One more of everything that a list shows."""
    ada = staff(f"ada{number}")
    firm = save_customer(actor=SYSTEM, customer=Customer(name=f"Firm {number}"), domains=[f"firm{number}.example"])
    kim = Contact.objects.create(email=f"kim@firm{number}.example", customer=firm)
    opened = ticket(contact=kim, assigned_to_user=ada, tags=[f"tag{number}", "printer"])
    first = Ticket.objects.earliest("id")
    add_comment(
        actor=SYSTEM, ticket=first, body_text="x", source=Source.API, author_user=ada,
        uploads=[Upload("a.txt", b"a"), Upload("b.txt", b"b")],
    )  # fmt: skip
    EmailLog.objects.create(
        ticket=first, source_key=f"in:{number}", email_message_id=f"<{number}@example.com>",
        email_from="kim@firm0.example", email_received_at=opened.created_at, created_at=opened.created_at,
    )  # fmt: skip


PATHS: dict[str, tuple[Callable[[int], str], int]] = {
    "tickets": (lambda _: "tickets?page_size=200", LIST),
    "tickets by priority": (lambda _: "tickets?sort=priority&status=open&tag=printer", LIST),
    "search": (lambda _: "tickets?search=toner", LIST),
    "a ticket": (lambda pk: f"tickets/{pk}", PAGE),
    "comments": (lambda pk: f"tickets/{pk}/comments?page_size=200", LIST),
    "attachments": (lambda pk: f"tickets/{pk}/attachments?page_size=200", LIST),
    "emails": (lambda pk: f"tickets/{pk}/emails", LIST),
    "by e-mail": (lambda _: "tickets/by-email/kim@firm0.example", LIST),
    "customers": (lambda _: "customers?page_size=200", LIST),
    "contacts": (lambda _: "contacts?page_size=200", LIST),
    "tags": (lambda _: "tags?page_size=200", LIST),
}


@pytest.mark.parametrize("visibility", [Visibility.ALL, Visibility.OWN_TEAMS])
def test_lists_and_pages_cost_the_same_however_many_rows_there_are(visibility: str) -> None:
    user = staff("bo", "Agents", visibility=visibility)
    client = caller(user)
    one(0)
    first = Ticket.objects.earliest("id")
    Ticket.objects.update(assigned_to_user=user)
    before = {name: cost(client, path(first.pk)) for name, (path, _) in PATHS.items()}
    for number in range(1, 30):
        one(number)
    Ticket.objects.update(assigned_to_user=user)
    after = {name: cost(client, path(first.pk)) for name, (path, _) in PATHS.items()}
    assert after == before
    for name, (_, budget) in PATHS.items():
        assert after[name] <= budget, name


def cost(client: Any, path: str) -> int:
    with counted() as statements:
        response = client.get(f"{API}/{path}")
    assert response.status_code == 200
    assert not any("COUNT(" in sql or "OFFSET" in sql for sql in statements)
    return len(statements)
