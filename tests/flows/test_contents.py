"""What staff read on the ticket about a mail in a wrapper."""

from tests.emailflow.inbound.containers import tnef, tnef_file
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets.models import Attachment, Comment


def test_the_first_sender_of_a_forwarded_mail_is_offered_and_never_taken(deliver: Deliver) -> None:
    block = "---------- Forwarded message ---------\nFrom: Ole <ole@kunde.example>\nDate: x\nSubject: y\nTo: z\n"
    message = deliver(mail(f"Can you look?\n\n{block}\nIt is broken", subject="Fwd: Broken"))
    ticket = message.ticket
    assert ticket is not None
    assert ticket.contact is not None
    assert ticket.contact.email == "mette@nordwind.example"
    assert ticket.custom_fields["forwarded_from"] == "Ole <ole@kunde.example>"
    assert "Forwarded: originally from Ole <ole@kunde.example>." in Comment.objects.get(ticket=ticket).remarks
    assert not ticket.participants.filter(address="ole@kunde.example").exists()


def test_files_of_a_winmail_dat_are_files_of_the_ticket(deliver: Deliver) -> None:
    message = deliver(mail("See", files={"winmail.dat": tnef(tnef_file(b"faktura.pdf", b"%PDF-1.7 x"))}))
    file = Attachment.objects.get(ticket=message.ticket)
    assert (file.name, file.mime_type, file.size) == ("faktura.pdf", "application/pdf", 10)


def test_a_mail_without_text_says_why_on_the_ticket(deliver: Deliver) -> None:
    message = deliver(mail("", files={"a.bin": b"\x00\x01"}))
    assert "The mail has no text: only an attachment." in Comment.objects.get(ticket=message.ticket).remarks
