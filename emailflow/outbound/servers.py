"""Which mail server sends a row: the mailbox's own, else the one of EMAIL_URL. For ``send`` and the mailbox form."""

from urllib.parse import urlsplit

from django.conf import settings

from emailflow.fields import SecretUnreadable, unseal
from emailflow.models import Mailbox, Security
from emailflow.outbound.smtp import SendError, Server

# By security (RFC 8314, 3.3; RFC 6409, 3.1).
_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.PLAIN: 25}
_SMTP = "django.core.mail.backends.smtp.EmailBackend"


def server_of(mailbox: Mailbox | None) -> Server | None:
    """None: EMAIL_URL names no mail server but a screen, a folder or nothing, and Django's backend takes the mail.

    Raises SendError for a password that cannot be read.
    """
    if mailbox is not None and mailbox.smtp_host:
        return Server(
            host=mailbox.smtp_host,
            port=mailbox.smtp_port or _PORTS[Security(mailbox.smtp_security)],
            security=mailbox.smtp_security,
            username=mailbox.smtp_username,
            password=_secret_of(mailbox),
            our_name=_our_name(),
        )
    if settings.EMAIL_BACKEND != _SMTP:
        return None
    return Server(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        security="tls" if settings.EMAIL_USE_SSL else "starttls" if settings.EMAIL_USE_TLS else "plain",
        username=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        our_name=_our_name(),
    )


def _secret_of(mailbox: Mailbox) -> str:
    try:
        return unseal(mailbox.smtp_secret)
    except SecretUnreadable as error:
        raise SendError(
            "The stored password of the outgoing server cannot be decrypted: enter it again, or bring back the key in "
            "FIELD_ENCRYPTION_KEYS",
            whole_server=True,
        ) from error


def _our_name() -> str:
    """For EHLO (RFC 5321, 4.1.1.1). Not by asking the name system, which may take seconds to say nothing."""
    return (urlsplit(settings.SITE_URL).hostname or "localhost").encode("idna").decode()
