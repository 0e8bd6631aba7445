"""What staff may save as a mailbox, and what is kept of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from emailflow.fields import unseal
from emailflow.inbound.due import due, pullable
from emailflow.models import Mailbox
from emailflow.services.mailboxes import archive_mailbox, pull_mailbox, save_mailbox
from tests.mailboxes import ACTOR, drop, mail, maildir_mailbox
from tests.threads import at_once
from tests.tickets.making import audit_as_text, entries
from tickets.errors import Conflict, ServiceError
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db


def imap(**changes: Any) -> Mailbox:
    values = {"slug": "support", "name": "Support", "host": "imap.example.com", "username": "support"}
    return Mailbox(**values | changes)


def save(mailbox: Mailbox, secret: str | None = "word") -> Mailbox:
    return save_mailbox(actor=ACTOR, mailbox=mailbox, secret=secret)


def test_a_password_with_a_line_break_would_be_a_command_and_is_refused() -> None:
    with pytest.raises(ServiceError) as caught:
        save(imap(protocol="pop3"), secret="word\r\nDELE 1")
    assert caught.value.field == "secret"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("slug", {"slug": "two words"}),
        ("slug", {"slug": ""}),
        ("protocol", {"protocol": "telepathy"}),
        ("host", {"host": ""}),
        ("host", {"host": "imap.example.com evil"}),
        ("port", {"port": 0}),
        ("port", {"port": 65536}),
        ("security", {"security": "plain"}),
        ("security", {"security": "plain", "host": "10.0.0.1"}),
        ("username", {"username": " "}),
        ("username", {"username": "a\r\nA1 DELETE INBOX"}),
        ("folder", {"folder": "IN\nBOX"}),
        ("move_to", {"after_read": "move"}),
        ("move_to", {"after_read": "move", "move_to": "INBOX"}),
        ("interval", {"interval": 1}),
        ("addresses", {"addresses": ["not an address"]}),
        ("from_address", {"from_address": "nobody"}),
        ("after_read", {"protocol": "pop3", "after_read": "seen"}),
        ("after_read", {"protocol": "pop3", "after_read": "move", "move_to": "Done"}),
        ("after_read", {"after_read": "delete"}),
        ("security", {"protocol": "pop3", "security": "plain"}),
        ("username", {"protocol": "pop3", "username": "a\r\nDELE 1"}),
        ("path", {"protocol": "maildir", "path": ""}),
        ("path", {"protocol": "maildir", "path": "relative/drop"}),
        ("path", {"protocol": "maildir", "path": "/tmp/../etc/mail"}),
        ("path", {"protocol": "maildir", "path": "/proc/no-such-place"}),
    ],
)
def test_a_wrong_field_is_named(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as caught:
        save(imap(**changes))
    assert caught.value.field == field
    assert not Mailbox.objects.filter(host="imap.example.com").exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.5.5.5", "::1"])
def test_without_tls_only_this_machine_is_allowed(host: str) -> None:
    assert save(imap(host=host, security="plain")).pk


def test_a_maildir_may_only_move_to_one_folder_or_to_a_whole_path(tmp_path: Path) -> None:
    for target in ("../other", "a/b", str(tmp_path), f"{tmp_path}/../x"):
        with pytest.raises(ServiceError) as caught:
            maildir_mailbox(tmp_path, after_read="move", move_to=target)
        assert caught.value.field == "move_to"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("host", "imap.evil.example"), ("port", 1143), ("security", "starttls")),
        *(("username", "other"), ("protocol", "pop3")),
    ],
)
def test_a_stored_password_is_not_shown_to_another_server(name: str, value: Any) -> None:
    mailbox = save(imap())
    setattr(mailbox, name, value)
    with pytest.raises(ServiceError) as caught:
        save(mailbox, secret=None)
    assert caught.value.field == "secret"
    assert getattr(Mailbox.objects.get(pk=mailbox.pk), name) != value
    assert unseal(save(mailbox, secret="new").secret) == "new"


def test_a_stored_password_is_not_carried_to_another_server_through_a_maildir(tmp_path: Path) -> None:
    mailbox = save(imap())
    mailbox.protocol, mailbox.path, mailbox.host = "maildir", str(tmp_path), "imap.evil.example"
    save(mailbox, secret=None)
    mailbox.protocol = "imap"
    with pytest.raises(ServiceError) as caught:
        save(mailbox, secret=None)
    assert caught.value.field == "secret"


@pytest.mark.parametrize("place", ["/etc/mail", "link"])
def test_a_maildir_is_in_a_folder_that_the_deployer_has_named(place: str, tmp_path: Path, settings: Any) -> None:
    settings.MAILDIR_ROOTS = [tmp_path / "mail"]
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/link").symlink_to(outside)
    inside = tmp_path / "mail/support"
    target = {"after_read": "move", "move_to": str(tmp_path / "mail" / place)}
    for field, changes in {"path": {}, "move_to": target}.items():
        with pytest.raises(ServiceError, match="MAILDIR_ROOTS") as caught:
            maildir_mailbox(inside if changes else tmp_path / "mail" / place, **changes)
        assert caught.value.field == field
    assert not list(outside.iterdir())
    assert maildir_mailbox(inside, after_read="move", move_to=str(tmp_path / "mail/done")).pk


def test_two_mailboxes_cannot_share_a_short_name() -> None:
    save(imap())
    with pytest.raises(ServiceError) as caught:
        save(imap(slug="Support "))
    assert caught.value.field == "slug"


def test_an_imap_mailbox_needs_a_password_once() -> None:
    with pytest.raises(ServiceError) as caught:
        save(imap(), secret="")
    assert caught.value.field == "secret"
    mailbox = save(imap(), secret="first")
    mailbox.secret = ""
    save(mailbox, secret="")
    assert unseal(Mailbox.objects.get(pk=mailbox.pk).secret) == "first"
    save(mailbox, secret="second")
    assert unseal(Mailbox.objects.get(pk=mailbox.pk).secret) == "second"


def test_the_password_is_neither_readable_in_the_table_nor_in_the_audit_log() -> None:
    mailbox = save(imap(), secret="t0p-secret")
    assert "t0p-secret" not in Mailbox.objects.get(pk=mailbox.pk).secret
    entry = AuditEntry.objects.get(action="mailbox.added")
    assert entry.new_values["secret"] == "changed"
    assert mailbox.secret not in str(entry.new_values)


def test_the_audit_log_shows_what_was_changed_and_no_more() -> None:
    mailbox = save(imap())
    mailbox.folder = "Support"
    save(mailbox, secret=None)
    entry = AuditEntry.objects.get(action="mailbox.changed")
    assert (entry.old_values, entry.new_values) == ({"folder": "INBOX"}, {"folder": "Support"})


def test_addresses_are_compared_in_lower_case_and_kept_once() -> None:
    mailbox = save(imap(addresses=["Support@Example.COM", " support@example.com ", ""]))
    assert mailbox.addresses == ["support@example.com"]


def test_a_changed_mailbox_is_looked_at_again_at_once_and_keeps_its_lease() -> None:
    mailbox = save(imap())
    later = timezone.now() + timedelta(hours=1)
    Mailbox.objects.filter(pk=mailbox.pk).update(
        next_pull_at=later, failures=4, lease_token="somebody", lease_until=later
    )
    save(mailbox, secret=None)
    mailbox.refresh_from_db()
    assert (mailbox.next_pull_at, mailbox.failures, mailbox.lease_token) == (None, 0, "somebody")


def test_an_archived_mailbox_is_kept_and_read_no_more() -> None:
    mailbox = archive_mailbox(actor=ACTOR, mailbox=save(imap()))
    assert mailbox not in pullable()
    assert str(pull_mailbox(mailbox)) == "This mailbox is archived."
    with pytest.raises(Conflict):
        archive_mailbox(actor=ACTOR, mailbox=mailbox)


def test_a_built_in_mailbox_is_neither_archived_nor_pulled() -> None:
    built_in = Mailbox.objects.get(slug="import")
    with pytest.raises(ServiceError):
        archive_mailbox(actor=ACTOR, mailbox=built_in)
    assert "built in" in str(pull_mailbox(built_in))


def test_the_audit_says_who_is_believed_and_shows_no_address(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path, addresses=["a@hub.example"], authserv_ids=["mx.hub.example"])
    mailbox.authserv_ids = ["mx.evil.example"]
    mailbox.addresses = ["b@hub.example"]
    mailbox.form_senders = ["form@hub.example", "other@hub.example"]
    mailbox.from_address = "us@hub.example"
    save(mailbox, secret=None)

    [(_, first)] = entries("mailbox.added")
    assert (first["authserv_ids"], first["addresses"]) == (["mx.hub.example"], "1 address")
    [(old, new)] = entries("mailbox.changed")
    assert (old.pop("authserv_ids"), new.pop("authserv_ids")) == (["mx.hub.example"], ["mx.evil.example"])
    assert old == {"addresses": "1 address", "form_senders": "0 addresses", "from_address": "0 addresses"}
    assert new == {"addresses": "(changed)", "form_senders": "2 addresses", "from_address": "1 address"}
    assert "@" not in audit_as_text()


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_the_second_is_audited_against_the_first(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)

    def change(name: str) -> None:
        row = Mailbox.objects.get(pk=mailbox.pk)
        row.authserv_ids = [name]
        save(row, secret=None)

    at_once(lambda: change("a.example"), lambda: change("b.example"), lambda: change("c.example"))

    steps = [(old["authserv_ids"], new["authserv_ids"]) for old, new in entries("mailbox.changed")]
    assert [old for old, _ in steps] == [[], *(new for _, new in steps[:-1])]


def test_a_name_that_is_too_long_stands_at_its_field(tmp_path: Path) -> None:
    for field in ("slug", "name"):
        with pytest.raises(ServiceError) as error:
            maildir_mailbox(tmp_path, **{field: "x" * 201})
        assert error.value.field == field


def test_a_look_whose_time_is_up_says_so_and_goes_on_at_once(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail())
    report = pull_mailbox(mailbox, stopping=lambda: True)
    assert str(report) == "The time was up before everything was read; the rest comes with the next look."
    assert mailbox in due()
    assert str(pull_mailbox(mailbox)) == "1 new mail stored."
