"""What a message in a thread promises, and who may be let in."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from tests.threads import at_once
from tests.tickets.making import ADDRESS, HUB, audit_as_text, comment_on, contact_of, counts, entries, open_one
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError, TicketsAreOff
from tickets.models import AuditEntry, Comment, Participant, SearchText, Ticket, User
from tickets.search import search
from tickets.services.comments import accept_comment, add_comment, decide_participant
from tickets.services.files import Upload
from tickets.services.tickets import change_ticket

pytestmark = pytest.mark.django_db


def wants_in(ticket: Ticket, address: str = "ole@x.example") -> Participant:
    return Participant.objects.create(
        ticket=ticket, address=address, role="cc", state="pending", created_at=timezone.now()
    )


def test_a_message_is_found_counted_and_audited_without_its_words() -> None:
    kim = User.objects.create_user("kim")
    ticket = open_one()
    comment = comment_on(ticket, "The cartridge is magenta", author_user=kim, uploads=[Upload("bill.pdf", b"%PDF-1")])

    assert list(search(Ticket.objects.all(), "magenta")) == [ticket]
    assert [file.name for file in comment.attachments.all()] == ["bill.pdf"]
    entry = AuditEntry.objects.filter(action="comment.added").latest("id")
    assert (entry.entity_type, entry.entity_id, entry.ticket_id) == ("comment", comment.pk, ticket.pk)
    assert entry.new_values == {"internal": False, "source": "manual"}
    assert "magenta" not in audit_as_text()
    assert "bill" not in audit_as_text()


def test_the_first_public_answer_of_staff_sets_the_first_response_and_no_later_one() -> None:
    kim = User.objects.create_user("kim")
    ticket = open_one(author_user=kim, contact=contact_of())
    start = timezone.now()

    comment_on(ticket, "customer writes", author_contact=ticket.contact)
    comment_on(ticket, "a note", author_user=kim, is_internal=True)
    comment_on(ticket, "Hub itself")
    ticket.refresh_from_db()
    assert ticket.first_response_at is None

    with time_machine.travel(start + timedelta(hours=1), tick=False):
        comment_on(ticket, "we answer", author_user=kim)
    with time_machine.travel(start + timedelta(hours=2), tick=False):
        comment_on(ticket, "once more", author_user=kim)
    ticket.refresh_from_db()
    assert ticket.first_response_at == start + timedelta(hours=1)
    assert ticket.updated_at == start + timedelta(hours=2)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_message_names_its_field_and_leaves_nothing_behind(text: str) -> None:
    ticket = open_one()
    before = counts()
    with pytest.raises(ServiceError) as error:
        comment_on(ticket, text)
    assert error.value.field == "body_text"
    assert counts() == before


def test_a_file_alone_is_a_message_and_so_is_a_mail_without_words() -> None:
    ticket = open_one()
    comment_on(ticket, "", uploads=[Upload("a.txt", b"a")])
    add_comment(actor=Actor.of_mail(1), ticket=ticket, body_text="", source="email")
    assert ticket.comments.count() == 3


def test_text_that_no_database_takes_is_mended() -> None:
    comment = comment_on(open_one(), "a\0b\udfff", body_html="<p>\0</p>")
    comment.refresh_from_db()
    assert (comment.body_text, comment.reply_text, comment.body_html) == ("ab\ufffd", "ab\ufffd", "<p></p>")


def test_a_note_is_found_as_a_note() -> None:
    comment_on(open_one(), "hush", is_internal=True)
    assert SearchText.objects.get(text="hush").kind == "note"


def test_only_the_new_part_of_a_reply_is_searched() -> None:
    comment_on(open_one(), "new\n> old quote", reply_text="new")
    assert not search(Ticket.objects.all(), "quote")


def test_a_ticket_that_is_gone_is_a_conflict_and_keeps_no_message() -> None:
    ticket = open_one()
    Ticket.objects.get(pk=ticket.pk).delete()
    with pytest.raises(Conflict):
        comment_on(ticket)
    assert not Comment.objects.exists()


def test_a_participant_is_confirmed_or_refused_and_the_audit_names_no_address() -> None:
    ticket = open_one(contact=contact_of())
    decide_participant(actor=HUB, participant=wants_in(ticket), confirm=True)
    decide_participant(actor=HUB, participant=wants_in(ticket, "per@x.example"), confirm=False)

    states = dict(Participant.objects.values_list("address", "state"))
    assert states == {ADDRESS: "confirmed", "ole@x.example": "confirmed", "per@x.example": "refused"}
    assert entries("participant.confirmed") == [({"state": "pending"}, {"state": "confirmed"})]
    assert entries("participant.refused") == [({"state": "pending"}, {"state": "refused"})]
    assert "x.example" not in audit_as_text()


def test_refused_stays_refused() -> None:
    person = wants_in(open_one())
    decide_participant(actor=HUB, participant=person, confirm=False)
    before = counts()
    with pytest.raises(ServiceError) as error:
        decide_participant(actor=HUB, participant=person, confirm=True)
    assert error.value.field == "state"
    assert counts() == before
    person.refresh_from_db()
    assert person.state == "refused"


def test_tickets_that_are_off_take_no_message_and_no_participant(settings: Any) -> None:
    ticket = open_one()
    person = wants_in(ticket)
    settings.TICKET_ENABLED = False
    before = counts()
    with pytest.raises(TicketsAreOff):
        comment_on(ticket)
    with pytest.raises(TicketsAreOff):
        decide_participant(actor=HUB, participant=person, confirm=True)
    assert counts() == before


@pytest.mark.django_db(transaction=True)
def test_messages_and_changes_at_once_all_hold() -> None:
    kim = User.objects.create_user("kim")
    ticket = open_one()

    def talk() -> None:
        for number in range(15):
            comment_on(ticket, f"word{number}", author_user=kim)

    def change() -> None:
        for number in range(15):
            change_ticket(actor=HUB, ticket=ticket, changes={"category": str(number)})

    at_once(talk, change, talk)

    ticket.refresh_from_db()
    assert ticket.category == "14"
    assert ticket.first_response_at == ticket.comments.filter(author_user=kim).earliest("created_at", "id").created_at
    assert ticket.comments.count() == 31


def stranger(ticket: Ticket) -> Comment:
    return comment_on(ticket, "Let me in", author_contact=contact_of("ole@x.example"), is_unverified=True)


def test_an_accepted_message_is_no_stranger_s_any_more_and_its_sender_stays_outside() -> None:
    ticket = open_one(contact=contact_of())
    comment = stranger(ticket)
    start = timezone.now()

    with time_machine.travel(start + timedelta(hours=1), tick=False):
        accept_comment(actor=HUB, comment=comment, join=False)

    comment.refresh_from_db()
    ticket.refresh_from_db()
    assert not comment.is_unverified
    assert ticket.updated_at == start + timedelta(hours=1)
    assert not Participant.objects.filter(address="ole@x.example").exists()
    assert entries("comment.accepted") == [({"unverified": True}, {"unverified": False, "join": False})]
    with pytest.raises(Conflict):
        accept_comment(actor=HUB, comment=comment, join=True)


@pytest.mark.parametrize("pending", [False, True])
def test_the_sender_of_an_accepted_message_may_take_part(pending: bool) -> None:
    ticket = open_one()
    if pending:
        wants_in(ticket)
    accept_comment(actor=HUB, comment=stranger(ticket), join=True)
    person = Participant.objects.get(ticket=ticket, address="ole@x.example")
    assert (person.role, person.state) == ("cc", "confirmed")
    assert entries("participant.confirmed") == [({"state": "pending"} if pending else {}, {"state": "confirmed"})]
    assert "ole" not in audit_as_text()


def test_who_was_refused_or_has_no_address_is_not_let_in_and_the_message_stays_unverified() -> None:
    ticket = open_one()
    decide_participant(actor=HUB, participant=wants_in(ticket), confirm=False)
    nobody = comment_on(ticket, "Who am I?", is_unverified=True)
    for comment in (stranger(ticket), nobody):
        with pytest.raises(ServiceError) as error:
            accept_comment(actor=HUB, comment=comment, join=True)
        assert error.value.field == "join"
        comment.refresh_from_db()
        assert comment.is_unverified
    assert Participant.objects.get(ticket=ticket).state == "refused"


def test_nothing_is_accepted_while_tickets_are_off(settings: Any) -> None:
    comment = stranger(open_one())
    settings.TICKET_ENABLED = False
    with pytest.raises(TicketsAreOff):
        accept_comment(actor=HUB, comment=comment, join=False)


@pytest.mark.django_db(transaction=True)
def test_two_who_accept_at_once_are_told_apart() -> None:
    comment = stranger(open_one())

    def accept() -> str:
        try:
            accept_comment(actor=HUB, comment=comment, join=True)
        except Conflict:
            return "late"
        return "first"

    assert sorted(at_once(accept, accept)) == ["first", "late"]
    assert len(entries("comment.accepted")) == 1
