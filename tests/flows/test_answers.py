"""A customer who only uses mail and staff who only use the web hold a conversation."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile

from emailflow.inbound import house
from emailflow.models import Mailbox, Outcome, Outgoing, Suppression, Template
from emailflow.outbound.compose import as_message
from emailflow.outbound.send import send_all
from emailflow.services.messages import reprocess
from tests.adminkit import browser
from tests.flows.conftest import Deliver
from tests.mails import mail
from tests.rest import caller, staff
from tests.smtpsink import Sink
from tests.tickets.making import HUB
from tickets.models import Comment, Participant, ParticipantRole, ParticipantState, Source, Ticket, User
from tickets.services.comments import add_comment
from tickets.services.publishing import publish_due, send_draft, take_back
from tickets.signals import comment_added

CUSTOMER = "ole@nordwind.example"


@pytest.fixture
def clerk(db: None) -> User:
    user = staff("mette", "Agents")
    user.first_name, user.last_name, user.email, user.signature = (
        "Mette",
        "Holm",
        "mette@hub.example",
        "Mette Holm, Support",
    )
    user.save()
    return user


def _sent(row: Outgoing) -> EmailMessage:
    """As the recipient's program reads it."""
    parsed = message_from_bytes(as_message(row, []).as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def _answer(ticket: Ticket, by: User, text: str = "Try the other cable.") -> Comment:
    return add_comment(actor=HUB, ticket=ticket, body_text=text, source=Source.MANUAL, author_user=by)


def test_who_opens_a_ticket_by_mail_hears_its_number_in_the_same_thread(deliver: Deliver) -> None:
    ticket = deliver(mail("It is out of toner.", subject="Printer", sender=CUSTOMER, message_id="<1@n.example>")).ticket
    assert ticket is not None

    row = Outgoing.objects.get()
    sent = _sent(row)
    assert (row.kind, row.state, row.recipient) == ("acknowledgement", "queued", CUSTOMER)
    assert ticket.ticket_number in sent["Subject"]
    assert ticket.ticket_number in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert (sent["In-Reply-To"], sent["Auto-Submitted"]) == ("<1@n.example>", "auto-replied")
    assert sent["From"].addresses[0].addr_spec == "support@hub.example"


def test_the_customer_s_answer_to_either_mail_comes_back_to_the_ticket(deliver: Deliver, clerk: User) -> None:
    ticket = deliver(mail("It is out of toner.", subject="Printer", sender=CUSTOMER)).ticket
    assert ticket is not None
    _answer(ticket, clerk)

    for number, row in enumerate(Outgoing.objects.order_by("id")):
        answer = mail(f"answer {number}", subject="Unrelated", sender=CUSTOMER, in_reply_to=row.header_message_id)
        message = deliver(answer)
        assert (message.ticket, message.outcome) == (ticket, Outcome.LINKED), row.kind
    assert Outgoing.objects.count() == 2, "an answer of a customer is not acknowledged"


def test_an_answer_goes_to_the_requester_and_to_who_takes_part_and_to_nobody_else(
    deliver: Deliver, clerk: User
) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    Outgoing.objects.all().delete()
    people = {
        "with@n.example": ParticipantState.CONFIRMED,
        "asks@n.example": ParticipantState.PENDING,
        "out@n.example": ParticipantState.REFUSED,
        "support@hub.example": ParticipantState.CONFIRMED,
        clerk.email: ParticipantState.CONFIRMED,
    }
    for address, state in people.items():
        Participant.objects.create(
            ticket=ticket, address=address, role=ParticipantRole.CC, state=state, created_at=ticket.created_at
        )

    answer = _answer(ticket, clerk)

    rows = list(Outgoing.objects.order_by("recipient"))
    assert [row.recipient for row in rows] == [CUSTOMER, "with@n.example"]
    assert {row.comment_id for row in rows} == {answer.pk}
    assert len({row.header_message_id for row in rows}) == 1
    text = _sent(rows[0]).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Try the other cable." in text
    assert "Mette Holm, Support" in text
    assert "> Help" in text


@pytest.mark.parametrize("way", ["service", "api", "admin", "draft"])
def test_an_internal_note_never_leaves(deliver: Deliver, clerk: User, way: str, client: object) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    Outgoing.objects.all().delete()
    if way == "api":
        url = f"/api/v1/tickets/{ticket.pk}/comments/"
        made = caller(clerk).post(url, {"body_text": "secret", "is_internal": True}, format="json")
        assert made.status_code == 201
    elif way == "admin":
        User.objects.filter(pk=clerk.pk).update(is_staff=True)
        note = {"body_text": "secret", "is_internal": "1"}
        assert browser(clerk).post(f"/admin/tickets/ticket/{ticket.pk}/note/", note).status_code == 302
    else:
        source = Source.MANUAL if way == "service" else Source.EMAIL
        add_comment(actor=HUB, ticket=ticket, body_text="secret", source=source, author_user=clerk, is_internal=True)
    publish_due()

    assert Comment.objects.filter(body_text="secret", is_internal=True).exists()
    assert not Outgoing.objects.exists()
    _answer(ticket, clerk)
    assert "secret" not in str(_sent(Outgoing.objects.get()))


def test_a_stranger_s_words_are_neither_quoted_nor_answered(deliver: Deliver, clerk: User) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    deliver(mail("Let me in", subject=f"Re: [{ticket.ticket_number}]", sender="stranger@x.example", message_id="<s@x>"))
    Outgoing.objects.all().delete()

    _answer(ticket, clerk)

    row = Outgoing.objects.get()
    assert row.recipient == CUSTOMER
    assert "Let me in" not in row.text
    assert "<s@x>" not in str(row.headers)


def test_files_of_an_answer_go_with_it(deliver: Deliver, clerk: User) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    file = SimpleUploadedFile("vejledning.txt", b"Turn it off and on.", "text/plain")
    url = f"/api/v1/tickets/{ticket.pk}/comments/"
    made = caller(clerk).post(url, {"body_text": "See the file", "attachments": [file]}, format="multipart")
    assert made.status_code == 201

    row = Outgoing.objects.get(kind="reply")
    assert [(one["name"], one["mime_type"]) for one in row.attachments] == [("vejledning.txt", "text/plain")]


def test_a_held_answer_is_mailed_when_it_can_no_longer_be_taken_back(
    deliver: Deliver, clerk: User, settings: LazySettings
) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    settings.REPLY_UNDO_SECONDS = 60
    answer = _answer(ticket, clerk)
    assert not Outgoing.objects.filter(kind="reply").exists()

    Comment.objects.filter(pk=answer.pk).update(held_until="2020-01-01T00:00:00Z")
    publish_due()

    assert Outgoing.objects.get(kind="reply").comment == answer


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Auto-Submitted": "auto-replied"}, "machine"),
        ({"List-Id": "<news.x.example>"}, "machine"),
        ({"Precedence": "bulk"}, "machine"),
    ],
)
def test_no_machine_is_acknowledged_and_the_row_says_why(
    deliver: Deliver, headers: dict[str, str], reason: str
) -> None:
    deliver(mail("Hello", headers=headers, sender=CUSTOMER))

    for row in Outgoing.objects.all():
        assert row.state == "suppressed"
        assert reason in row.reason


def test_old_and_imported_mail_is_not_acknowledged(deliver: Deliver) -> None:
    imported = Mailbox.objects.get(slug="import")
    deliver(mail("Old", sender=CUSTOMER), into=imported)

    assert list(Outgoing.objects.values_list("state", flat=True)) == ["suppressed"]
    assert "imported" in Outgoing.objects.get().reason


def test_a_suppressed_address_gets_nothing_and_the_row_says_so(deliver: Deliver, clerk: User) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    Suppression.objects.create(address=CUSTOMER, reason="5.1.1 no such user", created_at=ticket.created_at)

    _answer(ticket, clerk)

    row = Outgoing.objects.get(kind="reply")
    assert (row.state, "5.1.1" in row.reason) == ("suppressed", True)


def test_a_broken_template_costs_a_row_not_the_ticket(deliver: Deliver) -> None:
    Template.objects.create(kind="acknowledgement", language="en", body="Hello {nobody_knows}")

    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket

    assert ticket is not None
    row = Outgoing.objects.get()
    assert row.state == "failed"
    assert "nobody_knows" in row.last_error


def test_a_mailbox_may_keep_silent(deliver: Deliver, mailbox: Mailbox) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(acknowledge=False)
    house.forget()

    deliver(mail("Help", sender=CUSTOMER))

    assert not Outgoing.objects.exists()


def test_a_mail_that_is_processed_again_is_not_acknowledged_again(deliver: Deliver) -> None:
    message = deliver(mail("Help", sender=CUSTOMER))
    reprocess(actor=HUB, messages=[message])
    deliver(mail("Another", sender="else@nordwind.example"))

    assert Outgoing.objects.filter(recipient=CUSTOMER).count() == 1


def test_a_conversation_goes_there_and_back_over_a_real_server(deliver: Deliver, clerk: User, sink: Sink) -> None:
    ticket = deliver(mail("It is out of toner.", subject="Printer", sender=CUSTOMER)).ticket
    assert ticket is not None
    send_all()
    acknowledged = sink.mails[0]
    deliver(
        mail("Hurry, please.", subject=f"Re: {acknowledged['Subject']}", sender=CUSTOMER,
             in_reply_to=acknowledged["Message-ID"])
    )  # fmt: skip
    _answer(ticket, clerk)
    send_all()
    answered = sink.mails[1]
    deliver(
        mail("Thank you!", subject=f"SV: {answered['Subject']}", sender=CUSTOMER, in_reply_to=answered["Message-ID"],
             references=f"{answered['References']} {answered['Message-ID']}")
    )  # fmt: skip

    assert sink.recipients == [CUSTOMER, CUSTOMER]
    said = [comment.reply_text.strip() for comment in ticket.comments.order_by("id")]
    assert said == ["It is out of toner.", "Hurry, please.", "Try the other cable.", "Thank you!"]
    assert Ticket.objects.count() == 1
    assert "Hurry, please." in answered.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_nothing_leaves_while_outgoing_mail_is_held(deliver: Deliver, settings: LazySettings, sink: Sink) -> None:
    settings.OUTGOING_MAIL = "hold"
    deliver(mail("Help", sender=CUSTOMER))

    assert (send_all(), sink.envelopes) == (0, [])
    assert Outgoing.objects.get().state == "queued"


def test_a_machine_that_no_sign_gives_away_is_answered_three_times(deliver: Deliver) -> None:
    """Each of our mails makes it write a new one, with a new subject and nothing of ours in it."""
    for number in range(8):
        deliver(mail(f"I am away {number}", subject=f"Away {number}", sender=CUSTOMER))

    states = list(Outgoing.objects.order_by("id").values_list("state", flat=True))
    assert states == ["queued"] * 3 + ["suppressed"] * 5


def test_what_answers_our_own_mail_is_not_acknowledged(deliver: Deliver, settings: LazySettings) -> None:
    settings.TICKET_STRANGER_POLICY = "new_ticket"
    deliver(mail("Help", sender=CUSTOMER))
    ours = Outgoing.objects.get()

    deliver(mail("Away", sender="robot@elsewhere.example", in_reply_to=ours.header_message_id))

    assert Outgoing.objects.get(recipient="robot@elsewhere.example").state == "suppressed"


def test_a_stranger_s_words_are_nothing_to_click_on_in_our_mail(deliver: Deliver) -> None:
    name = "claim it at http://evil.example/pay now"
    deliver(mail("x", subject="http://evil.example/prize", sender=f'"{name}" <{CUSTOMER}>'))

    row = Outgoing.objects.get()
    assert "<a " not in row.html
    assert "evil.example/pay" not in row.text + row.html + row.recipient_name


def test_an_answer_that_reaches_nobody_is_said_in_the_thread(deliver: Deliver, clerk: User) -> None:
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    Suppression.objects.create(address=CUSTOMER, reason="5.1.1 no such user", created_at=ticket.created_at)

    _answer(ticket, clerk)

    note = Comment.objects.get(system_code="mail_not_sent")
    assert (note.is_internal, CUSTOMER in note.system_params["recipients"]) == (True, True)
    assert "5.1.1" in note.system_params["reason"]


def test_the_files_of_a_colleague_s_draft_are_nobody_s_business(
    deliver: Deliver, clerk: User, settings: LazySettings
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    file = SimpleUploadedFile("secret.txt", b"x", "text/plain")
    thread = f"/api/v1/tickets/{ticket.pk}"
    made = caller(clerk).post(f"{thread}/comments/", {"body_text": "a", "attachments": [file]}, format="multipart")
    caller(clerk).post(f"{thread}/comments/{made.json()['id']}/undo/")

    assert "secret.txt" in caller(clerk).get(f"{thread}/attachments/").content.decode()
    assert "secret.txt" not in caller(staff("other", "Agents")).get(f"{thread}/attachments/").content.decode()


def test_one_answer_that_cannot_be_published_holds_up_no_other(
    deliver: Deliver, clerk: User, settings: LazySettings
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    poison, good = _answer(ticket, clerk, "poison"), _answer(ticket, clerk, "good")
    Comment.objects.filter(state="held").update(held_until="2020-01-01T00:00:00Z")

    def raises(sender: object, comment: Comment, **kwargs: object) -> None:
        if comment.pk == poison.pk:
            raise RuntimeError("another app's receiver")

    comment_added.connect(raises)
    try:
        publish_due()
    finally:
        comment_added.disconnect(raises)

    poison.refresh_from_db()
    good.refresh_from_db()
    assert (poison.state, good.state) == ("held", "published")
    assert publish_due() == 0, "it is put off, and does not turn in a circle"


def test_the_words_that_are_mailed_are_those_that_stand_when_it_leaves(
    deliver: Deliver, clerk: User, settings: LazySettings
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    ticket = deliver(mail("Help", sender=CUSTOMER)).ticket
    assert ticket is not None
    answer = _answer(ticket, clerk, "WRONG")
    take_back(actor=HUB, comment=answer)
    send_draft(actor=HUB, comment=answer, body_text="right")
    assert publish_due() == 0, "its seconds begin anew"
    Comment.objects.filter(state="held").update(held_until="2020-01-01T00:00:00Z")
    publish_due()

    text = Outgoing.objects.get(kind="reply").text
    assert "right" in text
    assert "WRONG" not in text
