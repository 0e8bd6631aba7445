"""Tells somebody who opened a ticket by mail its number. Called by ``inbound.apply``, inside its transaction."""

from datetime import timedelta

from emailflow.inbound.house import House
from emailflow.inbound.people import is_usable, requester_of
from emailflow.inbound.work import Work
from emailflow.mail import Verdict
from emailflow.outbound import guard
from emailflow.outbound.notify import Notices, Opened
from tickets.models import Ticket
from tickets.services.unit import UnitOfWork

# What was older when it was stored is no news to anybody (a mailbox is connected, a server was down).
STALE = timedelta(hours=12)
NEVER_LIVE = ("import", "test")


def acknowledge(work: Work, ticket: Ticket, *, house: House, unit: UnitOfWork) -> None:
    """Queue the acknowledgement of a ticket that ``work`` has opened, or the reason why there is none.

    Nothing for a mailbox that sends none, and for a mail that names nobody to write to.
    """
    message, mail = work.message, work.mail
    mailbox = house.mailboxes[message.mailbox_id]
    requester = requester_of(work, house)
    if not mailbox.acknowledge or not is_usable(requester.key):
        return
    age = message.stored_at - message.received_at
    refusal = guard.may_acknowledge(
        guard.Incoming(
            mail=mail,
            kind=work.kind,
            kind_reason=work.kind_reason,
            verdict=work.verdict,
            recipient=requester.key,
            our_addresses=house.addresses,
            mailbox=mailbox.slug,
            live=age <= STALE and mailbox.slug not in NEVER_LIVE,
            age=age,
            answers_us=any(signal.rank in (1, 2, 3) for signal in work.signals),
            is_form=requester is not mail.sender,
            by_hand=work.by_hand,
            run=message.run,
        )
    )
    unit.collector(Notices).opened(
        Opened(
            ticket=ticket,
            message_pk=message.pk,
            mailbox=mailbox,
            recipient=requester.key,
            # A name that nobody vouches for is a stranger's text in our mail.
            recipient_name=requester.name if work.verdict is Verdict.PASS else "",
            message_id=mail.message_id,
            references=mail.references,
            refusal=refusal,
        )
    )
