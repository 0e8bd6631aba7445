"""Customers, their domains and their contacts. The only writer of these tables."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.limits import MOST_ADDRESS, check_length
from tickets.models import Contact, Customer, CustomerDomain
from tickets.public_providers import is_public
from tickets.removing import remove
from tickets.storable import storable

# Of these the audit log keeps only that they changed.
_HIDDEN = {"customer": ("notes",), "contact": ("email", "name", "phone")}

_Row = TypeVar("_Row", Customer, Contact)
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9æøåäöü]([a-z0-9æøåäöü-]{0,61}[a-z0-9æøåäöü])?\.)+[a-z]{2,63}")


def save_customer(*, actor: Actor, customer: Customer, domains: Sequence[str] | None = None) -> Customer:
    """Write a new or changed customer; ``domains`` replaces all of its domains, None leaves them.

    A contact without a customer whose address is at a new domain joins this customer. Raises ServiceError
    naming the field: an empty or too long name, a public mail provider's domain, a domain of another customer.
    """
    if not customer.name.strip():
        raise ServiceError("A customer needs a name.", field="name")
    wanted = None if domains is None else [_checked_domain(domain) for domain in domains if domain.strip()]
    customer.name, customer.notes = storable(customer.name).strip(), storable(customer.notes)
    check_length(customer.name, "name")
    is_new = customer.pk is None
    try:
        # Customer, domains and audit row together: a refused domain leaves no half customer behind.
        with transaction.atomic():
            old: dict[str, Any] = {} if is_new else _customer_values(_locked(Customer, customer), wanted)
            customer.save()
            if wanted is not None:
                _set_domains(customer, wanted)
            _record(actor, customer, is_new, old, _customer_values(customer, wanted))
    except IntegrityError as error:
        # Somebody else took the domain since we looked.
        if is_new:
            customer.pk = None
        raise ServiceError("One of the domains was given to another customer just now.", field="domains") from error
    except ServiceError:
        if is_new:
            customer.pk = None
        raise
    return customer


def delete_customer(*, actor: Actor, customer: Customer) -> None:
    """Delete a customer and its domains; its tickets and contacts stay, without a customer.

    Raises Conflict when it is gone, or in use at this very moment; so do the other services that delete.
    """
    old = {"name": customer.name}
    remove(customer, lambda: audit.record(actor=actor, action="customer.deleted", entity=customer, old=old))


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
        raise ServiceError(f"{taken.domain} already belongs to another customer.", field="domains")
    customer.domains.exclude(domain__in=wanted).delete()
    known = set(customer.domains.values_list("domain", flat=True))
    fresh = sorted(set(wanted) - known)
    CustomerDomain.objects.bulk_create([CustomerDomain(customer=customer, domain=domain) for domain in fresh])
    for domain in fresh:
        Contact.objects.filter(customer=None, email__endswith=f"@{domain}").update(customer=customer)


def save_contact(*, actor: Actor, contact: Contact) -> Contact:
    """Write a new or changed contact; the address is kept in lower case. Raises ServiceError naming the field."""
    contact.email = contact.email.strip().lower()
    contact.name, contact.phone = storable(contact.name).strip(), storable(contact.phone).strip()
    check_length(contact.email, "email", MOST_ADDRESS)
    check_length(contact.name, "name")
    try:
        validate_email(contact.email)
    except ValidationError as error:
        raise ServiceError(f"'{contact.email}' is not an e-mail address.", field="email") from error
    taken = ServiceError("There is already a contact with this address.", field="email")
    is_new = contact.pk is None
    try:
        # The contact and its audit row together.
        with transaction.atomic():
            if Contact.objects.filter(email=contact.email).exclude(pk=contact.pk).exists():
                raise taken
            old = {} if is_new else _contact_values(_locked(Contact, contact))
            contact.save()
            _record(actor, contact, is_new, old, _contact_values(contact))
    except IntegrityError as error:
        # Somebody else, or a mail, has brought the same address since we looked.
        if is_new:
            contact.pk = None
        if Contact.objects.filter(email=contact.email).exclude(pk=contact.pk).exists():
            raise taken from error
        raise ServiceError("There is no such customer any more.", field="customer") from error
    return contact


def delete_contact(*, actor: Actor, contact: Contact) -> None:
    """Delete a contact; tickets and comments stay and name nobody."""
    remove(contact, lambda: audit.record(actor=actor, action="contact.deleted", entity=contact))


def _locked(model: type[_Row], row: _Row) -> _Row:
    found = model._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    if found is None:
        raise Conflict(f"This {model._meta.verbose_name} is not there any more.")
    return found


def _customer_values(customer: Customer, domains: Sequence[str] | None) -> dict[str, Any]:
    values: dict[str, Any] = {"name": customer.name, "notes": customer.notes}
    if domains is not None:
        values["domains"] = sorted(customer.domains.values_list("domain", flat=True))
    return values


def _contact_values(contact: Contact) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in ("customer_id", "language", *_HIDDEN["contact"])}


def _record(
    actor: Actor, row: Customer | Contact, is_new: bool, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """What differs; of addresses and texts only that they changed. Nothing when nothing differs."""
    what = str(row._meta.model_name)
    hidden = _HIDDEN[what]
    if is_new:
        shown = {name: value for name, value in new.items() if name not in hidden}
        audit.record(actor=actor, action=f"{what}.created", entity=row, new=shown)
        return
    changed = [name for name in new if old.get(name) != new[name]]
    if changed:
        audit.record(
            actor=actor,
            action=f"{what}.changed",
            entity=row,
            old={name: "(hidden)" if name in hidden else old.get(name) for name in changed},
            new={name: "(changed)" if name in hidden else new[name] for name in changed},
        )


def customers_of_domains(domains: Iterable[str]) -> dict[str, int]:
    """Domain -> customer id, for the domains that belong to somebody."""
    wanted = sorted({domain for domain in domains if domain and not is_public(domain)})
    rows = CustomerDomain.objects.filter(domain__in=wanted).values_list("domain", "customer_id")
    return dict(rows)
