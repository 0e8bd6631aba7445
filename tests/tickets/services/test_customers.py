"""What customers and contacts promise: who belongs to whom decides who may join a ticket."""

from typing import Any

import pytest

from tests.threads import at_once
from tests.tickets.making import ADDRESS, HUB, audit_as_text, contact_of, counts, entries, open_one
from tickets.errors import Conflict, ServiceError
from tickets.models import Contact, Customer, CustomerDomain
from tickets.services.customers import (
    customers_of_domains,
    delete_contact,
    delete_customer,
    save_contact,
    save_customer,
)

pytestmark = pytest.mark.django_db


def save(customer: Customer | None = None, *, name: str = "Nordwind", domains: list[str] | None = None) -> Customer:
    return save_customer(actor=HUB, customer=customer or Customer(name=name), domains=domains)


def domains_of(customer: Customer) -> list[str]:
    return sorted(customer.domains.values_list("domain", flat=True))


def test_domains_are_kept_in_lower_case_and_contacts_of_nobody_join() -> None:
    free = contact_of("anna@nordwind.example")
    other = contact_of("per@nordwind.example", customer=save(name="Other"))
    longer = contact_of("ole@notnordwind.example")

    customer = save(domains=[" @Nordwind.EXAMPLE", "nordwind.example", "", "blåbær.example"])

    assert domains_of(customer) == ["blåbær.example", "nordwind.example"]
    members = {contact.email for contact in Contact.objects.filter(customer=customer)}
    assert members == {free.email}
    assert other.email not in members
    assert longer.email not in members
    assert customers_of_domains(["nordwind.example", "gmail.com", "x.example", ""]) == {"nordwind.example": customer.pk}


@pytest.mark.parametrize(
    "domain", ["gmail.com", " @GMail.com", "hotmail.dk", "outlook.com", "no domain", "x", "a@b.example", "-a.example"]
)
def test_a_refused_domain_names_its_field_and_leaves_no_half_customer(domain: str) -> None:
    before = counts()
    with pytest.raises(ServiceError) as error:
        save(domains=["good.example", domain])
    assert error.value.field == "domains"
    assert counts() == before


def test_a_domain_belongs_to_one_customer() -> None:
    save(name="First", domains=["a.example"])
    before = counts()
    second = Customer(name="Second")
    with pytest.raises(ServiceError, match="another customer") as error:
        save(second, domains=["b.example", "a.example"])
    assert error.value.field == "domains"
    assert counts() == before
    save(second, domains=["b.example"])
    assert domains_of(second) == ["b.example"]


def test_a_customer_needs_a_name() -> None:
    with pytest.raises(ServiceError) as error:
        save(name="  ")
    assert error.value.field == "name"
    assert not Customer.objects.exists()


def test_the_audit_tells_what_changed_and_holds_no_notes() -> None:
    customer = save(name="Nord", domains=["a.example"])
    customer.name, customer.notes = "Nordwind", "owes us a secret sum"
    save(customer, domains=["b.example"])
    save(customer, domains=["b.example"])
    save(customer)

    assert entries("customer.created") == [({}, {"name": "Nord", "domains": ["a.example"]})]
    assert entries("customer.changed") == [
        (
            {"name": "Nord", "notes": "(hidden)", "domains": ["a.example"]},
            {"name": "Nordwind", "notes": "(changed)", "domains": ["b.example"]},
        )
    ]
    assert "secret" not in audit_as_text()


def test_domains_that_are_not_given_stay() -> None:
    customer = save(domains=["a.example"])
    save(customer, domains=None)
    assert domains_of(customer) == ["a.example"]
    save(customer, domains=[])
    assert domains_of(customer) == []


def test_a_deleted_customer_leaves_its_tickets_and_contacts() -> None:
    customer = save(domains=["nordwind.example"])
    contact = contact_of(customer=customer)
    ticket = open_one(contact=contact)
    delete_customer(actor=HUB, customer=customer)

    ticket.refresh_from_db()
    contact.refresh_from_db()
    assert (ticket.customer, ticket.contact, contact.customer) == (None, contact, None)
    assert not CustomerDomain.objects.exists()
    assert entries("customer.deleted") == [({"name": "Nordwind"}, {})]


def test_a_contact_has_one_address_in_lower_case() -> None:
    contact = contact_of(" Mette@Nordwind.Example ", name="Mette")
    assert Contact.objects.get().email == ADDRESS
    before = counts()
    with pytest.raises(ServiceError) as error:
        contact_of("METTE@nordwind.example")
    assert error.value.field == "email"
    assert counts() == before
    contact.name = "Mette L"
    save_contact(actor=HUB, contact=contact)
    assert Contact.objects.get().name == "Mette L"


@pytest.mark.parametrize(
    "address", ["", "mette", "mette@", "@x.example", "a b@x.example", "a@x.example\nBcc: b@x.example"]
)
def test_a_wrong_address_names_its_field(address: str) -> None:
    with pytest.raises(ServiceError) as error:
        contact_of(address)
    assert error.value.field == "email"
    assert not Contact.objects.exists()


def test_the_audit_of_a_contact_holds_no_address_name_or_number() -> None:
    customer = save()
    contact = contact_of(name="Mette Lund", phone="+45 12345678")
    contact.customer, contact.email, contact.phone = customer, "lund@nordwind.example", "+45 87654321"
    save_contact(actor=HUB, contact=contact)
    delete_contact(actor=HUB, contact=contact)

    [(old, new)] = entries("contact.changed")
    assert (old["customer_id"], new["customer_id"]) == (None, customer.pk)
    assert (new["email"], new["phone"]) == ("(changed)", "(changed)")
    assert "name" not in new
    assert len(entries("contact.created")) == len(entries("contact.deleted")) == 1
    for hidden in ("Mette", "lund", "12345678", "87654321", "nordwind.example"):
        assert hidden not in audit_as_text()


def test_a_contact_or_customer_that_is_gone_is_a_conflict() -> None:
    contact, customer = contact_of(), save()
    Contact.objects.get().delete()
    Customer.objects.get().delete()
    with pytest.raises(Conflict):
        save_contact(actor=HUB, contact=contact)
    with pytest.raises(Conflict):
        save(customer)


def _said(job: Any) -> str:
    """The field that was named, or '' for success."""
    try:
        job()
    except ServiceError as error:
        return error.field
    return ""


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_same_address_at_once_one_gets_words() -> None:
    for number in range(10):
        said = at_once(*[lambda number=number: _said(lambda: contact_of(f"a{number}@x.example"))] * 2)
        assert sorted(said) == ["", "email"]
    assert Contact.objects.count() == len(entries("contact.created")) == 10


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_the_same_domain_at_once_one_gets_words() -> None:
    for number in range(10):
        said = at_once(
            *[lambda number=number: _said(lambda: save(domains=[f"a{number}.example", f"b{number}.example"]))] * 2
        )
        assert sorted(said) == ["", "domains"]
    assert Customer.objects.count() == len(entries("customer.created")) == 10
    assert CustomerDomain.objects.count() == 20


def test_what_no_index_could_hold_stands_at_its_field() -> None:
    with pytest.raises(ServiceError) as error:
        save(name="x" * 201)
    assert error.value.field == "name"
    for field, values in (("email", {"address": "a@" + "b" * 250 + ".dk"}), ("name", {"name": "x" * 201})):
        with pytest.raises(ServiceError) as error:
            contact_of(**values)
        assert error.value.field == field
    assert save(name="å" * 200).name == "å" * 200
