"""The people of a group of mails: contacts, their customers, and which of them are our own staff.

Read once for the whole group; who is new becomes a contact only when a ticket or comment needs one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Self

from django.db.models.functions import Lower

from emailflow.inbound.house import House
from emailflow.inbound.work import Work
from emailflow.mail import Address
from tickets.models import Contact, Ticket, User
from tickets.services.customers import customers_of_domains
from tickets.services.unit import UnitOfWork

MAX_OTHERS = 50
MAX_ADDRESS = 320  # some real ones are longer than the RFC allows


def requester_of(work: Work, house: House) -> Address:
    """The sender; for a web form that the mailbox lists, its Reply-To."""
    mailbox = house.mailboxes[work.message.mailbox_id]
    forms = {str(address).strip().lower() for address in mailbox.form_senders}
    if work.mail.sender.key in forms and work.mail.reply_to:
        return work.mail.reply_to[0]
    return work.mail.sender


def is_usable(address: str) -> bool:
    """Whether somebody can be known by it: RFC 5321 section 4.5.3.1 allows 254 octets, and an index 2,700 bytes."""
    return "@" in address and len(address.encode("utf-8", "replace")) <= MAX_ADDRESS and not re.search(r"\s", address)


class People:
    def __init__(self) -> None:
        self._contacts: dict[str, Contact] = {}
        self._customers: dict[str, int] = {}
        self._staff: frozenset[str] = frozenset()

    @classmethod
    def load(cls, works: Sequence[Work], house: House, tickets: Iterable[Ticket]) -> Self:
        """At most three statements: contacts, domains of unknown addresses, staff among the CCs."""
        people = cls()
        for ticket in tickets:
            if ticket.contact is not None:
                people._contacts[ticket.contact.email] = ticket.contact
        others = {address.key for work in works for address in people.others_of(work, house)}
        wanted = {requester_of(work, house).key for work in works if work.reaches_rules} | others
        missing = {address for address in wanted if "@" in address} - set(people._contacts)
        if missing:
            for contact in Contact.objects.filter(email__in=missing):
                people._contacts[contact.email] = contact
        unknown = missing - set(people._contacts)
        if unknown:
            people._customers = customers_of_domains(address.rpartition("@")[2] for address in unknown)
        if others:
            staff = User.objects.annotate(address=Lower("email")).filter(address__in=others, is_active=True)
            people._staff = frozenset(staff.values_list("address", flat=True))
        return people

    def known(self, address: str) -> Contact | None:
        """The contact, known or about to be; the customer of somebody new is that of the domain."""
        contact = self._contacts.get(address)
        if contact is None and address.rpartition("@")[2] in self._customers:
            return Contact(email=address, customer_id=self._customers[address.rpartition("@")[2]])
        return contact

    def contact(self, person: Address, unit: UnitOfWork, *, believed: bool) -> Contact | None:
        """The contact for an address, made in this transaction where missing. None without a usable address.

        Somebody who is not ``believed`` to be the sender names neither the person nor the customer.
        """
        if not is_usable(person.key):
            return None
        found = self._contacts.get(person.key)
        if found is None:
            domain = person.key.rpartition("@")[2]
            found = Contact(
                email=person.key,
                name=person.name[:200] if believed else "",
                customer_id=self._customers.get(domain) if believed else None,
            )
            self._contacts[person.key] = found
            unit.contact(found)
            unit.on_cut(lambda: self._contacts.pop(person.key))
        return found

    def others_of(self, work: Work, house: House) -> list[Address]:
        """To and Cc but us and the requester, each once."""
        skip = house.addresses | {requester_of(work, house).key, ""}
        found: dict[str, Address] = {}
        for address in (*work.mail.to, *work.mail.cc):
            if address.key not in skip and is_usable(address.key):
                found.setdefault(address.key, address)
        return list(found.values())[:MAX_OTHERS]

    def is_staff(self, address: str) -> bool:
        return address in self._staff

    def same_customer(self, address: str, contact: Contact) -> bool:
        other = self.known(address)
        return other is not None and other.customer_id is not None and other.customer_id == contact.customer_id
