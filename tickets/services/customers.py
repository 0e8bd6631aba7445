"""Customers, their domains and their contacts. The only writer of these tables."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from tickets import audit
from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.models import Contact, Customer, CustomerDomain
from tickets.public_providers import is_public

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9æøåäöü]([a-z0-9æøåäöü-]{0,61}[a-z0-9æøåäöü])?\.)+[a-z]{2,63}")


def save_customer(*, actor: Actor, customer: Customer, domains: Sequence[str] | None = None) -> Customer:
    """Write a new or changed customer; ``domains`` replaces all of its domains, None leaves them.

    A contact without a customer whose address is at a new domain joins this customer. Raises ServiceError
    naming the field: an empty name, a public mail provider's domain, a domain of another customer.
    """
    if not customer.name.strip():
        raise ServiceError("A customer needs a name.", field="name")
    wanted = None if domains is None else [_checked_domain(domain) for domain in domains if domain.strip()]
    # Customer, domains and audit row together: a refused domain leaves no half customer behind.
    with transaction.atomic():
        is_new = customer.pk is None
        old = None if is_new else Customer.objects.filter(pk=customer.pk).values("name").first()
        customer.name = customer.name.strip()
        customer.save()
        if wanted is not None:
            _set_domains(customer, wanted)
        new: dict[str, Any] = {"name": customer.name}
        if wanted is not None:
            new["domains"] = sorted(set(wanted))
        action = "customer.created" if is_new else "customer.changed"
        audit.record(actor=actor, action=action, entity=customer, old=old, new=new)
    return customer


def delete_customer(*, actor: Actor, customer: Customer) -> None:
    """Delete a customer and its domains; its tickets and contacts stay, without a customer."""
    # The audit row and the deletion together.
    with transaction.atomic():
        audit.record(actor=actor, action="customer.deleted", entity=customer, old={"name": customer.name})
        customer.delete()


def _checked_domain(domain: str) -> str:
    cleaned = domain.strip().lower().lstrip("@")
    if not _DOMAIN.fullmatch(cleaned):
        raise ServiceError(f"'{domain}' is not a mail domain.", field="domains")
    if is_public(cleaned):
        raise ServiceError(f"{cleaned} belongs to a public mail provider: anybody can write from it.", field="domains")
    return cleaned


def _set_domains(customer: Customer, wanted: list[str]) -> None:
    taken = CustomerDomain.objects.filter(domain__in=wanted).exclude(customer=customer).first()
    if taken is not None:
        raise ServiceError(f"{taken.domain} already belongs to {taken.customer}.", field="domains")
    customer.domains.exclude(domain__in=wanted).delete()
    known = set(customer.domains.values_list("domain", flat=True))
    fresh = sorted(set(wanted) - known)
    CustomerDomain.objects.bulk_create([CustomerDomain(customer=customer, domain=domain) for domain in fresh])
    for domain in fresh:
        Contact.objects.filter(customer=None, email__endswith=f"@{domain}").update(customer=customer)


def save_contact(*, actor: Actor, contact: Contact) -> Contact:
    """Write a new or changed contact; the address is kept in lower case. Raises ServiceError naming the field."""
    contact.email = contact.email.strip().lower()
    try:
        validate_email(contact.email)
    except ValidationError as error:
        raise ServiceError(f"'{contact.email}' is not an e-mail address.", field="email") from error
    # Closes the race between two people who add the same address: the second gets words, not a crash.
    with transaction.atomic():
        if Contact.objects.filter(email=contact.email).exclude(pk=contact.pk).exists():
            raise ServiceError("There is already a contact with this address.", field="email")
        is_new = contact.pk is None
        old = None if is_new else Contact.objects.filter(pk=contact.pk).values("customer_id").first()
        contact.save()
        audit.record(
            actor=actor,
            action="contact.created" if is_new else "contact.changed",
            entity=contact,
            old=old,
            new={"customer_id": contact.customer_id},
        )
    return contact


def delete_contact(*, actor: Actor, contact: Contact) -> None:
    """Delete a contact; tickets and comments stay and name nobody."""
    # The audit row and the deletion together.
    with transaction.atomic():
        audit.record(actor=actor, action="contact.deleted", entity=contact)
        contact.delete()


def customers_of_domains(domains: Iterable[str]) -> dict[str, int]:
    """Domain -> customer id, for the domains that belong to somebody."""
    wanted = sorted({domain for domain in domains if domain and not is_public(domain)})
    rows = CustomerDomain.objects.filter(domain__in=wanted).values_list("domain", "customer_id")
    return dict(rows)
