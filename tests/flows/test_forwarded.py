"""A mail that somebody forwarded: whoever wrote it first can be made the requester with one button."""

import pytest

from tests.adminkit import agent, browser, told
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets.models import Participant, ParticipantState, Ticket

FORWARDED = """See below.

---------- Forwarded message ---------
From: Ole Berg <ole@kunde.example>
Date: Mon, 2 Mar 2026 at 10:11
Subject: The lift
To: <anna@nordwind.example>

It stands still.
"""


@pytest.fixture
def ticket(deliver: Deliver) -> Ticket:
    found = deliver(mail(FORWARDED, subject="Fwd: The lift", sender="anna@nordwind.example")).ticket
    assert found is not None
    return found


def test_who_wrote_first_becomes_the_requester_and_the_forwarder_stays(ticket: Ticket) -> None:
    window, page = browser(agent()), f"/admin/tickets/ticket/{ticket.pk}/"
    assert "Make ole@kunde.example the requester" in window.get(page + "change/").content.decode()

    done = window.post(page + "requester/", follow=True)

    ticket.refresh_from_db()
    assert told(done) == ["ole@kunde.example is the requester now."]
    assert ticket.contact is not None
    assert (ticket.contact.email, ticket.contact.name) == ("ole@kunde.example", "Ole Berg")
    roles = dict(Participant.objects.filter(ticket=ticket).values_list("address", "role"))
    assert (roles["ole@kunde.example"], roles["anna@nordwind.example"]) == ("requester", "cc")
    assert "Make ole@kunde.example" not in done.content.decode()


def test_an_address_that_was_refused_does_not_come_back_this_way(ticket: Ticket) -> None:
    Participant.objects.create(
        ticket=ticket,
        address="ole@kunde.example",
        role="cc",
        state=ParticipantState.REFUSED,
        created_at=ticket.created_at,
    )

    done = browser(agent()).post(f"/admin/tickets/ticket/{ticket.pk}/requester/", follow=True)

    ticket.refresh_from_db()
    assert "stays refused" in told(done)[0]
    assert ticket.contact is not None
    assert ticket.contact.email == "anna@nordwind.example"
