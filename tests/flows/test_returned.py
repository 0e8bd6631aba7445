"""What comes back of our own mail changes the row that says it was sent, and only with proof."""

import pytest

from emailflow.inbound import house
from emailflow.models import Mailbox, Message, Outcome, Outgoing, Suppression
from emailflow.outbound.send import send_all
from tests.flows.conftest import Deliver
from tests.mails import mail
from tests.smtpsink import Sink
from tickets.models import Comment, Ticket

CUSTOMER = "ole@nordwind.example"


@pytest.fixture
def sent(deliver: Deliver, mailbox: Mailbox, sink: Sink) -> Outgoing:
    """An acknowledgement that the mail server has taken."""
    Mailbox.objects.filter(pk=mailbox.pk).update(plus_addressing=True)
    house.forget()
    deliver(mail("Help", sender=CUSTOMER))
    send_all()
    return Outgoing.objects.get()


def _report(
    sent: Outgoing, *, to: str = "support@hub.example", message_id: str | None = None, recipient: str = CUSTOMER,
    action: str = "failed", status: str = "5.1.1", diagnostic: str = "550 5.1.1 no such user here",
) -> bytes:  # fmt: skip
    """As Postfix writes it (RFC 3464)."""
    original = sent.header_message_id if message_id is None else message_id
    lines = [
        "From: MAILER-DAEMON@mx.nordwind.example (Mail Delivery System)", f"To: {to}",
        "Subject: Undelivered Mail Returned to Sender", "Auto-Submitted: auto-replied",
        "Message-ID: <report@mx.nordwind.example>", "Date: Sat, 21 Nov 2026 10:00:00 +0000", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "", "--b",
        "Content-Type: text/plain", "", f"<{recipient}>: {diagnostic}", "", "--b",
        "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.nordwind.example", "",
        f"Final-Recipient: rfc822; {recipient}", f"Action: {action}", f"Status: {status}",
        f"Diagnostic-Code: smtp; {diagnostic}", "", "--b", "Content-Type: text/rfc822-headers", "",
        f"Message-ID: {original}", f"To: {recipient}", "Subject: x", "", "--b--", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("way", ["verp", "message id", "token"])
def test_a_hard_bounce_marks_the_row_and_only_its_own_address_proves_enough_to_suppress(
    deliver: Deliver, sent: Outgoing, way: str
) -> None:
    assert sent.ticket is not None
    ways = {
        "verp": _report(sent, to=sent.envelope_from, message_id=""),
        "message id": _report(sent),
        "token": _report(sent, to=str(sent.headers["Reply-To"]), message_id=""),
    }

    report = deliver(ways[way])

    sent.refresh_from_db()
    assert (sent.state, "5.1.1" in sent.reason) == ("bounced", True)
    # The others are known to everybody in the thread: one of them could cut off another.
    assert list(Suppression.objects.values_list("address", flat=True)) == ([CUSTOMER] if way == "verp" else [])
    assert (report.outcome, report.ticket) == (Outcome.BOUNCE, sent.ticket)
    assert Ticket.objects.count() == 1
    assert Outgoing.objects.count() == 1, "a report is never answered"
    note = Comment.objects.get(system_code="bounce")
    assert (note.is_internal, note.is_unverified) == (True, False)


def test_a_soft_bounce_marks_the_row_but_the_address_stays_open(deliver: Deliver, sent: Outgoing) -> None:
    deliver(_report(sent, status="5.2.2", diagnostic="552 5.2.2 mailbox full"))

    sent.refresh_from_db()
    assert (sent.state, Suppression.objects.count()) == ("bounced", 0)


def test_of_two_recipients_the_one_whose_address_it_came_back_to_is_marked(deliver: Deliver, sent: Outgoing) -> None:
    other = Outgoing.objects.get(pk=sent.pk)
    other.pk, other.dedupe_key, other.recipient = None, "other", "other@nordwind.example"
    other.envelope_from = sent.envelope_from.replace("-n", "-n9")
    other.save()

    deliver(_report(sent, to=sent.envelope_from.lower(), message_id="", recipient="forwarded@elsewhere.example"))

    assert list(Outgoing.objects.order_by("id").values_list("state", flat=True)) == ["bounced", "sent"]


def test_a_warning_of_a_delay_changes_nothing(deliver: Deliver, sent: Outgoing) -> None:
    deliver(_report(sent, action="delayed", status="4.4.1", diagnostic="connection timed out"))

    sent.refresh_from_db()
    assert (sent.state, Suppression.objects.count()) == ("sent", 0)


def test_a_report_that_returns_nothing_of_ours_suppresses_nobody(deliver: Deliver, sent: Outgoing) -> None:
    """Anybody could have written it."""
    deliver(_report(sent, message_id="<made-up@nordwind.example>"))

    sent.refresh_from_db()
    assert (sent.state, Suppression.objects.count()) == ("sent", 0)


def test_a_true_message_id_with_another_recipient_suppresses_nobody(deliver: Deliver, sent: Outgoing) -> None:
    """A participant knows the Message-ID; it does not let them cut off somebody else."""
    deliver(_report(sent, recipient="victim@other.example"))

    sent.refresh_from_db()
    assert (sent.state, Suppression.objects.count()) == ("sent", 0)


def test_the_plain_address_of_the_mailbox_proves_nothing(deliver: Deliver, sent: Outgoing) -> None:
    """A mailbox without plus-addressing: who takes part knows the token, and everybody knows the address."""
    token = str(sent.headers["Reply-To"])
    Outgoing.objects.filter(pk=sent.pk).update(envelope_from="support@hub.example")

    deliver(_report(sent, to=f"support@hub.example, {token}", message_id="", recipient=CUSTOMER))

    assert not Suppression.objects.exists()


def test_a_bounce_of_a_bounce_ends_there(deliver: Deliver, sent: Outgoing) -> None:
    deliver(_report(sent))
    again = deliver(_report(sent, message_id="<report@mx.nordwind.example>", recipient="support@hub.example"))

    assert again.outcome in (Outcome.BOUNCE, Outcome.DUPLICATE)
    assert (Outgoing.objects.count(), Ticket.objects.count(), Message.objects.filter(state="failed").count()) == (
        1,
        1,
        0,
    )
