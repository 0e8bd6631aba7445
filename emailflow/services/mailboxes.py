"""The only writer of mailbox rows, and the two questions staff ask: does it connect, and what is new?

Used by the admin, the API and the commands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email, validate_slug
from django.db import IntegrityError, transaction
from django.utils import timezone

from emailflow.fields import seal
from emailflow.inbound.pull import pull
from emailflow.inbound.pull_report import PullReport
from emailflow.models import AfterRead, Delivery, Mailbox, MailboxCursor, Protocol, Security, StartPolicy
from emailflow.outbound.smtp import SendError
from emailflow.services.mailbox_smtp import check_smtp, kept_smtp_secret, smtp_sentences
from emailflow.sources.base import Source, SourceError
from emailflow.sources.choose import source_hash, source_of
from emailflow.sources.wire import is_loopback
from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.limits import check_length

MOST_PORTS = 65535
SHORTEST_INTERVAL = 5
_SECURITY_WORDS = {
    Security.TLS: "with TLS",
    Security.STARTTLS: "with TLS by STARTTLS",
    Security.PLAIN: "without TLS",
}
# What an audit row shows: choices, and who is believed; never the secret and no more of an address than its
# mailbox needs.
_AUDITED = (
    *("slug", "name", "protocol", "host", "port", "security", "username", "folder", "path", "start_policy"),
    *("start_days", "after_read", "move_to", "interval", "enabled", "follow_up", "follow_up_days", "team_id"),
    *("plus_addressing", "silent_after", "authserv_ids", "acknowledge"),
    *("smtp_host", "smtp_port", "smtp_security", "smtp_username"),
)
# To whom the password is shown, and how.
_SERVER = ("protocol", "host", "port", "security", "username")
_WITH_SECRET = (Protocol.IMAP, Protocol.POP3)
# Of addresses it keeps how many there are, and that they changed.
_COUNTED = ("addresses", "form_senders", "from_address")
# Of these, that they changed.
_TEXTS = ("signature",)


@dataclass
class Report:
    """The outcome of a test connection: what went well, in order, and at last what did not."""

    ok: bool = True
    sentences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(self.sentences)


def save_mailbox(
    *, actor: Actor, mailbox: Mailbox, secret: str | None = None, smtp_secret: str | None = None
) -> Mailbox:
    """Check, normalise and write a new or changed mailbox with its audit row.

    ``secret`` and ``smtp_secret`` are the plain passwords of the servers that mail comes from and goes to; None or ''
    keeps the stored one, which is only for the server and user that it was entered for. Raises ServiceError naming
    the field. A changed mailbox is looked at again at once.
    """
    if secret:
        mailbox.secret = _sealed(secret, "secret")
    if smtp_secret:
        mailbox.smtp_secret = _sealed(smtp_secret, "smtp_secret")
    _check(mailbox)
    check_smtp(mailbox)
    mailbox.next_pull_at = None
    mailbox.failures = 0
    try:
        # Closes the race between two changes: the audit row of the second says what the first has written.
        with transaction.atomic():
            before = _locked(mailbox) if mailbox.pk else None
            if before is None:
                mailbox.save(force_insert=True)
            else:
                _check_kept(before, mailbox)
                if not secret:
                    mailbox.secret = _kept_secret(before, mailbox)
                if not smtp_secret:
                    mailbox.smtp_secret = kept_smtp_secret(before, mailbox)
                mailbox.save(update_fields=_writable())
            new_secrets = [name for name, plain in (("secret", secret), ("smtp_secret", smtp_secret)) if plain]
            _record(actor, before, mailbox, new_secrets)
    except IntegrityError as error:
        if Mailbox.objects.filter(slug=mailbox.slug).exclude(pk=mailbox.pk).exists():
            raise ServiceError(f"There is a mailbox called {mailbox.slug} already.", field="slug") from error
        raise
    return mailbox


def _sealed(plain: str, name: str) -> str:
    if any(ord(letter) < 32 for letter in plain):
        raise ServiceError("Line breaks and control characters are not allowed here.", field=name)
    return seal(plain)


def _locked(mailbox: Mailbox) -> Mailbox:
    row = Mailbox.objects.select_for_update(no_key=True).filter(pk=mailbox.pk).first()
    if row is None:
        raise Conflict("This mailbox is not there any more.")
    return row


def _check_kept(before: Mailbox, mailbox: Mailbox) -> None:
    if (before.protocol == Protocol.BUILTIN) != (mailbox.protocol == Protocol.BUILTIN):
        raise ServiceError("A built-in mailbox stays one, and no other becomes one.", field="protocol")


def _kept_secret(before: Mailbox, mailbox: Mailbox) -> str:
    """The stored password, but only for the server it was entered for: else whoever names one of his is told it."""
    stored: str = before.secret
    if not stored or all(getattr(before, name) == getattr(mailbox, name) for name in _SERVER):
        return stored
    if mailbox.protocol in _WITH_SECRET:
        raise ServiceError("Enter the password again: it now goes to another server or user.", field="secret")
    return ""


def _record(actor: Actor, before: Mailbox | None, mailbox: Mailbox, new_secrets: list[str]) -> None:
    """What differs; all of it for a new mailbox."""
    old, new = {} if before is None else _values(before), _values(mailbox)
    changed = [name for name in new if before is None or old[name] != new[name]]
    shown_old = {name: _shown(name, old[name]) for name in changed if name in old}
    shown_new = {name: _shown(name, new[name]) for name in changed}
    for name, value in shown_old.items():
        if shown_new[name] == value:
            # As many addresses as before, but others; another text.
            shown_new[name] = "(changed)"
    shown_new |= dict.fromkeys(new_secrets, "changed")
    action = "mailbox.added" if before is None else "mailbox.changed"
    audit.record(actor=actor, action=action, entity=mailbox, old=shown_old, new=shown_new)


def _shown(name: str, value: Any) -> Any:
    if name in _TEXTS:
        return "(text)" if value else ""
    if name not in _COUNTED:
        return value
    number = len(value) if isinstance(value, list) else int(bool(value))
    return f"{number} address{'' if number == 1 else 'es'}"


def archive_mailbox(*, actor: Actor, mailbox: Mailbox) -> Mailbox:
    """Stop reading the mailbox; its mail and its row stay. Raises ServiceError for a built-in one."""
    if mailbox.protocol == Protocol.BUILTIN:
        raise ServiceError("A built-in mailbox cannot be archived.", field="protocol")
    now = timezone.now()
    # The update asks for the old state, so that two clicks write one audit row.
    with transaction.atomic():
        changed = Mailbox.objects.filter(pk=mailbox.pk, archived_at=None).update(archived_at=now, enabled=False)
        if not changed:
            raise Conflict("This mailbox is archived already.")
        audit.record(actor=actor, action="mailbox.archived", entity=mailbox, new={"archived_at": now.isoformat()})
    mailbox.archived_at, mailbox.enabled = now, False
    return mailbox


def bring_back_mailbox(*, actor: Actor, mailbox: Mailbox) -> Mailbox:
    """Read an archived mailbox again, from where reading ended: what has arrived since comes in.

    Raises Conflict for one that is not archived.
    """
    # The update asks for the old state, so that two clicks write one audit row.
    with transaction.atomic():
        changed = Mailbox.objects.filter(pk=mailbox.pk, archived_at__isnull=False).update(
            archived_at=None, enabled=True, next_pull_at=None, failures=0
        )
        if not changed:
            raise Conflict("This mailbox is not archived.")
        audit.record(actor=actor, action="mailbox.brought_back", entity=mailbox, new={"archived_at": None})
    mailbox.refresh_from_db()
    return mailbox


def test_connection(mailbox: Mailbox) -> Report:
    """Connect and look, and change nothing, neither on the server nor here. For saved and unsaved rows."""
    report = Report()
    source: Source | None = None
    try:
        source = source_of(mailbox)
        source.connect()
        report.sentences += _found(mailbox, source)
        source.check_target()
        if mailbox.after_read == AfterRead.MOVE:
            report.sentences.append(f"Mail can be moved to {mailbox.move_to}.")
        report.sentences += smtp_sentences(mailbox)
    except (SourceError, SendError) as error:
        report.ok = False
        report.sentences.append(_sentence(error.message))
    finally:
        if source is not None:
            source.close()
    return report


def pull_mailbox(mailbox: Mailbox, *, stopping: Callable[[], bool] = lambda: False) -> PullReport:
    """Look now, whether it is due or not. The report says in sentences what was found or what went wrong.

    ``stopping`` is asked between batches; a look that it ended says so.
    """
    if mailbox.archived_at is not None:
        return PullReport(mailbox.name, error="This mailbox is archived")
    return pull(mailbox, stopping=stopping)


def _found(mailbox: Mailbox, source: Source) -> list[str]:
    number = source.count()
    mails = f"{number} mail{'' if number == 1 else 's'}"
    if mailbox.protocol == Protocol.MAILDIR:
        sentences = [f"The folder {mailbox.path} can be read.", f"It holds {mails}."]
    else:
        sentences = [
            f"Connected to {mailbox.host}, {_SECURITY_WORDS[Security(mailbox.security)]}.",
            f"Logged in as {mailbox.username}.",
            f"{_place(mailbox)} holds {mails}.",
        ]
    return [*sentences, _first_fetch(mailbox, source)]


def _place(mailbox: Mailbox) -> str:
    return "The mailbox" if mailbox.protocol == Protocol.POP3 else f"The folder {mailbox.folder}"


def _first_fetch(mailbox: Mailbox, source: Source) -> str:
    """What the next look would fetch first, in words."""
    known = MailboxCursor.objects.filter(mailbox_id=mailbox.pk, source=source_hash(mailbox))
    cursor = known.filter(uidvalidity=source.uidvalidity()).order_by("-pk").first()
    if cursor is not None:
        read = Delivery.objects.filter(mailbox_id=mailbox.pk, source=cursor.source).count()
        if not read:
            return "It has been looked at before, and no mail was to be read: reading goes on from there."
        words = "1 mail was" if read == 1 else f"{read} mails were"
        return f"{words} listed before: reading goes on from there."
    if mailbox.start_policy == StartPolicy.NOW:
        return "The first look fetches nothing that is there now, only mail that arrives from then on."
    if mailbox.start_policy == StartPolicy.DAYS:
        days = mailbox.start_days
        return f"The first look fetches the mail of the last {days} day{'' if days == 1 else 's'}."
    return "The first look fetches everything that is there."


def _check(mailbox: Mailbox) -> None:
    mailbox.slug = mailbox.slug.strip().lower()
    mailbox.name = mailbox.name.strip() or mailbox.slug
    for name in ("slug", "name"):
        check_length(getattr(mailbox, name), name)
    mailbox.addresses = _addresses(mailbox.addresses, "addresses")
    mailbox.form_senders = _addresses(mailbox.form_senders, "form_senders")
    mailbox.authserv_ids = [str(name).strip().lower() for name in mailbox.authserv_ids or [] if str(name).strip()]
    mailbox.from_address = (_addresses([mailbox.from_address], "from_address") or [""])[0]
    try:
        validate_slug(mailbox.slug)
    except ValidationError as error:
        raise ServiceError("Use letters, digits, hyphens and underscores for the short name.", field="slug") from error
    for name in ("protocol", "security", "start_policy", "after_read", "follow_up"):
        _check_choice(mailbox, name)
    if mailbox.interval < SHORTEST_INTERVAL:
        raise ServiceError(f"Leave at least {SHORTEST_INTERVAL} seconds between two looks.", field="interval")
    if mailbox.protocol in _WITH_SECRET:
        _check_server(mailbox)
    elif mailbox.protocol == Protocol.MAILDIR:
        _check_maildir(mailbox)
    _check_after_read(mailbox)


def _check_choice(mailbox: Mailbox, name: str) -> None:
    value = getattr(mailbox, name)
    choices = [str(choice) for choice, _ in Mailbox._meta.get_field(name).choices or ()]  # type: ignore[union-attr]
    if value not in choices:
        raise ServiceError(f"{value!r} is not a choice; use one of {', '.join(choices)}.", field=name)


def _check_server(mailbox: Mailbox) -> None:
    mailbox.host = mailbox.host.strip().lower()
    mailbox.username = mailbox.username.strip()
    mailbox.folder = mailbox.folder.strip() or "INBOX"
    if not mailbox.host or any(letter.isspace() or letter == "/" for letter in mailbox.host):
        raise ServiceError("Enter the name of the mail server, like mail.example.com.", field="host")
    if mailbox.port is not None and not 1 <= mailbox.port <= MOST_PORTS:
        raise ServiceError(f"A port is a number from 1 to {MOST_PORTS}.", field="port")
    if mailbox.security == Security.PLAIN and not is_loopback(mailbox.host):
        raise ServiceError(
            f"{mailbox.host} is not this machine: without TLS the password could be read on the way. "
            "Choose TLS or STARTTLS.",
            field="security",
        )
    if not mailbox.username:
        raise ServiceError("Enter the user name of the mailbox.", field="username")
    if not mailbox.secret and not (mailbox.pk and Mailbox.objects.filter(pk=mailbox.pk).exclude(secret="").exists()):
        raise ServiceError("Enter the password of the mailbox.", field="secret")
    for name in ("host", "username", "folder", "move_to"):
        _check_line(mailbox, name)


def _check_line(mailbox: Mailbox, name: str) -> None:
    # A line break would begin a command of its own.
    if any(ord(letter) < 32 for letter in getattr(mailbox, name)):
        raise ServiceError("Line breaks and control characters are not allowed here.", field=name)


def _check_maildir(mailbox: Mailbox) -> None:
    path = Path(mailbox.path.strip())
    mailbox.path = str(path)
    if not path.is_absolute() or ".." in path.parts or "\0" in mailbox.path:
        raise ServiceError("Enter the whole path of the Maildir, from / on and without '..'.", field="path")
    _check_root(path, "path")
    if not path.exists():
        # Made by nobody here: a mistyped path would be read for ever, and never hold a mail.
        raise ServiceError(f"There is no folder {path}. Make it first, or correct the path.", field="path")
    try:
        for name in ("tmp", "new", "cur"):
            (path / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ServiceError(f"The folder cannot be used: {error.strerror}.", field="path") from error


def _check_root(path: Path, name: str) -> None:
    """Staff choose folders of mail, not any folder of this machine."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:
        # A link that leads to itself.
        raise ServiceError(f"{path} leads nowhere.", field=name) from error
    if not any(real.is_relative_to(Path(root).resolve()) for root in settings.MAILDIR_ROOTS):
        raise ServiceError(
            f"{path} is in none of the folders where Maildirs may be. Use one below {settings.DATA_DIR}, or let the "
            "setting MAILDIR_ROOTS name another.",
            field=name,
        )


def _check_after_read(mailbox: Mailbox) -> None:
    """Each protocol has its own ways: POP3 knows neither flags nor folders, and nobody else deletes."""
    pop3 = mailbox.protocol == Protocol.POP3
    if pop3 and mailbox.after_read not in (AfterRead.NOTHING, AfterRead.DELETE):
        raise ServiceError("A POP3 server can leave mail or delete it, nothing else.", field="after_read")
    if not pop3 and mailbox.after_read == AfterRead.DELETE:
        raise ServiceError("Only mail of a POP3 server is deleted. Move it to a folder instead.", field="after_read")
    if mailbox.after_read == AfterRead.MOVE:
        _check_move(mailbox)


def _check_move(mailbox: Mailbox) -> None:
    mailbox.move_to = mailbox.move_to.strip()
    if not mailbox.move_to:
        raise ServiceError("Name the folder that the mail is moved to.", field="move_to")
    if mailbox.protocol == Protocol.IMAP and mailbox.move_to == mailbox.folder:
        raise ServiceError("The mail cannot be moved to the folder that it is read from.", field="move_to")
    if mailbox.protocol == Protocol.MAILDIR:
        name = Path(mailbox.move_to)
        if ".." in name.parts or (not name.is_absolute() and len(name.parts) != 1) or "\0" in mailbox.move_to:
            raise ServiceError("Name one folder, or the whole path of another Maildir.", field="move_to")
        _check_root(Path(mailbox.path) / name, "move_to")
        if name == Path(mailbox.path):
            raise ServiceError("The mail cannot be moved to the folder that it is read from.", field="move_to")


def _addresses(values: list[Any], name: str) -> list[str]:
    found: list[str] = []
    for value in values or []:
        address = str(value).strip().lower()
        if not address or address in found:
            continue
        try:
            validate_email(address)
        except ValidationError as error:
            # An intranet's addresses may have a domain without a dot.
            local, at, domain = address.rpartition("@")
            if not at or not local or not domain or any(letter in ' ,;<>"' for letter in address):
                raise ServiceError(f"{address} is not an e-mail address.", field=name) from error
        found.append(address)
    return found


def _values(mailbox: Mailbox) -> dict[str, Any]:
    return {name: getattr(mailbox, name) for name in (*_AUDITED, *_COUNTED, *_TEXTS)}


def _writable() -> list[str]:
    """All that staff may set. Lease, success and error belong to the pull, which may be running now."""
    kept = {"id", "created_at", "archived_at", "lease_token", "lease_until", "last_success_at", "last_error"}
    kept.add("last_error_at")
    return [column.name for column in Mailbox._meta.concrete_fields if column.name not in kept]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
