"""Finding a ticket is not joining it: strangers stay outside, whatever they know."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from emailflow.models import Mailbox, Message, Outcome, Workflow
from emailflow.services.messages import make_ticket
from emailflow.services.workflows import save_workflow
from emailflow.workflow import store
from emailflow.workflow.base import Step
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets import tokens
from tickets.actors import Actor
from tickets.models import Contact, Customer, CustomerDomain, Participant, Status, Ticket, User

pytestmark = pytest.mark.django_db

STRANGER = "Eve <eve@elsewhere.example>"


@pytest.fixture
def ticket(deliver: Deliver) -> Ticket:
    found = deliver(mail(subject="Secret", message_id="<first@nordwind.example>")).ticket
    assert found is not None
    return found


def follow_up(deliver: Deliver, ticket: Ticket, **extra: object) -> Message:
    arguments: dict[str, object] = {"text": "again", "subject": f"Re: [{ticket.ticket_number}] Secret"} | extra
    return deliver(mail(**arguments))  # type: ignore[arg-type]


def test_stranger_with_number_is_linked_unverified_and_never_a_recipient(deliver: Deliver, ticket: Ticket) -> None:
    message = follow_up(deliver, ticket, sender=STRANGER)

    assert (message.ticket, message.outcome) == (ticket, Outcome.LINKED)
    comment = ticket.comments.get(is_unverified=True)
    assert comment.remarks[0].startswith("Not verified: ")
    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]


def test_stranger_does_not_reopen_or_answer_for_the_customer(deliver: Deliver, ticket: Ticket) -> None:
    Ticket.objects.update(status=Status.WAITING_CUSTOMER)

    follow_up(deliver, ticket, sender=STRANGER)

    ticket.refresh_from_db()
    assert ticket.status == Status.WAITING_CUSTOMER


def test_stranger_on_a_closed_ticket_opens_a_new_one_so_that_somebody_sees_it(deliver: Deliver, ticket: Ticket) -> None:
    Ticket.objects.update(status=Status.CLOSED, closed_at=timezone.now())

    message = follow_up(deliver, ticket, sender=STRANGER)

    assert message.outcome == Outcome.TICKET_CREATED
    assert message.ticket != ticket


def test_stranger_policy_new_ticket(deliver: Deliver, ticket: Ticket, settings: LazySettings) -> None:
    settings.TICKET_STRANGER_POLICY = "new_ticket"

    message = follow_up(deliver, ticket, sender=STRANGER)

    assert message.outcome == Outcome.TICKET_CREATED
    assert ticket.comments.count() == 1


def test_stranger_policy_hold(deliver: Deliver, ticket: Ticket, settings: LazySettings) -> None:
    settings.TICKET_STRANGER_POLICY = "hold"

    message = follow_up(deliver, ticket, sender=STRANGER)

    assert (message.outcome, message.ticket) == (Outcome.UNROUTED, None)
    assert ticket.ticket_number in message.last_error


def test_held_mail_becomes_a_ticket_of_its_own_when_a_person_says_so(
    deliver: Deliver, ticket: Ticket, settings: LazySettings
) -> None:
    settings.TICKET_STRANGER_POLICY = "hold"
    message = follow_up(deliver, ticket, sender=STRANGER)

    made = make_ticket(actor=Actor.of_system("test"), message=message)

    assert (made.outcome, made.ticket is not None) == (Outcome.TICKET_CREATED, True)
    assert made.ticket != ticket


def test_colleague_of_the_requester_joins(deliver: Deliver) -> None:
    customer = Customer.objects.create(name="Nordwind")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    ticket = deliver(mail(subject="Secret")).ticket
    assert ticket is not None

    follow_up(deliver, ticket, sender="lars@nordwind.example")

    assert not ticket.comments.filter(is_unverified=True).exists()
    # No verdict of our own server: he joins, and is not added to the recipients.
    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]


def test_colleague_whose_sender_is_confirmed_gets_the_answers_too(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    customer = Customer.objects.create(name="Nordwind")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    ticket = deliver(mail(subject="Secret")).ticket
    assert ticket is not None
    verdict = {"Authentication-Results": "mx.hub.example; dmarc=pass header.from=nordwind.example"}

    follow_up(deliver, ticket, sender="lars@nordwind.example", headers=verdict)

    assert dict(ticket.participants.values_list("address", "state"))["lars@nordwind.example"] == "confirmed"


def test_requesters_address_with_failed_authentication_is_a_stranger(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    ticket = deliver(mail(subject="Secret")).ticket
    assert ticket is not None
    verdict = {"Authentication-Results": "mx.hub.example; dmarc=fail header.from=nordwind.example"}

    follow_up(deliver, ticket, headers=verdict)

    assert ticket.comments.filter(is_unverified=True, sender_verdict="fail").count() == 1


def test_customer_that_staff_set_on_the_ticket_invites_nobody(deliver: Deliver, ticket: Ticket) -> None:
    customer = Customer.objects.create(name="Elsewhere")
    Contact.objects.create(email="eve@elsewhere.example", customer=customer)
    Ticket.objects.filter(pk=ticket.pk).update(customer=customer)

    follow_up(deliver, ticket, sender=STRANGER)

    assert ticket.comments.filter(is_unverified=True).count() == 1


@pytest.mark.parametrize(("state", "unverified"), [("confirmed", False), ("pending", True), ("refused", True)])
def test_only_confirmed_participants_take_part(deliver: Deliver, ticket: Ticket, state: str, unverified: bool) -> None:
    Participant.objects.create(
        ticket=ticket, address="eve@elsewhere.example", role="cc", state=state, created_at=timezone.now()
    )

    follow_up(deliver, ticket, sender=STRANGER)

    assert ticket.comments.filter(is_unverified=True).exists() is unverified


def test_refused_requester_is_a_stranger(deliver: Deliver, ticket: Ticket) -> None:
    Participant.objects.filter(ticket=ticket).update(state="refused")

    follow_up(deliver, ticket)

    assert ticket.comments.filter(is_unverified=True).exists()


def test_customers_answer_wakes_a_waiting_ticket(deliver: Deliver, ticket: Ticket) -> None:
    Ticket.objects.update(status=Status.WAITING_CUSTOMER)

    follow_up(deliver, ticket)

    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN


def close(ticket: Ticket, days_ago: int = 0) -> None:
    moment = timezone.now() - timedelta(days=days_ago)
    Ticket.objects.filter(pk=ticket.pk).update(status=Status.CLOSED, closed_at=moment, resolved_at=moment)


@pytest.mark.parametrize(
    ("policy", "days_ago", "reopens"),
    [("reopen", 400, True), ("new", 0, False), ("reopen_days", 3, True), ("reopen_days", 40, False)],
)
def test_follow_up_policy_of_the_mailbox(
    deliver: Deliver, mailbox: Mailbox, ticket: Ticket, policy: str, days_ago: int, reopens: bool
) -> None:
    mailbox.follow_up = policy
    mailbox.save()
    close(ticket, days_ago)

    message = follow_up(deliver, ticket)

    ticket.refresh_from_db()
    assert (message.ticket == ticket) is reopens
    assert ticket.is_open is reopens
    if not reopens:
        assert message.ticket is not None
        assert message.ticket.custom_fields["follow_up_of"] == ticket.ticket_number
    else:
        assert ticket.closed_at is None


def test_out_of_office_becomes_a_note_and_reopens_nothing(deliver: Deliver, ticket: Ticket) -> None:
    close(ticket)

    message = follow_up(deliver, ticket, headers={"Auto-Submitted": "auto-replied"}, text="I am away.")

    ticket.refresh_from_db()
    assert (message.outcome, ticket.status) == (Outcome.AUTO_REPLY, Status.CLOSED)
    note = ticket.comments.get(is_internal=True)
    assert (note.system_code, note.body_text.strip()) == ("auto_reply", "I am away.")


def test_bounce_is_a_note_on_its_ticket_and_never_a_ticket(deliver: Deliver, ticket: Ticket) -> None:
    report = (
        b"From: MAILER-DAEMON@mx.example\nTo: support@hub.example\nSubject: Undelivered Mail Returned to Sender\n"
        b"Return-Path: <>\nMessage-ID: <dsn1@mx.example>\nDate: Mon, 15 Dec 2025 10:00:00 +0000\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\nMIME-Version: 1.0\n\n'
        b"--b\nContent-Type: text/plain\n\nYour mail could not be delivered.\n"
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        b"Final-Recipient: rfc822; gone@nordwind.example\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n"
        b"--b\nContent-Type: message/rfc822\n\nMessage-ID: <first@nordwind.example>\n"
        b"From: support@hub.example\nTo: gone@nordwind.example\nSubject: x\n\nhello\n--b--\n"
    )

    message = deliver(report)

    assert (message.kind, message.outcome, message.ticket) == ("bounce", Outcome.BOUNCE, ticket)
    note = ticket.comments.get(is_internal=True)
    assert note.is_unverified  # the original's Message-ID is the customer's: anybody may know it
    assert note.system_params["recipients"] == ["gone@nordwind.example"]
    assert note.system_params["status"] == "5.1.1"
    assert Ticket.objects.count() == 1


def test_what_we_sent_ourselves_is_a_loop_and_is_ignored(deliver: Deliver, ticket: Ticket) -> None:
    ours = tokens.thread_message_id(ticket.ticket_number, "17", "hub.example")

    message = follow_up(deliver, ticket, sender="support@hub.example", message_id=ours)

    assert (message.kind, message.outcome) == ("loop", Outcome.IGNORED)
    assert ticket.comments.count() == 1


def test_person_who_writes_from_one_of_our_addresses_is_left_to_staff(deliver: Deliver, ticket: Ticket) -> None:
    message = follow_up(deliver, ticket, sender="support@hub.example")

    assert (message.kind, message.outcome, message.ticket) == ("loop", Outcome.UNROUTED, None)
    assert "one of our own" in message.last_error


def link_rule(number: str) -> None:
    rule = Workflow(name="Move", classification_trigger="*", confidence_threshold=0, order=1)
    steps = [Step("link_email_to_ticket", {"ticket_number": number})]
    save_workflow(actor=Actor.of_system("test"), workflow=rule, conditions=[], steps=steps)
    store.forget()


def test_rule_that_links_a_stranger_opens_no_door(deliver: Deliver, ticket: Ticket) -> None:
    close(ticket)
    link_rule(ticket.ticket_number)

    message = deliver(mail(sender=STRANGER))

    ticket.refresh_from_db()
    assert (message.ticket, ticket.status) == (ticket, Status.CLOSED)
    assert ticket.comments.get(author_contact__email="eve@elsewhere.example").is_unverified
    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]


def test_rule_that_moves_a_member_of_one_ticket_makes_no_member_of_another(
    deliver: Deliver, mailbox: Mailbox, ticket: Ticket
) -> None:
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    customer = Customer.objects.create(name="Elsewhere")
    CustomerDomain.objects.create(customer=customer, domain="elsewhere.example")
    theirs = deliver(mail(sender=STRANGER, message_id="<theirs@elsewhere.example>")).ticket
    assert theirs is not None
    link_rule(ticket.ticket_number)
    verdict = {"Authentication-Results": "mx.hub.example; dmarc=pass header.from=elsewhere.example"}

    message = deliver(mail(sender="adam@elsewhere.example", in_reply_to="<theirs@elsewhere.example>", headers=verdict))

    assert message.ticket == ticket
    assert ticket.comments.get(author_contact__email="adam@elsewhere.example").is_unverified
    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]


@pytest.fixture
def form(mailbox: Mailbox) -> dict[str, object]:
    """A web form whose own mail is authenticated; what its visitor writes into Reply-To is not."""
    mailbox.form_senders = ["form@site.example"]
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    customer = Customer.objects.create(name="Nordwind")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    passed = "mx.hub.example; dmarc=pass header.from=site.example"
    return {"sender": "form@site.example", "Authentication-Results": passed}


def through(form: dict[str, object], reply_to: str) -> dict[str, object]:
    headers = {"Reply-To": reply_to, "Authentication-Results": str(form["Authentication-Results"])}
    return {"sender": str(form["sender"]), "headers": headers}


def test_requester_who_uses_the_form_twice_is_known(deliver: Deliver, form: dict[str, object]) -> None:
    ticket = deliver(mail(**through(form, "mette@nordwind.example"))).ticket  # type: ignore[arg-type]
    assert ticket is not None

    follow_up(deliver, ticket, **through(form, "mette@nordwind.example"))

    assert not ticket.comments.filter(is_unverified=True).exists()


def test_form_vouches_for_nobody_who_could_become_a_recipient(deliver: Deliver, form: dict[str, object]) -> None:
    ticket = deliver(mail(**through(form, "mette@nordwind.example"))).ticket  # type: ignore[arg-type]
    assert ticket is not None

    follow_up(deliver, ticket, **through(form, "anyone@nordwind.example"))

    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]
    assert set(ticket.comments.values_list("sender_verdict", flat=True)) == {"none"}


def test_forged_form_speaks_for_nobody(deliver: Deliver, form: dict[str, object]) -> None:
    ticket = deliver(mail(**through(form, "mette@nordwind.example"))).ticket  # type: ignore[arg-type]
    assert ticket is not None
    forged = form | {"Authentication-Results": "mx.hub.example; dmarc=fail header.from=site.example"}

    follow_up(deliver, ticket, **through(forged, "mette@nordwind.example"))

    assert ticket.comments.filter(is_unverified=True).count() == 1


def in_one_group(deliver: Deliver, *raws: bytes) -> None:
    for raw in raws[:-1]:
        deliver(raw, process=False)
    deliver(raws[-1])


def test_refused_stays_refused_for_an_answer_to_a_mail_of_the_same_group(deliver: Deliver) -> None:
    customer = Customer.objects.create(name="Nordwind")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    ticket = deliver(mail(message_id="<first@nordwind.example>")).ticket
    assert ticket is not None
    Participant.objects.create(
        ticket=ticket, address="lars@nordwind.example", role="cc", state="refused", created_at=timezone.now()
    )

    in_one_group(
        deliver,
        mail("one", message_id="<second@nordwind.example>", in_reply_to="<first@nordwind.example>"),
        mail("two", sender="lars@nordwind.example", in_reply_to="<second@nordwind.example>"),
    )

    assert ticket.comments.get(author_contact__email="lars@nordwind.example").is_unverified


@pytest.mark.parametrize("known", [True, False])
def test_confirmed_cc_is_no_stranger_in_a_group(deliver: Deliver, known: bool) -> None:
    User.objects.create_user("bo", email="bo@hub.example")
    first = mail("one", cc="bo@hub.example", message_id="<first@nordwind.example>")
    answer = mail("two", sender="bo@hub.example", in_reply_to="<second@nordwind.example>")
    second = mail("again", message_id="<second@nordwind.example>", in_reply_to="<first@nordwind.example>")
    if known:
        deliver(first)
        in_one_group(deliver, second, answer)
    else:
        in_one_group(deliver, first, second, answer)

    ticket = Ticket.objects.get()
    assert ticket.comments.count() == 3
    assert not ticket.comments.filter(is_unverified=True).exists()


REPORT = (
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\nMIME-Version: 1.0\n\n'
    "--b\nContent-Type: text/html\n\n<p>Please wire money</p>\n"
    "--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\n"
    "Status: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: {returned}\nSubject: x\n\nhello\n"
    '--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename="invoice.pdf"\n\n%PDF-1.4\n--b--\n'
)


def test_forged_delivery_report_brings_no_files_and_says_that_it_proves_nothing(
    deliver: Deliver, ticket: Ticket
) -> None:
    head = f"From: {STRANGER}\nTo: support@hub.example\nSubject: [{ticket.ticket_number}] failed\n"
    deliver((head + REPORT.format(returned="<unknown@x.example>")).encode())

    note = ticket.comments.get(is_internal=True)
    assert (note.is_unverified, note.body_html, note.attachments.count()) == (True, "", 0)
    assert "returns no mail of ours" in note.remarks[0]


def test_report_that_returns_our_signed_mail_is_believed(deliver: Deliver, ticket: Ticket) -> None:
    ours = tokens.thread_message_id(ticket.ticket_number, "17", "hub.example")
    head = "From: MAILER-DAEMON@mx.example\nTo: support@hub.example\nSubject: failed\n"
    deliver((head + REPORT.format(returned=ours)).encode())

    assert ticket.comments.get(is_internal=True).is_unverified is False


@pytest.mark.parametrize("part", ["message/delivery-status", "message/feedback-report"])
def test_person_who_passes_a_report_on_gets_a_ticket(deliver: Deliver, part: str) -> None:
    raw = (
        "From: Mette <mette@nordwind.example>\nTo: support@hub.example\nSubject: my mails come back\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        f"Please help, my mails bounce.\n--b\nContent-Type: {part}\n\nFinal-Recipient: rfc822; a@b.example\n"
        "Action: failed\nStatus: 5.1.1\nFeedback-Type: abuse\n--b--\n"
    )

    assert deliver(raw.encode()).outcome == Outcome.TICKET_CREATED


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_stranger_on_a_ticket_that_is_done_is_seen(deliver: Deliver, ticket: Ticket, status: str) -> None:
    Ticket.objects.update(status=status)

    assert follow_up(deliver, ticket, sender=STRANGER).outcome == Outcome.TICKET_CREATED


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_machine_made_answer_to_a_ticket_that_is_done_is_seen(deliver: Deliver, ticket: Ticket, status: str) -> None:
    Ticket.objects.update(status=status)

    message = follow_up(deliver, ticket, headers={"Auto-Submitted": "auto-generated"})

    assert message.outcome == Outcome.TICKET_CREATED


def test_copied_message_id_steals_no_follow_up(deliver: Deliver, ticket: Ticket) -> None:
    theirs = deliver(mail(sender=STRANGER, message_id="<first@nordwind.example>", subject="mine now")).ticket

    message = deliver(mail("the password is", in_reply_to="<first@nordwind.example>"))

    assert theirs is not None and theirs != ticket
    assert message.ticket == ticket


def test_copied_message_id_steals_no_follow_up_within_a_group(deliver: Deliver) -> None:
    in_one_group(
        deliver,
        mail("eve", sender=STRANGER, message_id="<same@nordwind.example>", subject="Eve"),
        mail("mette", message_id="<same@nordwind.example>", subject="Mette"),
        mail("the password is", in_reply_to="<same@nordwind.example>"),
    )

    ticket = Ticket.objects.get(subject="Mette")
    assert ticket.comments.count() == 2


def test_form_that_writes_as_the_mailbox_itself_is_no_loop(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.form_senders = ["support@hub.example"]
    mailbox.save()

    message = deliver(mail(sender="support@hub.example", headers={"Reply-To": "kim@x.example"}))

    assert message.ticket is not None and message.ticket.contact is not None
    assert message.ticket.contact.email == "kim@x.example"


@pytest.mark.parametrize(
    "sender", ["mette@nordwind.example, x@evil.example", "mette@nordwind.example"], ids=["two", "other domain"]
)
def test_sender_that_our_server_read_otherwise_is_a_stranger(deliver: Deliver, mailbox: Mailbox, sender: str) -> None:
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    ticket = deliver(mail()).ticket
    assert ticket is not None
    verdict = {"Authentication-Results": "mx.hub.example; dmarc=fail header.from=evil.example"}

    follow_up(deliver, ticket, sender=sender, headers=verdict)

    assert ticket.comments.filter(is_unverified=True).count() == 1


def test_sender_who_is_not_believed_names_neither_contact_nor_customer(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    customer = Customer.objects.create(name="Nordwind")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    verdict = {"Authentication-Results": "mx.hub.example; dmarc=fail header.from=nordwind.example"}

    deliver(mail(sender="HACKED <ceo@nordwind.example>", headers=verdict))

    contact = Contact.objects.get(email="ceo@nordwind.example")
    assert (contact.name, contact.customer) == ("", None)


def test_letter_that_only_looks_like_one_of_ours_is_another_address(deliver: Deliver, ticket: Ticket) -> None:
    kim = deliver(mail(sender="kim@k.example", subject="K")).ticket
    assert kim is not None

    deliver(
        mail(subject=f"[{kim.ticket_number}]", sender="kim@k.example").replace(
            b"kim@k.example", "kim@\u212a.example".encode(), 1
        )
    )

    assert kim.comments.filter(is_unverified=True).count() == 1
