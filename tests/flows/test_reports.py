"""What mail servers report becomes a note on its ticket that says it in words, and never a ticket of its own."""

import pytest

from emailflow.models import Outcome
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets import tokens
from tickets.models import Ticket

pytestmark = pytest.mark.django_db

WORDS = {
    "failed": "Mail to mette@nordwind.example was not delivered: The mailbox is full (5.2.2).",
    "delayed": "Mail to mette@nordwind.example is delayed: The mailbox is full; it will be tried again by the mail "
    "server (4.2.2).",
    "delivered": "Mail to mette@nordwind.example was delivered.",
}
CODES = {"failed": "5.2.2", "delayed": "4.2.2", "delivered": "2.0.0"}
NAMES = {"failed": "bounce", "delayed": "delay", "delivered": "success"}


def _report(kind: str, part: str, returned: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example\nTo: support@hub.example\nSubject: Mail status\nReturn-Path: <>\n"
        f"Message-ID: <{kind}@mx.example>\nDate: Mon, 15 Dec 2025 10:00:00 +0000\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nSee below.\n"
        f"--b\nContent-Type: message/{kind}\n\n{part}\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {returned}\nTo: mette@nordwind.example\n--b--\n"
    ).encode()


@pytest.fixture
def ours(deliver: Deliver) -> str:
    """The Message-ID of an answer of ours on the only ticket."""
    ticket = deliver(mail(subject="Help", message_id="<first@nordwind.example>")).ticket
    assert ticket is not None
    return tokens.thread_message_id(ticket.ticket_number, "17", "hub.example")


@pytest.mark.parametrize("action", WORDS)
def test_each_delivery_report_is_a_note_that_says_it_in_words(deliver: Deliver, ours: str, action: str) -> None:
    fields = f"Final-Recipient: rfc822; mette@nordwind.example\nAction: {action}\nStatus: {CODES[action]}"

    message = deliver(_report("delivery-status", fields, ours))

    ticket = Ticket.objects.get()
    assert (message.kind, message.outcome, message.ticket) == ("bounce", Outcome.BOUNCE, ticket)
    note = ticket.comments.get(is_internal=True)
    assert not note.is_unverified
    assert (note.system_params["report"], note.system_params["words"]) == (NAMES[action], WORDS[action])


@pytest.mark.parametrize("action", WORDS)
def test_a_delivery_report_about_no_mail_of_ours_opens_no_ticket(deliver: Deliver, action: str) -> None:
    fields = f"Final-Recipient: rfc822; mette@nordwind.example\nAction: {action}\nStatus: {CODES[action]}"

    message = deliver(_report("delivery-status", fields, "<unknown@x.example>"))

    assert (message.outcome, Ticket.objects.count()) == (Outcome.BOUNCE, 0)


def test_a_complaint_finds_the_ticket_of_the_mail_that_it_is_about(deliver: Deliver, ours: str) -> None:
    fields = "Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\nOriginal-Rcpt-To: <mette@nordwind.example>"

    message = deliver(_report("feedback-report", fields, ours))

    ticket = Ticket.objects.get()
    assert (message.kind, message.outcome, message.ticket) == ("complaint", Outcome.BOUNCE, ticket)
    note = ticket.comments.get(is_internal=True)
    assert note.system_params["words"] == "mette@nordwind.example reported our mail as spam."
