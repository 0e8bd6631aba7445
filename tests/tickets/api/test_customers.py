"""Customers with domains, contacts, and tags over REST."""

import pytest
from rest_framework.test import APIClient

from tests.rest import API, SYSTEM, caller, customer, fields_of, staff, ticket
from tickets.models import AuditEntry, Contact, Customer
from tickets.services.customers import save_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return caller(staff("mia", "Managers"))


def test_a_customer_is_made_changed_found_and_deleted(client: APIClient) -> None:
    made = client.post(f"{API}/customers", {"name": "Example Ltd", "domains": ["Example.com", "example.dk"]})
    assert made.status_code == 201, made.content
    row = made.json()
    assert list(row) == ["id", "name", "notes", "domains", "created_at"]
    assert row["domains"] == ["example.com", "example.dk"]
    changed = client.patch(f"{API}/customers/{row['id']}", {"notes": "VIP", "domains": ["example.dk"]}).json()
    assert (changed["name"], changed["notes"], changed["domains"]) == ("Example Ltd", "VIP", ["example.dk"])
    kept = client.patch(f"{API}/customers/{row['id']}", {"name": "Example A/S"}).json()
    assert kept["domains"] == ["example.dk"]
    customer("Another")
    for query in ("name=example a/s", "domain=EXAMPLE.dk"):
        found = client.get(f"{API}/customers?{query}").json()["results"]
        assert [one["id"] for one in found] == [row["id"]], query
    assert client.delete(f"{API}/customers/{row['id']}").status_code == 204
    assert not Customer.objects.filter(pk=row["id"]).exists()
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {
        "customer.created", "customer.changed", "customer.deleted",
    }  # fmt: skip


@pytest.mark.parametrize("domain", ["gmail.com", "not a domain", "taken.example"])
def test_a_domain_that_cannot_be_the_customers_is_refused(client: APIClient, domain: str) -> None:
    client.post(f"{API}/customers", {"name": "First", "domains": ["taken.example"]})
    response = client.post(f"{API}/customers", {"name": "Second", "domains": [domain]})
    assert response.status_code == 400
    assert fields_of(response) == ["domains"]
    assert not Customer.objects.filter(name="Second").exists()


@pytest.mark.parametrize(("group", "visibility"), [("Agents", "all"), ("Managers", "own_teams")])
def test_domains_are_set_by_those_who_may_and_see_whom_they_take_in(group: str, visibility: str) -> None:
    writer = staff("ada", group, visibility=visibility)
    firm = customer()
    save_customer(actor=SYSTEM, customer=firm, domains=["example.com"])
    ticket(assigned_to_user=writer, customer=firm)
    boss = Contact.objects.create(email="boss@target.example")
    client = caller(writer)
    for answer in (
        client.post(f"{API}/customers", {"name": "x", "domains": ["target.example"]}),
        client.patch(f"{API}/customers/{firm.pk}", {"name": "x", "domains": ["target.example"]}),
        client.patch(f"{API}/customers/{firm.pk}", {"domains": []}),
    ):
        assert answer.status_code == 403
        assert fields_of(answer) == ["domains"]
    boss.refresh_from_db()
    assert boss.customer is None
    assert [row.domain for row in firm.domains.all()] == ["example.com"]
    assert client.patch(f"{API}/customers/{firm.pk}", {"notes": "VIP"}).status_code == 200


def test_the_domain_of_another_customer_does_not_tell_whose_it_is(client: APIClient) -> None:
    save_customer(actor=SYSTEM, customer=customer("Secret Ltd"), domains=["taken.example"])
    answer = client.post(f"{API}/customers", {"name": "x", "domains": ["taken.example"]})
    assert answer.status_code == 400
    assert "Secret Ltd" not in answer.content.decode()


def test_tags_of_tickets_that_are_not_visible_are_not_listed() -> None:
    ada = staff("ada", "Agents", visibility="own_tickets")
    ticket(tags=["hidden", "shared"])
    ticket(tags=["seen", "shared"], assigned_to_user=ada)
    assert [row["name"] for row in caller(ada).get(f"{API}/tags").json()["results"]] == ["seen", "shared"]
    assert caller(ada).get(f"{API}/tags?name=hidden").json()["results"] == []


def test_a_contact_is_made_changed_found_and_deleted(client: APIClient) -> None:
    firm = customer()
    made = client.post(f"{API}/contacts", {"email": "Kim@Example.com", "name": "Kim", "customer": firm.pk})
    assert made.status_code == 201, made.content
    row = made.json()
    assert row["email"] == "kim@example.com"
    assert row["customer_detail"] == {"id": firm.pk, "name": "Example Ltd"}
    again = client.post(f"{API}/contacts", {"email": "kim@example.com"})
    assert again.status_code == 400
    assert fields_of(again) == ["email"]
    changed = client.patch(f"{API}/contacts/{row['id']}", {"customer": None, "phone": "12"}).json()
    assert (changed["customer"], changed["phone"], changed["name"]) == (None, "12", "Kim")
    Contact.objects.create(email="bo@example.com", customer=firm)
    for query in ("email=KIM@example.com", "customer=none"):
        found = client.get(f"{API}/contacts?{query}").json()["results"]
        assert [one["id"] for one in found] == [row["id"]], query
    assert client.delete(f"{API}/contacts/{row['id']}").status_code == 204


def test_a_contact_needs_an_address(client: APIClient) -> None:
    response = client.post(f"{API}/contacts", {"email": "nobody"})
    assert response.status_code == 400
    assert fields_of(response) == ["email"]


def test_tags_are_listed_by_name(client: APIClient) -> None:
    ticket(tags=["zebra", "apple", "mango"])
    first = client.get(f"{API}/tags?page_size=2").json()
    assert [row["name"] for row in first["results"]] == ["apple", "mango"]
    second = client.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == ["zebra"]
    one = client.get(f"{API}/tags?name=Mango").json()["results"]
    assert client.get(f"{API}/tags/{one[0]['id']}").json() == one[0]
