"""The front page of the admin names what needs a person; so does the head of every page."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from emailflow.models import Execution, Mailbox, Message, Outcome, State, Workflow
from tests.adminkit import agent, asked_by, browser, superuser, text_of
from tests.rest import staff
from tickets.models import User, Visibility

pytestmark = pytest.mark.django_db
FRONT = "/admin/"


def stored(number: int = 1, **values: Any) -> list[Message]:
    """Rows of the ledger, put there without a mail."""
    now = timezone.now()
    mailbox = Mailbox.objects.get(slug="import")
    start = Message.objects.count()
    return Message.objects.bulk_create(
        Message(
            mailbox=mailbox,
            sha256=f"{start + n:064}",
            size=1,
            received_at=now,
            stored_at=now,
            next_attempt_at=now,
            **values,
        )
        for n in range(number)
    )


def unrouted(number: int = 1) -> list[Message]:
    return stored(number, state=State.PROCESSED, outcome=Outcome.UNROUTED)


def test_all_is_well_is_said_too() -> None:
    assert "All mail has found its place" in text_of(browser(agent()).get(FRONT))


def test_unrouted_and_failed_mail_is_counted_on_every_page() -> None:
    unrouted(2)
    stored(3, state=State.FAILED)
    client = browser(agent())
    for address in (FRONT, "/admin/tickets/ticket/", "/admin/emailflow/label/"):
        assert "Unrouted 2 Failed 3" in text_of(client.get(address))
    page = client.get(FRONT)
    assert "2 mails are unrouted: no rule took them." in text_of(page)
    assert 'href="/admin/emailflow/message/?state__exact=failed"' in page.content.decode()


def test_a_long_count_is_cut_and_costs_no_more() -> None:
    client = browser(agent())
    few = asked_by(client, FRONT)
    unrouted(150)
    many = asked_by(client, FRONT)
    assert "Unrouted 99+" in text_of(client.get(FRONT))
    assert few.number == many.number <= 8, many


def test_who_may_not_see_the_ledger_sees_no_counts() -> None:
    unrouted(2)
    user = staff("nobody")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    assert "Unrouted" not in text_of(browser(user).get(FRONT))


def test_counts_keep_to_what_is_visible() -> None:
    unrouted(2)
    assert "Unrouted 0" in text_of(browser(agent(visibility=Visibility.OWN_TICKETS)).get(FRONT))


def test_a_silent_mailbox_is_named() -> None:
    long_ago = timezone.now() - timedelta(hours=25)
    row = Mailbox.objects.create(slug="support", name="Support", last_error="The server does not answer.")
    client = browser(agent())
    assert "The mailbox Support" not in text_of(client.get(FRONT))
    Mailbox.objects.filter(pk=row.pk).update(last_success_at=long_ago)
    shown = text_of(client.get(FRONT))
    assert "The mailbox Support has been silent for more than 24 hours. The server does not answer." in shown
    Mailbox.objects.filter(pk=row.pk).update(enabled=False)
    assert "The mailbox Support" not in text_of(client.get(FRONT))


def test_mail_in_trouble_for_a_day_is_named() -> None:
    stored(1, state=State.WAITING, trouble_since=timezone.now() - timedelta(hours=23))
    client = browser(agent())
    assert "could not be processed" not in text_of(client.get(FRONT))
    late = stored(1, state=State.WAITING, trouble_since=timezone.now() - timedelta(hours=25))
    assert "1 mail could not be processed for more than 24 hours" in text_of(client.get(FRONT))
    found = client.get("/admin/emailflow/message/", {"trouble": "1"}).context["cl"].result_list
    assert [row.pk for row in found] == [row.pk for row in late]


def test_a_mailbox_that_cannot_be_read_is_named_at_once() -> None:
    now = timezone.now()
    values = {"protocol": "imap", "last_error": "The server did not accept the password"}
    never = Mailbox.objects.create(slug="never", name="Never", failures=1, **values)
    Mailbox.objects.create(slug="twice", name="Twice", failures=2, last_success_at=now, **values)
    Mailbox.objects.create(slug="once", name="Once", failures=1, last_success_at=now, **values)
    client = browser(superuser())
    shown = text_of(client.get(FRONT))
    for name in ("Never", "Twice"):
        assert f"The mailbox {name} cannot be read: The server did not accept the password." in shown
    assert "The mailbox Once" not in shown
    Mailbox.objects.filter(pk=never.pk).update(failures=0)
    assert "The mailbox Never" not in text_of(client.get(FRONT))


def test_a_rule_that_failed_three_times_in_an_hour_is_named() -> None:
    message, rule = stored(1, state=State.FAILED)[0], Workflow.objects.create(name="A broken one")
    client = browser(agent())
    for shown in (False, False, True):
        Execution.objects.create(
            message=message, workflow=rule, workflow_name=rule.name, status="failed", created_at=timezone.now()
        )
        assert ("A broken one failed 3 times" in text_of(client.get(FRONT))) is shown


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TICKET_ENABLED", False, "Tickets are off"),
        ("TICKET_EMAIL_INTEGRATION", False, "Mail makes no tickets"),
        ("EMAIL_WORKFLOWS_ENABLED", False, "Rules are off"),
        ("OUTGOING_MAIL", "hold", "Outgoing mail is held"),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "No mail server is named"),
        ("TICKET_AUTO_ASSIGN", True, "names no active user"),
    ],
)
def test_what_the_settings_switch_off_is_a_banner(settings: Any, name: str, value: Any, words: str) -> None:
    settings.OUTGOING_MAIL = "send"
    client = browser(agent())
    assert words not in text_of(client.get(FRONT))
    setattr(settings, name, value)
    assert words in text_of(client.get(FRONT))


def test_no_page_carries_a_style_or_script_of_its_own() -> None:
    unrouted(1)
    client = browser(superuser())
    for address in (
        FRONT,
        "/admin/tickets/ticket/",
        "/admin/emailflow/workflow/add/",
        "/admin/emailflow/message/1/change/",
    ):
        response = client.get(address)
        page = response.content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]


def test_daily_work_stands_first() -> None:
    page = text_of(browser(superuser()).get(FRONT))
    assert page.index("Tickets") < page.index("Mail and rules") < page.index("Background tasks")
