"""Tickets in the admin: what staff see and change, through the forms that they use."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.adminkit import agent, asked_by, browser, form_values, superuser, text_of, told
from tests.rest import SYSTEM, customer, ticket
from tickets.models import (
    AuditEntry,
    Comment,
    Contact,
    Participant,
    ParticipantRole,
    ParticipantState,
    Source,
    Ticket,
    User,
    Visibility,
)
from tickets.services.comments import add_comment
from tickets.services.files import Upload
from tickets.services.staff import save_team
from tickets.services.tickets import change_ticket

pytestmark = pytest.mark.django_db
LIST = "/admin/tickets/ticket/"


def page_of(row: Ticket) -> str:
    return reverse("admin:tickets_ticket_change", args=[row.pk])


def save(client: Any, row: Ticket, **changes: Any) -> Any:
    """Open the page, change some fields, press Save."""
    values = form_values(client.get(page_of(row)), "#ticket_form")
    return client.post(page_of(row), values | changes, follow=True)


def test_list_shows_number_subject_requester_and_tags() -> None:
    contact = Contact.objects.create(email="mette@nordwind.example", name="Mette Lund")
    row = ticket("No light in the hall", contact=contact, tags=["light"])
    shown = text_of(browser(agent()).get(LIST))
    for words in (row.ticket_number, "No light in the hall", "Mette Lund", "light"):
        assert words in shown


def test_a_ticket_that_can_only_be_read_shows_its_tags(settings: Any) -> None:
    row = ticket("No light in the hall", tags=["light", "hall"])
    settings.TICKET_ENABLED = False
    shown = text_of(browser(agent()).get(page_of(row)))
    assert "Tags: hall, light" in shown or "Tags: light, hall" in shown
    assert "None" not in shown


def test_search_finds_a_word_of_a_message_and_a_number() -> None:
    wanted, other = ticket("One", body_text="The xylophone is flat"), ticket("Two")
    client = browser(agent())
    for text in ("xylophone", wanted.ticket_number):
        shown = text_of(client.get(LIST, {"q": text}))
        assert wanted.ticket_number in shown
        assert other.ticket_number not in shown


def test_filters_narrow_the_list() -> None:
    me = agent()
    mine, nobodys = ticket("Mine", assigned_to_user=me, priority="high"), ticket("Nobody's", source=Source.PHONE)
    strange = ticket("Strange")
    add_comment(actor=SYSTEM, ticket=strange, body_text="Hi", source=Source.EMAIL, is_unverified=True)
    client = browser(me)

    def found(**query: str) -> set[str]:
        shown = text_of(client.get(LIST, query))
        return {row.subject for row in (mine, nobodys, strange) if row.ticket_number in shown}

    assert found(assignee="me") == {"Mine"}
    assert found(assignee="nobody") == {"Nobody's", "Strange"}
    assert found(priority__exact="high") == {"Mine"}
    assert found(source__exact="phone") == {"Nobody's"}
    assert found(unverified="1") == {"Strange"}
    assert found(status="closed") == set()
    assert found(status="unsolved") == {"Mine", "Nobody's", "Strange"}


@pytest.mark.parametrize("text", ["²", "٣", "9" * 30])
def test_what_only_looks_like_a_number_breaks_no_list(text: str) -> None:
    row, client = ticket(), browser(superuser())
    for query in ({"assignee": text}, {"team": text}):
        assert row.ticket_number in text_of(client.get(LIST, query))
    assert client.get("/admin/tickets/auditentry/", {"q": f"ticket {text}"}).status_code == 200


def test_pages_lead_through_all_tickets_and_back() -> None:
    numbers = {ticket(f"Ticket {n}").ticket_number for n in range(60)}
    client = browser(agent())
    first = client.get(LIST).context["cl"]
    second = client.get(LIST + first.next_page).context["cl"]
    seen = [row.ticket_number for row in (*first.result_list, *second.result_list)]
    assert len(seen) == 60
    assert set(seen) == numbers
    assert not second.next_page
    back = client.get(LIST + second.previous_page).context["cl"]
    assert [row.pk for row in back.result_list] == [row.pk for row in first.result_list]


def test_pages_by_priority_keep_tickets_of_equal_priority_apart() -> None:
    for n in range(60):
        ticket(f"Ticket {n}", priority="high" if n % 2 else "normal")
    client = browser(agent())
    first = client.get(LIST, {"o": "-4"}).context["cl"]
    second = client.get(LIST + first.next_page).context["cl"]
    ranks = [row.priority_rank for row in (*first.result_list, *second.result_list)]
    assert len({row.pk for row in (*first.result_list, *second.result_list)}) == 60
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("page", ["after.x", "after.W10", "before.WyJhIiwgMV0", "after.WzFd"])
def test_a_made_up_page_leads_back_to_the_first(page: str) -> None:
    response = browser(agent()).get(LIST, {"p": page})
    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_list_and_page_ask_the_same_with_one_ticket_and_with_a_hundred() -> None:
    user = agent()
    team = save_team(actor=SYSTEM, team=_team(), members=[user])
    contact = Contact.objects.create(email="mette@nordwind.example", customer=customer())
    client = browser(user)

    def grown(number: int) -> Ticket:
        for n in range(number):
            row = ticket(f"T{n}", contact=contact, tags=[f"tag{n}"], assigned_to_user=user, assigned_team=team)
            change_ticket(actor=SYSTEM, ticket=row, changes={"assigned_to_user": None, "assigned_team": None})
        for n in range(number):
            add_comment(
                actor=SYSTEM, ticket=row, body_text=f"Note {n}", source=Source.MANUAL, author_user=user,
                uploads=[Upload(f"{n}.txt", b"x")],
            )  # fmt: skip
        return row

    one = grown(1)
    few = (asked_by(client, LIST), asked_by(client, page_of(one)))
    many_on_it = grown(99)
    many = (asked_by(client, LIST), asked_by(client, page_of(many_on_it)))
    assert few[0].number == many[0].number <= 8, many[0]
    assert few[1].number == many[1].number <= 14, many[1]
    for statement in many[0].statements:
        assert "OFFSET" not in statement
        assert "COUNT(*) AS" not in statement


def _team() -> Any:
    from tickets.models import Team

    return Team(name="First line")


def test_a_change_is_written_by_the_service_with_its_audit_row() -> None:
    row, me = ticket("Before"), agent()
    shown = save(browser(me), row, subject="After", status="in_progress", tag_names="printer, hall")
    row.refresh_from_db()
    assert (row.subject, row.status) == ("After", "in_progress")
    assert sorted(row.tags.values_list("name", flat=True)) == ["hall", "printer"]
    entry = AuditEntry.objects.get(action="ticket.changed", ticket_id=row.pk)
    assert (entry.actor_type, entry.actor_id) == ("user", me.pk)
    assert entry.new_values["status"] == "in_progress"
    assert shown.status_code == 200


def test_saving_an_old_page_does_not_undo_what_a_colleague_changed() -> None:
    row, client = ticket("Before"), browser(agent())
    values = form_values(client.get(page_of(row)), "#ticket_form")
    change_ticket(actor=SYSTEM, ticket=row, changes={"priority": "critical"})
    client.post(page_of(row), values | {"subject": "After"})
    row.refresh_from_db()
    assert (row.subject, row.priority) == ("After", "critical")


def test_what_the_service_refuses_stands_at_its_field() -> None:
    row = ticket("Before")
    shown = save(browser(agent()), row, tag_names="good bad!tag", subject="After")
    form = shown.context["adminform"].form
    assert "cannot be a tag" in form.errors["tag_names"][0]
    row.refresh_from_db()
    assert row.subject == "Before"


def test_a_ticket_is_opened_by_hand_with_its_file() -> None:
    contact, me = Contact.objects.create(email="mette@nordwind.example"), agent()
    client = browser(me)
    values = form_values(client.get(LIST + "add/"), "#ticket_form")
    upload = SimpleUploadedFile("list.txt", b"one, two")
    response = client.post(
        LIST + "add/",
        values | {"subject": "Called in", "body_text": "No network", "contact": contact.pk, "uploads": [upload]},
    )
    assert response.status_code == 302
    row = Ticket.objects.get(subject="Called in")
    assert row.source == "phone"
    assert row.contact == contact
    assert row.participants.get().state == ParticipantState.CONFIRMED
    assert row.comments.get().body_text == "No network"
    assert row.attachments.get().name == "list.txt"


def test_thread_marks_strangers_and_folds_what_is_quoted() -> None:
    row = ticket("Help")
    add_comment(
        actor=SYSTEM, ticket=row, body_text="New words\n\n> old words", reply_text="New words",
        source=Source.EMAIL, is_unverified=True, sender_verdict="fail", remarks=["The HTML was cut."],
        author_contact=Contact.objects.create(email="stranger@else.example"),
    )  # fmt: skip
    response = browser(agent()).get(page_of(row))
    shown = text_of(response)
    assert "Unverified" in shown
    assert "it may be forged" in shown
    assert "The HTML was cut." in shown
    assert "<details><summary>Quoted text</summary>" in response.content.decode()


def test_a_delivery_report_is_folded_and_says_whom_it_is_about() -> None:
    row = ticket("Help")
    add_comment(
        actor=SYSTEM, ticket=row, body_text="The mail could not be delivered.", source=Source.EMAIL, is_internal=True,
        system_code="bounce", system_params={"recipients": ["gone@else.example"], "status": "5.1.1"},
    )  # fmt: skip
    page = browser(agent()).get(page_of(row)).content.decode()
    assert "<summary>Delivery report about gone@else.example (5.1.1)</summary>" in page


@pytest.mark.parametrize(("report", "title"), [("delay", "Delay warning"), ("success", "Delivery receipt")])
def test_a_report_that_nothing_failed_is_called_by_its_name(report: str, title: str) -> None:
    row = ticket("Help")
    add_comment(
        actor=SYSTEM, ticket=row, body_text="See below.", source=Source.EMAIL, is_internal=True,
        system_code="bounce", system_params={"recipients": ["bo@else.example"], "status": "", "report": report},
    )  # fmt: skip
    page = browser(agent()).get(page_of(row)).content.decode()
    assert f"<summary>{title} about bo@else.example</summary>" in page


def test_text_of_a_mail_is_shown_as_text() -> None:
    row = ticket("<b>Bold</b>", body_text="<script>alert(1)</script>")
    page = browser(agent()).get(page_of(row)).content.decode()
    assert "<script>alert(1)" not in page
    assert "<b>Bold</b>" not in page


def test_a_note_is_internal_unless_said_otherwise() -> None:
    row, me = ticket(), agent()
    client = browser(me)
    client.post(f"{page_of(row)[:-7]}note/", {"body_text": "For us only"})
    client.post(f"{page_of(row)[:-7]}note/", {"body_text": "For all", "is_internal": "0"})
    notes = {comment.body_text: comment for comment in row.comments.filter(author_user=me)}
    assert notes["For us only"].is_internal
    assert not notes["For all"].is_internal


def test_an_empty_note_is_refused_in_words() -> None:
    row = ticket()
    answer = browser(agent()).post(f"{page_of(row)[:-7]}note/", {"body_text": " "}, follow=True)
    assert told(answer) == ["A comment needs a text or a file."]
    assert row.comments.count() == 1


@pytest.mark.parametrize(("decision", "state"), [("confirm", "confirmed"), ("refuse", "refused")])
def test_a_pending_participant_is_decided_on_the_page(decision: str, state: str) -> None:
    row = ticket()
    person = Participant.objects.create(
        ticket=row, address="cc@else.example", role=ParticipantRole.CC, state=ParticipantState.PENDING,
        created_at=row.created_at,
    )  # fmt: skip
    client = browser(agent())
    assert "(1 to decide)" in text_of(client.get(page_of(row)))
    client.post(f"{page_of(row)[:-7]}participants/{person.pk}/", {"decision": decision})
    person.refresh_from_db()
    assert person.state == state


def strange_message(row: Ticket) -> Comment:
    sender = Contact.objects.create(email="ole@x.example")
    return add_comment(
        actor=SYSTEM, ticket=row, body_text="Let me in", source=Source.EMAIL, author_contact=sender, is_unverified=True
    )


@pytest.mark.parametrize("join", [False, True])
def test_a_stranger_s_message_is_accepted_on_the_page(join: bool) -> None:
    row = ticket()
    message = strange_message(row)
    client = browser(agent("mia", "Managers"))
    for words in ("Accept this message", "Accept and let the sender take part"):
        assert words in text_of(client.get(page_of(row)))
    address = f"{page_of(row)[:-7]}comments/{message.pk}/accept/"
    assert f'action="{address}"' in client.get(page_of(row)).content.decode()

    answer = client.post(address, {"join": str(int(join))}, follow=True)

    assert "accepted a stranger's message" in text_of(answer)
    assert "Unverified" not in text_of(answer)
    assert "Accept this message" not in text_of(answer)
    assert Participant.objects.filter(ticket=row, address="ole@x.example", state="confirmed").exists() is join
    assert told(client.post(address, follow=True)) == ["This message is accepted already."]


def test_a_stranger_s_message_is_accepted_by_those_who_may_and_within_its_ticket_only() -> None:
    row, other = ticket(), ticket("Other")
    message = strange_message(row)
    address = f"{page_of(row)[:-7]}comments/{message.pk}/accept/"
    half = agent("half", "Read-only", rights=("tickets.change_ticket", "tickets.change_comment"))
    page = text_of(browser(half).get(page_of(row)))
    assert "Accept this message" in page
    assert "let the sender take part" not in page
    assert browser(half).post(address, {"join": "1"}).status_code == 403
    assert browser(agent("reader", "Read-only")).post(address).status_code == 403
    assert browser(agent()).post(address.replace(f"/{row.pk}/", f"/{other.pk}/", 1)).status_code == 404
    message.refresh_from_db()
    assert message.is_unverified


def test_actions_take_and_resolve_tickets() -> None:
    rows, me = [ticket("A"), ticket("B")], agent()
    client = browser(me)
    chosen = {"_selected_action": [row.pk for row in rows], "index": "0"}
    client.post(LIST, chosen | {"action": "take"})
    answer = client.post(LIST, chosen | {"action": "resolve"}, follow=True)
    assert told(answer)[-1] == "2 tickets resolved."
    for row in rows:
        row.refresh_from_db()
        assert (row.assigned_to_user, row.status) == (me, "resolved")


def test_what_is_not_visible_does_not_exist() -> None:
    hidden, mine = ticket("Hidden"), ticket("Mine")
    me = agent(visibility=Visibility.OWN_TICKETS)
    Ticket.objects.filter(pk=mine.pk).update(assigned_to_user=me)
    client = browser(me)
    shown = text_of(client.get(LIST))
    assert mine.ticket_number in shown
    assert hidden.ticket_number not in shown
    assert client.get(page_of(hidden)).status_code == 404
    assert client.post(f"{page_of(hidden)[:-7]}note/", {"body_text": "x"}).status_code == 404
    assert client.post(page_of(hidden), {"subject": "x"}).status_code == 404


def test_read_only_staff_read_and_change_nothing() -> None:
    row = ticket()
    client = browser(agent("reader", "Read-only"))
    page = client.get(page_of(row))
    assert page.status_code == 200
    assert "Add a note" not in text_of(page)
    assert client.post(page_of(row), {"subject": "x"}).status_code == 403
    assert client.post(f"{page_of(row)[:-7]}note/", {"body_text": "x"}).status_code == 403
    assert client.get(LIST + "add/").status_code == 403


def test_without_the_right_to_assign_the_assignee_is_only_shown() -> None:
    row = ticket()
    me = agent("writer", "Read-only", rights=("tickets.change_ticket",))
    client = browser(me)
    assert "assigned_to_user" not in form_values(client.get(page_of(row)), "#ticket_form")
    save(client, row, assigned_to_user=me.pk, subject="After")
    row.refresh_from_db()
    assert (row.subject, row.assigned_to_user) == ("After", None)
    chosen = {"_selected_action": [row.pk], "index": "0", "action": "take"}
    assert client.post(LIST, chosen).status_code == 403


def test_tickets_can_only_be_read_while_they_are_off(settings: Any) -> None:
    row, client = ticket(), browser(superuser())
    settings.TICKET_ENABLED = False
    page = client.get(page_of(row))
    assert "Add a note" not in text_of(page)
    assert client.get(LIST + "add/").status_code == 403
    assert client.post(page_of(row), {"subject": "x"}).status_code == 403


def test_history_is_told_in_sentences() -> None:
    row, other = ticket(), User.objects.create_user("bo", first_name="Bo", last_name="Holm")
    change_ticket(actor=SYSTEM, ticket=row, changes={"status": "closed", "assigned_to_user": other})
    shown = text_of(browser(agent("mia", "Agents")).get(page_of(row)))
    assert "test changed the assignee from nothing to Bo Holm and the status from Open to Closed." in shown


def test_the_page_shows_and_offers_no_more_than_the_rights_say() -> None:
    row = ticket(body_text="The text of the mail", contact=Contact.objects.create(email="kim@else.example"))
    change_ticket(actor=SYSTEM, ticket=row, changes={"status": "closed"})
    person = Participant.objects.create(
        ticket=row, address="cc@else.example", role=ParticipantRole.CC, state=ParticipantState.PENDING,
        created_at=row.created_at,
    )  # fmt: skip
    me = agent("bare", rights=("tickets.view_ticket", "tickets.change_ticket"))
    me.groups.clear()
    client = browser(me)
    page = text_of(client.get(page_of(row)))
    for hidden in ("The text of the mail", "cc@else.example", "Add a note"):
        assert hidden not in page
    base = page_of(row)[:-7]
    assert client.post(f"{base}note/", {"body_text": "x"}).status_code == 403
    assert client.post(f"{base}participants/{person.pk}/", {"decision": "confirm"}).status_code == 403
    assert row.comments.count() == 1
    person.refresh_from_db()
    assert person.state == ParticipantState.PENDING


def test_choices_of_requesters_keep_to_what_is_visible() -> None:
    hidden = Contact.objects.create(email="hidden@else.example")
    row = ticket(contact=Contact.objects.create(email="seen@else.example"))
    me = agent(visibility=Visibility.OWN_TICKETS)
    Ticket.objects.filter(pk=row.pk).update(assigned_to_user=me)
    client = browser(me)
    answer = client.get(
        "/admin/autocomplete/",
        {"app_label": "tickets", "model_name": "ticket", "field_name": "contact", "term": ""},
    )
    assert [one["text"] for one in answer.json()["results"]] == ["seen@else.example"]
    shown = save(client, row, contact=hidden.pk)
    assert "contact" in shown.context["adminform"].form.errors
