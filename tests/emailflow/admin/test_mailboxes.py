"""Mailboxes in the admin: a form that keeps its secret, and two buttons that answer in words."""

from pathlib import Path
from typing import Any

import pytest

from emailflow.fields import unseal
from emailflow.models import Delivery, Mailbox, MailboxCursor, Message, Protocol
from emailflow.services.mailboxes import pull_mailbox, save_mailbox
from tests.adminkit import agent, asked_by, browser, form_values, superuser, text_of, told
from tests.mailboxes import drop, mail, maildir_mailbox
from tests.postgresql import free_port
from tests.rest import SYSTEM
from tests.scripted_smtp import ScriptedSmtp
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/mailbox/"
FORM = "#mailbox_form"
SECRET = "correct horse battery"


def page_of(row: Mailbox, button: str = "change") -> str:
    return f"{LIST}{row.pk}/{button}/"


def imap() -> Mailbox:
    row = Mailbox(slug="support", name="Support", host="imap.example.com", username="support")
    return save_mailbox(actor=SYSTEM, mailbox=row, secret=SECRET)


def test_a_mailbox_is_made_and_its_password_never_shown_again() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"), FORM)
    filled = {"name": "Support", "slug": "support", "host": "imap.example.com", "username": "me", "new_secret": SECRET}
    lists = {"addresses": "support@hub.example\nhelp@hub.example", "authserv_ids": "mx.hub.example"}
    assert client.post(LIST + "add/", values | filled | lists).status_code == 302
    row = Mailbox.objects.get(slug="support")
    assert unseal(row.secret) == SECRET
    assert row.addresses == ["support@hub.example", "help@hub.example"]
    assert row.authserv_ids == ["mx.hub.example"]
    page = client.get(page_of(row)).content.decode()
    assert SECRET not in page
    assert row.secret not in page
    assert all(SECRET not in f"{entry.new_values}" for entry in AuditEntry.objects.all())


def test_an_empty_password_field_keeps_the_stored_one() -> None:
    row, client = imap(), browser(superuser())
    values = form_values(client.get(page_of(row)), FORM)
    client.post(page_of(row), values | {"name": "Renamed"})
    row.refresh_from_db()
    assert row.name == "Renamed"
    assert unseal(row.secret) == SECRET
    client.post(page_of(row), values | {"new_secret": "another one"})
    row.refresh_from_db()
    assert unseal(row.secret) == "another one"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"security": "plain"}, "security"),
        ({"addresses": "not an address"}, "addresses"),
        ({"interval": "1"}, "interval"),
        ({"after_read": "move"}, "move_to"),
        ({"protocol": "maildir", "path": "somewhere", "fetch_confirmed": "on"}, "path"),
    ],
)
def test_what_is_wrong_stands_at_its_field(changes: dict[str, str], field: str) -> None:
    row, client = imap(), browser(superuser())
    values = form_values(client.get(page_of(row)), FORM)
    answer = client.post(page_of(row), values | {"start_policy": "all"} | changes)
    assert answer.context["adminform"].form.errors[field]


def test_a_missing_password_stands_at_the_password() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"), FORM)
    answer = client.post(LIST + "add/", values | {"name": "S", "slug": "s", "host": "h.example", "username": "u"})
    assert answer.context["adminform"].form.errors["new_secret"]


def test_a_new_place_asks_what_to_fetch() -> None:
    row, client = imap(), browser(superuser())
    MailboxCursor.objects.create(mailbox=row, source="somewhere", uidvalidity="1")
    values = form_values(client.get(page_of(row)), FORM) | {"host": "new.example.com"}
    asked = client.post(page_of(row), values)
    assert asked.context["adminform"].form.errors["start_policy"]
    assert "Fetch this from the new place" in text_of(asked)
    asked = client.post(page_of(row), values | {"fetch_confirmed": "on"})
    assert "Enter the password again" in str(asked.context["adminform"].form.errors["new_secret"])
    client.post(page_of(row), values | {"fetch_confirmed": "on", "new_secret": "another one"})
    row.refresh_from_db()
    assert (row.host, unseal(row.secret)) == ("new.example.com", "another one")


def test_test_connection_says_in_words_what_it_found(tmp_path: Path) -> None:
    row = maildir_mailbox(tmp_path / "drop")
    answer = browser(superuser()).post(page_of(row, "test"), follow=True)
    assert "It holds 0 mails." in told(answer)
    assert not Message.objects.exists()


def test_what_was_typed_is_saved_before_the_connection_is_tested(tmp_path: Path) -> None:
    row, client = maildir_mailbox(tmp_path / "drop"), browser(superuser())
    values = form_values(client.get(page_of(row)), FORM)
    answer = client.post(page_of(row), values | {"name": "Typed", "_test": "Save and test the connection"}, follow=True)
    assert told(answer)[:3] == ["Typed is saved.", f"The folder {tmp_path / 'drop'} can be read.", "It holds 0 mails."]
    row.refresh_from_db()
    assert row.name == "Typed"


def test_a_new_mailbox_is_saved_and_tested_with_one_button(tmp_path: Path) -> None:
    (tmp_path / "new-one").mkdir()
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"), FORM)
    filled = {"name": "New", "slug": "new", "protocol": "maildir", "path": str(tmp_path / "new-one"), "_test": "x"}
    assert "It holds 0 mails." in told(client.post(LIST + "add/", values | filled, follow=True))


def test_a_wrong_short_name_is_explained_in_plain_words() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"), FORM)
    shown = text_of(client.post(LIST + "add/", values | {"name": "S", "slug": "support desk"}))
    assert "Use letters, digits, hyphens and underscores only." in shown
    assert "slug" not in shown.replace("id_slug", "")


def test_test_connection_says_in_words_what_went_wrong() -> None:
    place = {"host": "127.0.0.1", "port": free_port(), "security": "plain", "username": "support"}
    row = save_mailbox(actor=SYSTEM, mailbox=Mailbox(slug="support", name="Support", **place), secret=SECRET)
    answer = browser(superuser()).post(page_of(row, "test"), follow=True)
    levels = [message.level_tag for message in answer.context["messages"]]
    assert levels[-1] == "error"
    assert told(answer)[-1].endswith(".")


@pytest.mark.django_db(transaction=True)
def test_pull_now_brings_the_mail_and_says_how_much(tmp_path: Path) -> None:
    row = maildir_mailbox(tmp_path / "drop")
    drop(tmp_path / "drop", mail("Printer"))
    answer = browser(superuser()).post(page_of(row, "pull"), follow=True)
    assert any(sentence.startswith("1 ") for sentence in told(answer)), told(answer)
    assert Message.objects.get(mailbox=row)


@pytest.mark.django_db(transaction=True)
def test_pull_now_ends_in_time_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = maildir_mailbox(tmp_path / "drop")
    drop(tmp_path / "drop", mail("Printer"))
    monkeypatch.setattr("emailflow.admin.mailboxes.LONGEST_LOOK", -1)
    answer = browser(superuser()).post(page_of(row, "pull"), follow=True)
    assert told(answer) == ["The time was up before everything was read; the rest comes with the next look."]
    assert not Message.objects.exists()


@pytest.mark.parametrize("button", ["test", "pull", "archive", "back"])
def test_buttons_need_the_right_to_change_and_a_post(button: str) -> None:
    row = imap()
    assert browser(agent()).post(page_of(row, button)).status_code == 403
    assert browser(superuser()).get(page_of(row, button)).status_code == 405


def test_a_mailbox_is_archived_and_never_deleted() -> None:
    row, client = imap(), browser(superuser())
    assert client.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    client.post(page_of(row, "archive"))
    row.refresh_from_db()
    assert row.archived_at is not None
    assert "Archived" in text_of(client.get(LIST))


def test_an_archived_mailbox_is_brought_back() -> None:
    row, client = imap(), browser(superuser())
    client.post(page_of(row, "archive"))
    assert "Bring back" in client.get(page_of(row)).content.decode()
    assert told(client.post(page_of(row, "back"), follow=True)) == ["Support is read again, from where reading ended."]
    row.refresh_from_db()
    assert (row.archived_at, row.enabled) == (None, True)
    assert told(client.post(page_of(row, "back"), follow=True)) == ["This mailbox is not archived."]


def test_mail_that_was_set_aside_stands_on_the_page_of_its_mailbox() -> None:
    row, client = imap(), browser(superuser())
    for uid in range(7):
        Delivery.objects.create(mailbox=row, source="s", uid=str(uid), state="unfetchable", last_error="no such mail")
    page = text_of(client.get(page_of(row)))
    assert "6 (no such mail); 5 (no such mail)" in page
    assert "and more" in page


def test_a_pop3_mailbox_is_made_and_offers_no_flags() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"), FORM)
    filled = {"name": "Old", "slug": "old", "host": "pop.example.com", "username": "me", "new_secret": SECRET}
    wanted = values | filled | {"protocol": "pop3", "security": "starttls"}
    answer = client.post(LIST + "add/", wanted | {"after_read": "seen"})
    assert "can leave mail or delete it" in str(answer.context["adminform"].form.errors["after_read"])
    assert client.post(LIST + "add/", wanted | {"after_read": "delete"}).status_code == 302
    assert "me at pop.example.com" in text_of(client.get(LIST))


def test_a_built_in_mailbox_shows_no_source_and_is_not_archived() -> None:
    row, client = Mailbox.objects.get(slug="import"), browser(superuser())
    page = client.get(page_of(row))
    assert "host" not in form_values(page, FORM)
    assert "Pull now" not in text_of(page)
    answer = client.post(page_of(row, "archive"), follow=True)
    assert told(answer) == ["A built-in mailbox cannot be archived."]
    client.post(page_of(row), form_values(page, FORM) | {"name": "Imported", "protocol": "imap", "host": "x"})
    row.refresh_from_db()
    assert (row.name, row.protocol, row.host) == ("Imported", Protocol.BUILTIN, "")


def test_nobody_makes_a_built_in_mailbox() -> None:
    client = browser(superuser())
    values: dict[str, Any] = form_values(client.get(LIST + "add/"), FORM)
    answer = client.post(LIST + "add/", values | {"name": "S", "slug": "s", "protocol": "builtin"})
    assert answer.context["adminform"].form.errors["protocol"]


def test_list_asks_the_same_with_one_mailbox_and_with_a_hundred(tmp_path: Path) -> None:
    client = browser(superuser())
    few = asked_by(client, LIST)
    for n in range(100):
        Mailbox.objects.create(slug=f"m{n}", name=f"M{n}", protocol="maildir", path=str(tmp_path))
    many = asked_by(client, LIST)
    assert few.number == many.number <= 8, many


def test_what_the_server_has_and_hub_has_not_is_named_and_fetched(tmp_path: Path) -> None:
    row, client = maildir_mailbox(tmp_path), browser(superuser())
    drop(tmp_path, mail("One"))
    drop(tmp_path, mail("Two"))
    pull_mailbox(row)
    Message.objects.get(subject="Two").delete()
    said = told(client.post(page_of(row, "compare"), follow=True))
    assert said[0].startswith("UID ")
    assert said[1:] == [
        "2 mails on the server, 1 of them in the ledger.",
        "1 mail on the server and not in the ledger.",
    ]
    said = told(client.post(page_of(row, "compare"), {"fetch": "1"}, follow=True))
    assert said[-1] == "Fetched now: 1 new mail stored."
    assert told(client.post(page_of(row, "compare"), follow=True))[-1] == "Nothing is missing."


OUT = {"smtp_host": "smtp.example.com", "smtp_username": "support", "new_smtp_secret": "the way out"}


def test_the_server_that_sends_has_a_password_of_its_own_that_is_never_shown() -> None:
    row, client = imap(), browser(superuser())
    values = form_values(client.get(page_of(row)), FORM)
    assert client.post(page_of(row), values | OUT | {"signature": "Hub ApS\nAarhus"}).status_code == 302
    row.refresh_from_db()
    assert (row.smtp_host, unseal(row.smtp_secret), unseal(row.secret)) == ("smtp.example.com", "the way out", SECRET)
    assert (row.signature.splitlines(), row.acknowledge) == (["Hub ApS", "Aarhus"], True)
    page = client.get(page_of(row)).content.decode()
    assert "the way out" not in page
    assert row.smtp_secret not in page
    told_of = AuditEntry.objects.latest("id").new_values
    assert (told_of["smtp_host"], told_of["smtp_secret"], told_of["signature"]) == (
        "smtp.example.com", "changed", "(text)",
    )  # fmt: skip
    client.post(page_of(row), form_values(client.get(page_of(row)), FORM) | {"name": "Renamed"})
    row.refresh_from_db()
    assert unseal(row.smtp_secret) == "the way out"


@pytest.mark.parametrize(
    "change",
    [{"smtp_host": "evil.example"}, {"smtp_port": "2525"}, {"smtp_security": "tls"}, {"smtp_username": "other"}],
)
def test_another_server_or_user_needs_the_password_once_more(change: dict[str, str]) -> None:
    row, client = imap(), browser(superuser())
    client.post(page_of(row), form_values(client.get(page_of(row)), FORM) | OUT)
    values = form_values(client.get(page_of(row)), FORM) | change
    answer = client.post(page_of(row), values)
    assert "Enter the password again" in str(answer.context["adminform"].form.errors["new_smtp_secret"])
    assert client.post(page_of(row), values | {"new_smtp_secret": "another"}).status_code == 302
    row.refresh_from_db()
    assert unseal(row.smtp_secret) == "another"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"smtp_security": "plain"}, "smtp_security"),
        ({"smtp_port": "70000"}, "smtp_port"),
        ({"smtp_host": "two words"}, "smtp_host"),
        ({"smtp_host": ""}, "smtp_host"),
        ({"new_smtp_secret": ""}, "new_smtp_secret"),
    ],
)
def test_what_is_wrong_with_the_way_out_stands_at_its_field(changes: dict[str, str], field: str) -> None:
    row, client = imap(), browser(superuser())
    values = form_values(client.get(page_of(row)), FORM)
    answer = client.post(page_of(row), values | OUT | changes)
    assert answer.context["adminform"].form.errors[field]


def test_without_a_server_of_its_own_nothing_of_it_is_kept() -> None:
    row, client = imap(), browser(superuser())
    client.post(page_of(row), form_values(client.get(page_of(row)), FORM) | OUT)
    empty = {"smtp_host": "", "smtp_username": ""}
    assert client.post(page_of(row), form_values(client.get(page_of(row)), FORM) | empty).status_code == 302
    row.refresh_from_db()
    assert (row.smtp_host, row.smtp_secret) == ("", "")


def test_test_connection_greets_the_server_that_sends_too(tmp_path: Path) -> None:
    row, client = maildir_mailbox(tmp_path / "drop"), browser(superuser())
    with ScriptedSmtp() as server:
        Mailbox.objects.filter(pk=row.pk).update(smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="plain")
        answer = client.post(page_of(row, "test"), follow=True)
        assert told(answer)[-1] == "Outgoing mail: connected to 127.0.0.1."
        assert server.mails == []
    Mailbox.objects.filter(pk=row.pk).update(smtp_port=free_port())
    assert "Nobody answers" in told(client.post(page_of(row, "test"), follow=True))[-1]
