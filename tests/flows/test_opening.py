"""A mail becomes a ticket, with what staff expect on it."""

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from emailflow.models import Execution, Mailbox, Outcome, State, Workflow
from emailflow.services.workflows import save_workflow
from emailflow.workflow import store
from emailflow.workflow.base import Step
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets import blobs
from tickets.actors import Actor
from tickets.models import AuditEntry, Contact, Customer, CustomerDomain, EmailLog, Participant, Team, Ticket, User
from tickets.search import search

pytestmark = pytest.mark.django_db


def ticket_of(message: object) -> Ticket:
    ticket = getattr(message, "ticket", None)
    assert isinstance(ticket, Ticket), vars(message)
    return ticket


def test_mail_opens_a_ticket_with_number_requester_and_thread(deliver: Deliver) -> None:
    message = deliver(mail("The printer is on fire.", subject="Printer"))

    assert (message.state, message.outcome, message.last_error) == (State.PROCESSED, Outcome.TICKET_CREATED, "")
    ticket = ticket_of(message)
    assert ticket.ticket_number.endswith("-001")
    assert ticket.contact is not None and ticket.contact.email == "mette@nordwind.example"
    comment = ticket.comments.get()
    assert comment.body_text.strip() == "The printer is on fire."
    assert comment.author_contact == ticket.contact
    assert comment.created_at == message.received_at
    log = EmailLog.objects.get(ticket=ticket)
    assert (log.is_reply, log.email_message_id, log.email_from) == (False, message.message_id, "mette@nordwind.example")
    requester = Participant.objects.get(ticket=ticket)
    assert (requester.address, requester.role, requester.state) == ("mette@nordwind.example", "requester", "confirmed")
    assert ticket.description.startswith("From: Mette Lund <mette@nordwind.example>\nReceived: ")
    assert ticket.description.rstrip().endswith("\n\nThe printer is on fire.")
    assert ticket.custom_fields["email_from"] == "mette@nordwind.example"
    assert ticket.custom_fields["email_message_id"] == message.message_id


def test_network_issue_is_normal_untagged_and_goes_to_the_workflows_user(deliver: Deliver) -> None:
    agent = User.objects.create_user("agent")
    rule = Workflow.objects.get(name="Support Request → Ticket")
    save_workflow(
        actor=Actor.of_system("test"),
        workflow=rule,
        conditions=[],
        steps=[Step("create_ticket", {"assigned_to_user_id": agent.pk})],
    )
    store.forget()

    ticket = ticket_of(deliver(mail("Our internet is down. Can you help?", subject="Help with network issue")))

    assert (ticket.priority, list(ticket.tags.all()), ticket.assigned_to_user) == ("normal", [], agent)
    execution = Execution.objects.get(status="success", workflow=rule)
    assert execution.results == [
        {
            "action": "create_ticket",
            "ticket_id": ticket.pk,
            "ticket_number": ticket.ticket_number,
            "created": True,
            "linked": False,
        }
    ]


def test_urgent_mail_is_critical_and_tagged(deliver: Deliver) -> None:
    raw = mail("Production server is down #critical #server", subject="URGENT: Server down!")

    ticket = ticket_of(deliver(raw))

    assert ticket.priority == "critical"
    assert [tag.name for tag in ticket.tags.all()] == ["critical", "server"]
    assert ticket.custom_fields["created_from_email"] is True


def test_attachments_and_inline_images_come_with_the_ticket(deliver: Deliver) -> None:
    ticket = ticket_of(deliver(mail("See the log.", files={"../../log.txt": b"line 1\nline 2\n", "b.bin": b"\0\1"})))

    files = {file.name: file for file in ticket.attachments.all()}
    assert set(files) == {"log.txt", "b.bin"}
    assert (files["log.txt"].size, files["log.txt"].mime_type) == (14, "text/plain")
    assert blobs.read(files["b.bin"].sha256) == b"\0\1"


def test_domain_of_a_customer_names_the_customer(deliver: Deliver) -> None:
    customer = Customer.objects.create(name="Nordwind A/S")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")

    ticket = ticket_of(deliver(mail()))

    assert ticket.customer == customer
    assert Contact.objects.get(email="mette@nordwind.example").customer == customer


def test_public_providers_domain_names_no_customer(deliver: Deliver) -> None:
    CustomerDomain.objects.create(customer=Customer.objects.create(name="Wrong"), domain="gmail.com")

    assert ticket_of(deliver(mail(sender="someone@gmail.com"))).customer is None


def test_ccs_wait_for_staff_unless_they_are_colleagues_or_staff(deliver: Deliver) -> None:
    customer = Customer.objects.create(name="Nordwind A/S")
    CustomerDomain.objects.create(customer=customer, domain="nordwind.example")
    User.objects.create_user("bo", email="Bo@Hub.example")
    raw = mail(cc="lars@nordwind.example, bo@hub.example, eva@competitor.example, support@hub.example")

    ticket = ticket_of(deliver(raw))

    states = dict(ticket.participants.values_list("address", "state"))
    assert states == {
        "mette@nordwind.example": "confirmed",
        "lars@nordwind.example": "confirmed",
        "bo@hub.example": "confirmed",
        "eva@competitor.example": "pending",
    }


def test_web_forms_sender_is_replaced_by_its_reply_to(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.form_senders = ["form@hub-site.example"]
    mailbox.save()
    raw = mail(sender="Form <form@hub-site.example>", headers={"Reply-To": "Ida <ida@home.example>"})

    ticket = ticket_of(deliver(raw))

    assert ticket.contact is not None and ticket.contact.email == "ida@home.example"


def test_ordinary_reply_to_never_becomes_the_requester(deliver: Deliver) -> None:
    ticket = ticket_of(deliver(mail(headers={"Reply-To": "trap@evil.example"})))

    assert [row.address for row in ticket.participants.all()] == ["mette@nordwind.example"]


def test_mailboxes_team_gets_its_tickets(deliver: Deliver, mailbox: Mailbox) -> None:
    mailbox.team = Team.objects.create(name="Network")
    mailbox.save()

    assert ticket_of(deliver(mail())).assigned_team == mailbox.team


def test_mail_without_from_subject_date_or_message_id_is_a_ticket_all_the_same(deliver: Deliver) -> None:
    message = deliver(b"To: support@hub.example\n\nhelp me\n")

    ticket = ticket_of(message)
    assert (ticket.subject, ticket.contact) == ("(no subject)", None)
    assert EmailLog.objects.get(ticket=ticket).email_message_id == f"<{message.sha256}@no-id.invalid>"
    assert ticket.comments.get().remarks


def test_same_bytes_in_one_mailbox_are_one_row(deliver: Deliver) -> None:
    raw = mail()

    first, second = deliver(raw), deliver(raw)

    assert first.pk == second.pk
    assert Ticket.objects.count() == 1


def test_too_large_mail_is_kept_and_shown_as_too_large(deliver: Deliver, settings: LazySettings) -> None:
    settings.MAIL_MAX_BYTES = 2000
    message = deliver(mail("x" * 3000, subject="Big"))

    ticket = ticket_of(message)
    assert (ticket.subject, "too large" in ticket.comments.get().body_text) == ("Big", True)
    assert len(blobs.read(message.sha256)) == message.size


def test_texts_of_a_mail_can_be_found(deliver: Deliver) -> None:
    ticket = ticket_of(
        deliver(mail("Skærmen på kontoret blinker", subject="Monitor", files={"faktura.pdf": b"%PDF-1"}))
    )
    deliver(mail("Noget andet", subject="Andet"))

    for words in ("blinker", "skærmen kontoret", "Moni", "faktura", ticket.ticket_number, "blink"):
        assert list(search(Ticket.objects.all(), words)) == [ticket], words
    assert not search(Ticket.objects.all(), "findesikke").exists()


def test_opening_is_written_into_the_audit_log_without_addresses_or_texts(deliver: Deliver) -> None:
    ticket = ticket_of(deliver(mail("secret words", subject="secret subject")))

    entries = list(AuditEntry.objects.filter(ticket_id=ticket.pk))
    assert {entry.action for entry in entries} == {"ticket.opened", "comment.added"}
    told = " ".join(str([entry.new_values, entry.old_values, entry.actor_name]) for entry in entries)
    assert "secret" not in told and "@" not in told
    assert {entry.actor_type for entry in entries} == {"rule"}


def test_spam_is_ignored_and_makes_no_contact(deliver: Deliver) -> None:
    raw = mail(
        "You have won the lottery! Claim your prize of $5,000,000 now, click here, viagra, act now!!!",
        subject="CONGRATULATIONS WINNER!!! Claim your prize now",
        sender="Lucky <winner@lucky.example>",
        headers={"X-Spam-Flag": "YES", "X-Spam-Status": "Yes, score=18.2"},
    )

    message = deliver(raw)

    assert (message.label, message.outcome, message.ticket) == ("spam", Outcome.IGNORED, None)
    assert Contact.objects.count() == 0


def test_explain_mail_tells_the_whole_way(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    message = deliver(mail("Can you help me?", subject="Help"))

    call_command("explain_mail", str(message.pk))

    told = capsys.readouterr().out
    assert "Support Request → Ticket" in told
    assert ticket_of(message).ticket_number in told
