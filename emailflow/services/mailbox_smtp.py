"""The outgoing server of a mailbox: what may be entered, whom its password is for, and whether it answers.

For ``emailflow.services.mailboxes`` only, which writes.
"""

from emailflow.models import Mailbox, Security
from emailflow.outbound.servers import server_of
from emailflow.outbound.smtp import greet
from emailflow.sources.wire import is_loopback
from tickets.errors import ServiceError

MOST_PORTS = 65535
# To whom the password is shown, and how.
_SERVER = ("smtp_host", "smtp_port", "smtp_security", "smtp_username")


def check_smtp(mailbox: Mailbox) -> None:
    """Normalise the fields ``smtp_*`` and ``signature``. Raises ServiceError naming the field."""
    for name in ("smtp_host", "smtp_username", "signature"):
        setattr(mailbox, name, getattr(mailbox, name).strip())
    mailbox.smtp_host = mailbox.smtp_host.lower()
    if mailbox.smtp_security not in Security.values:
        choices = ", ".join(Security.values)
        raise ServiceError(f"{mailbox.smtp_security!r} is not a choice; use one of {choices}.", field="smtp_security")
    if not mailbox.smtp_host:
        if mailbox.smtp_username:
            raise ServiceError("Enter the name of the server that this user is known to.", field="smtp_host")
        mailbox.smtp_port, mailbox.smtp_secret = None, ""
        return
    # A line break would begin a command of its own.
    for name in ("smtp_host", "smtp_username"):
        if any(ord(letter) < 32 for letter in getattr(mailbox, name)):
            raise ServiceError("Line breaks and control characters are not allowed here.", field=name)
    if any(letter.isspace() or letter == "/" for letter in mailbox.smtp_host):
        raise ServiceError("Enter the name of the mail server, like smtp.example.com.", field="smtp_host")
    if mailbox.smtp_port is not None and not 1 <= mailbox.smtp_port <= MOST_PORTS:
        raise ServiceError(f"A port is a number from 1 to {MOST_PORTS}.", field="smtp_port")
    if mailbox.smtp_security == Security.PLAIN and not is_loopback(mailbox.smtp_host):
        raise ServiceError(
            f"{mailbox.smtp_host} is not this machine: without TLS the mail and the password could be read on the way. "
            "Choose TLS or STARTTLS.",
            field="smtp_security",
        )
    if mailbox.smtp_username and not (mailbox.smtp_secret or _has_one(mailbox)):
        raise ServiceError("Enter the password of this user.", field="smtp_secret")
    if not mailbox.smtp_username:
        mailbox.smtp_secret = ""


def _has_one(mailbox: Mailbox) -> bool:
    return bool(mailbox.pk and Mailbox.objects.filter(pk=mailbox.pk).exclude(smtp_secret="").exists())


def kept_smtp_secret(before: Mailbox, mailbox: Mailbox) -> str:
    """The stored password, but only for the server it was entered for: else whoever names one of his is told it.

    Raises ServiceError where it would now go to another server or user.
    """
    if not before.smtp_secret or not mailbox.smtp_username:
        return ""
    if any(getattr(before, name) != getattr(mailbox, name) for name in _SERVER):
        raise ServiceError("Enter the password again: it now goes to another server or user.", field="smtp_secret")
    stored: str = before.smtp_secret
    return stored


def smtp_sentences(mailbox: Mailbox) -> list[str]:
    """Greet the outgoing server and log in; no mail is sent. Raises SendError with what went wrong."""
    server = server_of(mailbox) if mailbox.smtp_host else None
    if server is None:
        return []
    greet(server)
    login = f" and logged in as {mailbox.smtp_username}" if mailbox.smtp_username else ""
    return [f"Outgoing mail: connected to {mailbox.smtp_host}{login}."]
