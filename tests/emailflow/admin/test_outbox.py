"""The outbox in the admin: what became of each mail, and the two buttons."""

from typing import Any

import pytest
from django.utils import timezone

from emailflow.models import Outgoing, Suppression
from tests.adminkit import agent, asked_by, browser, superuser, text_of, told
from tests.outgoing import fresh, outgoing
from tests.tickets.making import open_one
from tickets.models import AuditEntry, Visibility

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/outgoing/"
SUPPRESSIONS = "/admin/emailflow/suppression/"


def page_of(row: Outgoing, what: str = "change") -> str:
    return f"{LIST}{row.pk}/{what}/"


def suppression(address: str = "a@x.example") -> Suppression:
    return Suppression.objects.create(address=address, reason="No such user (5.1.1).", created_at=timezone.now())


def test_the_list_says_what_became_of_each_mail_and_why() -> None:
    ticket = open_one()
    outgoing(ticket=ticket, state="failed", reason="mail.example said: 550 No such user.")
    shown = text_of(browser(agent()).get(LIST))
    for words in ("mette@nordwind.example", "Failed", "550 No such user", ticket.ticket_number):
        assert words in shown


def test_the_page_shows_the_mail_and_cannot_be_written() -> None:
    row, client = outgoing(text="Kære Mette <b>"), browser(superuser())
    page = client.get(page_of(row))
    assert "Kære Mette <b>" in text_of(page)
    assert "<b>" not in page.content.decode().split("hub-pre")[1][:40]
    assert client.post(page_of(row), {"text": "other"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403


def test_a_mail_is_sent_again_by_a_button() -> None:
    row, me = outgoing(state="failed", reason="no"), agent()
    client = browser(me)
    assert "Send again now" in client.get(page_of(row)).content.decode()
    answer = client.post(page_of(row, "do"), {"wish": "retry"}, follow=True)
    assert told(answer) == ["1 mail will be sent."]
    assert fresh(row).state == "queued"
    assert AuditEntry.objects.get(action="outgoing.retried").actor_id == me.pk


def test_many_are_stopped_by_an_action() -> None:
    rows = [outgoing(), outgoing()]
    chosen = {"_selected_action": [row.pk for row in rows], "index": "0", "action": "cancel_all"}
    assert told(browser(agent()).post(LIST, chosen, follow=True)) == ["2 mails will not be sent."]
    assert {fresh(row).state for row in rows} == {"cancelled"}


def test_a_mail_that_is_being_sent_is_refused_in_words() -> None:
    row = outgoing(state="sending", lease_token="x", lease_until=timezone.now())
    answer = browser(superuser()).post(page_of(row, "do"), {"wish": "cancel"}, follow=True)
    assert told(answer) == [f"Mail {row.pk} is being sent right now."]
    assert "Do not send" not in answer.content.decode()


def test_who_may_only_read_has_no_buttons() -> None:
    row, client = outgoing(), browser(agent("reader", "Read-only"))
    assert "Do not send" not in client.get(page_of(row)).content.decode()
    assert client.post(page_of(row, "do"), {"wish": "cancel"}).status_code == 403
    assert client.get(page_of(row, "do")).status_code == 405


def test_filters_and_search_narrow_the_list() -> None:
    one = outgoing("a@x.example", state="failed", reason="no", kind="acknowledgement")
    two = outgoing("b@x.example")
    client = browser(agent())

    def found(**query: str) -> set[int]:
        return {row.pk for row in client.get(LIST, query).context["cl"].result_list}

    assert found(state__exact="failed") == {one.pk}
    assert found(kind__exact="reply") == {two.pk}
    assert found(q="A@x.example") == {one.pk}
    assert found(q=two.header_message_id) == {two.pk}
    assert found(q=str(two.pk)) == {two.pk}


def test_outgoing_mail_is_visible_with_its_ticket_only() -> None:
    row = outgoing(ticket=open_one(), subject="Hidden")
    client = browser(agent(visibility=Visibility.OWN_TICKETS))
    assert "Hidden" not in text_of(client.get(LIST))
    assert client.get(page_of(row)).status_code == 404
    assert client.post(page_of(row, "do"), {"wish": "cancel"}).status_code == 404


def test_an_address_is_released_by_those_who_may() -> None:
    kept = suppression()
    assert "No such user" in text_of(browser(agent()).get(SUPPRESSIONS))
    chosen: dict[str, Any] = {"_selected_action": [kept.pk], "index": "0", "action": "release_all"}
    browser(agent("two")).post(SUPPRESSIONS, chosen)
    assert Suppression.objects.count() == 1
    boss = browser(agent("boss", "Managers"))
    assert told(boss.post(SUPPRESSIONS, chosen, follow=True)) == ["1 address may have mail again."]
    assert Suppression.objects.count() == 0
    boss.post(f"{SUPPRESSIONS}{suppression('b@x.example').pk}/delete/", {"post": "yes"})
    assert Suppression.objects.count() == 0
    assert AuditEntry.objects.filter(action="suppression.released").count() == 2


def test_mail_that_could_not_be_sent_is_on_the_front_page() -> None:
    client = browser(agent())
    assert "could not be sent" not in text_of(client.get("/admin/"))
    outgoing(state="failed", reason="no")
    assert "1 mail could not be sent." in text_of(client.get("/admin/"))


def test_the_list_asks_the_same_with_one_mail_and_with_a_hundred() -> None:
    client = browser(agent())
    outgoing(ticket=open_one())
    few = asked_by(client, LIST)
    ticket = open_one()
    for _ in range(100):
        outgoing(ticket=ticket)
    many = asked_by(client, LIST)
    assert few.number == many.number <= 8, many
