"""A mail becomes a ticket."""

import pytest

from emailflow.models import Message, Outcome, State
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets.models import EmailLog, Participant, User

pytestmark = pytest.mark.django_db


def test_mail_opens_a_ticket_with_number_requester_and_thread(deliver: Deliver) -> None:
    message = deliver(mail("Our internet is down. Can you help?", subject="Help with network issue"))

    assert (message.state, message.outcome, message.last_error) == (State.PROCESSED, Outcome.TICKET_CREATED, "")
    ticket = message.ticket
    assert ticket is not None
    assert ticket.ticket_number.startswith("TKT-")
    assert ticket.priority == "normal"
    assert list(ticket.tags.all()) == []
    assert ticket.contact is not None and ticket.contact.email == "mette@nordwind.example"
    comment = ticket.comments.get()
    assert comment.body_text.strip() == "Our internet is down. Can you help?"
    assert comment.author_contact == ticket.contact
    log = EmailLog.objects.get(ticket=ticket)
    assert (log.is_reply, log.email_message_id) == (False, message.message_id)
    assert Participant.objects.get(ticket=ticket).state == "confirmed"
    assert Message.objects.get().pk == message.pk
    assert User.objects.count() == 0
