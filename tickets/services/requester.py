"""Who a ticket is for: somebody else than the one whose mail opened it, when that was a forwarded mail."""

from django.conf import settings
from django.utils import timezone

from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError, TicketsAreOff
from tickets.models import Contact, Participant, ParticipantRole, ParticipantState, Ticket
from tickets.services.unit import in_unit, locked
from tickets.storable import storable


def make_requester(*, actor: Actor, ticket: Ticket, address: str, name: str = "") -> Ticket:
    """Make ``address`` the requester; whoever was it stays in the ticket as a copy.

    Locks the ticket; writes ticket, participants, audit rows, and a contact where the address is new. Raises
    ServiceError for what is no address, Conflict for an address that was refused here, TicketsAreOff.
    """
    if not settings.TICKET_ENABLED:
        raise TicketsAreOff
    address = storable(address).strip().lower()
    local, at, domain = address.rpartition("@")
    if not (at and local and domain) or any(char.isspace() for char in address) or len(address) > 320:
        raise ServiceError(f"'{address[:80]}' is not an address.", field="address")
    # Closes the race with a mail of either of them that is being filed on this ticket.
    with in_unit(None) as work:
        ticket = locked(ticket)
        contact, is_new = Contact.objects.get_or_create(email=address, defaults={"name": storable(name)[:200]})
        if is_new:
            audit.record(actor=actor, action="contact.created", entity=contact, ticket_id=ticket.pk)
        if ticket.contact_id == contact.pk:
            return ticket
        people = Participant.objects.select_for_update(no_key=True).filter(ticket=ticket)
        row = people.filter(address=address).first()
        if row is not None and row.state == ParticipantState.REFUSED:
            raise Conflict("This address was refused before, and stays refused.")
        people.filter(role=ParticipantRole.REQUESTER).update(role=ParticipantRole.CC)
        values = {"role": ParticipantRole.REQUESTER, "state": ParticipantState.CONFIRMED}
        Participant.objects.update_or_create(
            ticket=ticket,
            address=address,
            defaults=values,
            create_defaults=values | {"name": contact.name, "added_by": actor.name, "created_at": timezone.now()},
        )
        old = {"contact": ticket.contact_id}
        fields: dict[str, object] = {"contact": contact, "updated_at": timezone.now()}
        if ticket.customer_id is None and contact.customer_id is not None:
            fields["customer"] = contact.customer
        work.change(ticket, fields)
        new = {"contact": contact.pk}
        work.audit(actor=actor, action="ticket.changed", entity=ticket, ticket=ticket, old=old, new=new)
    return ticket
