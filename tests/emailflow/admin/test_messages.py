"""The mail ledger in the admin: what became of each mail, why, and what staff can do about it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from emailflow.inbound.pipeline import process_message
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Execution, Mailbox, Message, Outcome, State, Workflow
from tests.adminkit import agent, asked_by, browser, superuser, text_of, told
from tests.mails import mail
from tickets import blobs
from tickets.models import AuditEntry, Ticket, Visibility

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/message/"


def arrived(**options: Any) -> Message:
    """A mail that has gone down the whole way."""
    stored = receive_bytes(mail(**options), mailbox=Mailbox.objects.get(slug="api"))
    return process_message(stored.message.pk)


def page_of(row: Message, what: str = "change") -> str:
    return f"{LIST}{row.pk}/{what}/"


def test_the_list_says_what_became_of_each_mail() -> None:
    row = arrived(subject="Help with the printer", sender="Mette <mette@nordwind.example>")
    assert row.ticket is not None
    shown = text_of(browser(agent()).get(LIST))
    for words in ("Help with the printer", "mette@nordwind.example", "Opened a ticket", row.ticket.ticket_number):
        assert words in shown


def test_the_page_tells_the_trace_in_sentences_and_links_the_ticket() -> None:
    row = arrived(subject="Help with the printer", text="The printer is broken. Can you help?")
    assert row.ticket is not None
    response = browser(agent()).get(page_of(row))
    shown = text_of(response)
    assert "It is a mail of the kind person" in shown
    assert "fired" in shown
    assert f"Opened ticket {row.ticket.ticket_number}." in shown
    assert reverse("admin:tickets_ticket_change", args=[row.ticket.pk]) in response.content.decode()


def test_the_ticket_leads_back_to_the_trace_of_its_mail() -> None:
    row = arrived()
    assert row.ticket is not None
    page = browser(agent()).get(reverse("admin:tickets_ticket_change", args=[row.ticket.pk]))
    assert f'href="{page_of(row)}#trace"' in page.content.decode()


def test_the_raw_mail_needs_a_right_of_its_own() -> None:
    raw = mail(subject="Raw")
    row = receive_bytes(raw, mailbox=Mailbox.objects.get(slug="api")).message
    assert browser(agent()).get(page_of(row, "raw")).status_code == 403
    answer = browser(agent("boss", "Managers")).get(page_of(row, "raw"))
    assert b"".join(answer.streaming_content) == raw  # type: ignore[attr-defined]
    assert answer["Content-Disposition"].startswith(f'attachment; filename="mail-{row.pk}.eml"')
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_raw_mail_that_is_gone_is_told_in_words() -> None:
    row = arrived()
    blobs.path_of(row.sha256).unlink()
    answer = browser(superuser()).get(page_of(row, "raw"), follow=True)
    assert told(answer) == ["The raw mail is not kept any more (MAIL_RAW_RETENTION_DAYS)."]


def unrouted(settings: Any, **options: Any) -> Message:
    settings.EMAIL_WORKFLOWS_ENABLED = False
    row = arrived(**options)
    settings.EMAIL_WORKFLOWS_ENABLED = True
    assert row.outcome == Outcome.UNROUTED
    return row


def test_an_unrouted_mail_gets_a_ticket_by_a_button(settings: Any) -> None:
    row = unrouted(settings, subject="Nobody's")
    me = agent("boss", "Managers")
    answer = browser(me).post(page_of(row, "do"), {"wish": "ticket"}, follow=True)
    assert told(answer) == ["Nobody's has a ticket now."]
    row.refresh_from_db()
    assert row.ticket == Ticket.objects.get(subject="Nobody's")


def test_an_unrouted_mail_is_ignored_by_a_button(settings: Any) -> None:
    row = unrouted(settings)
    me = agent("boss", "Managers")
    browser(me).post(page_of(row, "do"), {"wish": "ignore"})
    row.refresh_from_db()
    assert row.outcome == Outcome.IGNORED
    assert AuditEntry.objects.get(action="mail.ignored").actor_id == me.pk


def test_actions_of_the_list_process_many_again(settings: Any) -> None:
    rows = [unrouted(settings), unrouted(settings)]
    chosen = {"_selected_action": [row.pk for row in rows], "index": "0", "action": "reprocess_all"}
    answer = browser(agent("boss", "Managers")).post(LIST, chosen, follow=True)
    assert told(answer) == ["2 mails will be processed again."]
    for row in rows:
        assert process_message(row.pk).outcome == Outcome.TICKET_CREATED


def test_a_mail_on_a_ticket_is_not_ignored() -> None:
    row = arrived()
    answer = browser(superuser()).post(page_of(row, "do"), {"wish": "ignore"}, follow=True)
    assert told(answer) == [f"Mail {row.pk} belongs to a ticket and cannot be ignored."]


def test_agents_neither_replay_nor_ignore() -> None:
    row = arrived()
    client = browser(agent())
    assert client.post(page_of(row, "do"), {"wish": "reprocess"}).status_code == 403
    assert "Process again" not in text_of(client.get(page_of(row)))


@pytest.mark.parametrize("what", ["change", "delete"])
def test_nobody_writes_or_deletes_mail(what: str) -> None:
    row = arrived()
    assert browser(superuser()).post(page_of(row, what), {"subject": "x", "post": "yes"}).status_code == 403


def test_filters_narrow_the_ledger(settings: Any) -> None:
    lost, filed = unrouted(settings, subject="Lost one"), arrived(subject="Filed one")
    client = browser(agent())

    def found(**query: str) -> set[int]:
        return {row.pk for row in client.get(LIST, query).context["cl"].result_list}

    assert found(outcome__exact="unrouted") == {lost.pk}
    assert found(state__exact="processed") == {lost.pk, filed.pk}
    assert found(kind="bounce") == set()
    assert found(mailbox=str(lost.mailbox_id)) == {lost.pk, filed.pk}
    assert found(label="spam") == set()
    assert found(q=filed.message_id) == {filed.pk}
    assert found(q=str(lost.pk)) == {lost.pk}


@pytest.mark.parametrize("text", ["²", "٣", "9" * 30])
def test_what_only_looks_like_a_number_breaks_no_list(text: str) -> None:
    row, client = arrived(), browser(superuser())
    assert row in client.get(LIST, {"mailbox": text}).context["cl"].result_list
    assert list(client.get(LIST, {"q": text}).context["cl"].result_list) == []
    assert client.get("/admin/emailflow/execution/", {"q": text}).status_code == 200
    with pytest.raises(CommandError, match="There is no mail"):
        call_command("explain_mail", text)


def test_mail_is_visible_with_its_ticket_only() -> None:
    row = arrived(subject="Hidden")
    client = browser(agent(visibility=Visibility.OWN_TICKETS))
    assert "Hidden" not in text_of(client.get(LIST))
    for what in ("change", "raw"):
        assert client.get(page_of(row, what)).status_code == 404


def test_executions_are_listed_with_results_and_errors() -> None:
    row = arrived()
    assert row.ticket is not None
    broken = Workflow.objects.create(name="A broken one")
    Execution.objects.create(
        message=row, workflow=broken, workflow_name=broken.name, status="failed", error="unknown action fly",
        created_at=row.stored_at,
    )  # fmt: skip
    client = browser(agent())
    shown = text_of(client.get("/admin/emailflow/execution/"))
    assert f"Opened ticket {row.ticket.ticket_number}." in shown
    assert "unknown action fly" in shown
    failed = client.get("/admin/emailflow/execution/", {"status__exact": "failed"}).context["cl"].result_list
    assert [run.workflow_name for run in failed] == ["A broken one"]


def test_lists_ask_the_same_with_one_mail_and_with_a_hundred(tmp_path: Path) -> None:
    row = arrived()
    client = browser(agent())
    lists = (LIST, "/admin/emailflow/execution/")
    few = [asked_by(client, address).number for address in lists]
    for n in range(100):
        copy = Message.objects.get(pk=row.pk)
        copy.pk, copy.sha256, copy.identity = None, f"{n:064}", f"{n}"
        copy.save(force_insert=True)
        Execution.objects.create(message=copy, workflow_name="x", status="success", created_at=row.stored_at)
    many = [asked_by(client, address) for address in lists]
    assert few == [asked.number for asked in many]
    for asked in many:
        assert asked.number <= 8, asked
        assert all("OFFSET" not in statement for statement in asked.statements)
    assert Message.objects.filter(state=State.PROCESSED).count() == 101
