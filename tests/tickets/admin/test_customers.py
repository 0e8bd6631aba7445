"""Customers, their mail domains and contacts in the admin."""

import pytest

from tests.adminkit import agent, asked_by, browser, form_values, superuser, text_of
from tests.rest import customer, ticket
from tickets.models import AuditEntry, Contact, Customer, CustomerDomain

pytestmark = pytest.mark.django_db
CUSTOMERS = "/admin/tickets/customer/"
CONTACTS = "/admin/tickets/contact/"


def test_a_customer_is_made_with_its_domains() -> None:
    client = browser(agent("mia", "Managers"))
    values = form_values(client.get(CUSTOMERS + "add/"))
    client.post(CUSTOMERS + "add/", values | {"name": "Nordwind", "domains": "nordwind.example\nNW.example"})
    row = Customer.objects.get(name="Nordwind")
    assert sorted(row.domains.values_list("domain", flat=True)) == ["nordwind.example", "nw.example"]
    assert AuditEntry.objects.filter(entity_type="customer", entity_id=row.pk).exists()


@pytest.mark.parametrize("domain", ["gmail.com", "no domain", "taken.example"])
def test_a_wrong_domain_is_an_error_at_its_field(domain: str) -> None:
    CustomerDomain.objects.create(customer=customer("Other"), domain="taken.example")
    client = browser(agent("mia", "Managers"))
    page = f"{CUSTOMERS}{customer('Mine').pk}/change/"
    answer = client.post(page, form_values(client.get(page)) | {"domains": domain, "name": "Renamed"})
    assert answer.context["adminform"].form.errors["domains"]
    assert not Customer.objects.filter(name="Renamed").exists()


def test_who_may_not_set_domains_reads_them_and_changes_the_rest() -> None:
    row = customer("Nordwind")
    CustomerDomain.objects.create(customer=row, domain="nordwind.example")
    client = browser(agent())
    for page in (f"{CUSTOMERS}{row.pk}/change/", CUSTOMERS + "add/"):
        values = form_values(client.get(page))
        assert "domains" not in values
        client.post(page, values | {"name": "Renamed", "domains": "evil.example"})
    assert "nordwind.example" in text_of(client.get(f"{CUSTOMERS}{row.pk}/change/"))
    assert Customer.objects.filter(name="Renamed").count() == 2
    assert [one.domain for one in CustomerDomain.objects.all()] == ["nordwind.example"]


def test_domains_that_nobody_touched_stay() -> None:
    row = customer("Nordwind")
    CustomerDomain.objects.create(customer=row, domain="nordwind.example")
    client = browser(agent())
    page = f"{CUSTOMERS}{row.pk}/change/"
    client.post(page, form_values(client.get(page)) | {"notes": "Pays late"})
    row.refresh_from_db()
    assert row.notes == "Pays late"
    assert row.domains.get().domain == "nordwind.example"


def test_customers_are_listed_by_name_and_found_by_beginning_or_domain() -> None:
    for name in ("beta", "Alpha", "Gamma"):
        customer(name)
    CustomerDomain.objects.create(customer=Customer.objects.get(name="Gamma"), domain="gamma.example")
    client = browser(agent())
    assert [row.name for row in client.get(CUSTOMERS).context["cl"].result_list] == ["Alpha", "beta", "Gamma"]
    for text, name in (("AL", "Alpha"), ("gamma.example", "Gamma")):
        assert [row.name for row in client.get(CUSTOMERS, {"q": text}).context["cl"].result_list] == [name]


def test_pages_by_name_lead_through_all_customers() -> None:
    Customer.objects.bulk_create(Customer(name=f"Customer {n // 2:03}") for n in range(120))
    client, seen, address = browser(agent()), [], CUSTOMERS
    while address:
        page = client.get(address).context["cl"]
        seen += [row.pk for row in page.result_list]
        address = CUSTOMERS + page.next_page if page.next_page else ""
    assert len(seen) == len(set(seen)) == 120


def test_deleting_a_customer_keeps_its_contacts_and_is_noted() -> None:
    row = customer("Nordwind")
    contact = Contact.objects.create(email="mette@nordwind.example", customer=row)
    page = f"{CUSTOMERS}{row.pk}/delete/"
    browser(superuser()).post(page, {"post": "yes"})
    contact.refresh_from_db()
    assert contact.customer is None
    assert AuditEntry.objects.filter(action="customer.deleted", entity_id=row.pk).exists()


def test_before_a_customer_is_deleted_it_says_who_loses_it() -> None:
    row = customer("Nordwind")
    client = browser(superuser())
    page = f"{CUSTOMERS}{row.pk}/delete/"
    assert "No ticket and no contact belongs to this customer." in text_of(client.get(page))
    contact = Contact.objects.create(email="mette@nordwind.example", customer=row)
    for subject in ("One", "Two"):
        ticket(subject, contact=contact)
    assert "2 tickets and 1 contact will have no customer any more." in text_of(client.get(page))


def test_agents_delete_no_customer() -> None:
    row = customer("Nordwind")
    assert browser(agent()).post(f"{CUSTOMERS}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_contact_is_kept_in_lower_case_and_found_by_its_beginning() -> None:
    client = browser(agent())
    values = form_values(client.get(CONTACTS + "add/"))
    client.post(CONTACTS + "add/", values | {"email": "Mette@Nordwind.example", "name": "Mette"})
    assert Contact.objects.get().email == "mette@nordwind.example"
    assert "mette@nordwind.example" in text_of(client.get(CONTACTS, {"q": "mette@nord"}))
    assert "mette@nordwind.example" not in text_of(client.get(CONTACTS, {"q": "ette"}))


def test_a_second_contact_with_one_address_is_refused_at_the_field() -> None:
    Contact.objects.create(email="mette@nordwind.example")
    client = browser(agent())
    values = form_values(client.get(CONTACTS + "add/"))
    answer = client.post(CONTACTS + "add/", values | {"email": "METTE@nordwind.example"})
    assert answer.context["adminform"].form.errors["email"]


@pytest.mark.parametrize("address", [CUSTOMERS, CONTACTS])
def test_lists_ask_the_same_with_one_row_and_with_a_hundred(address: str) -> None:
    client = browser(agent())

    def grow(number: int, start: int) -> None:
        for n in range(start, start + number):
            row = customer(f"C{n}")
            CustomerDomain.objects.create(customer=row, domain=f"d{n}.example")
            Contact.objects.create(email=f"a{n}@d{n}.example", customer=row)

    grow(1, 0)
    few = asked_by(client, address)
    grow(99, 1)
    many = asked_by(client, address)
    assert few.number == many.number <= 8, many
