"""Makes the source that a mailbox row describes. The only file of this folder that knows the row."""

import hashlib
from pathlib import Path
from typing import Any

from emailflow.fields import SecretUnreadable, unseal
from emailflow.models import Mailbox, Protocol, Security
from emailflow.sources.base import AfterReading, Source, SourceError
from emailflow.sources.idle import ListeningSource
from emailflow.sources.imap import ImapSource
from emailflow.sources.maildir import MaildirSource
from emailflow.sources.pop3 import Pop3Source

# By protocol and security (RFC 8314, 3 and 4).
_PORTS = {
    Protocol.IMAP: {Security.TLS: 993, Security.STARTTLS: 143, Security.PLAIN: 143},
    Protocol.POP3: {Security.TLS: 995, Security.STARTTLS: 110, Security.PLAIN: 110},
}


def source_of(mailbox: Mailbox) -> Source:
    """Opens nothing yet. Raises SourceError for a row that describes no source."""
    after = AfterReading(mailbox.after_read, mailbox.move_to)
    if mailbox.protocol == Protocol.MAILDIR:
        return MaildirSource(path=Path(mailbox.path), after=after)
    if mailbox.protocol == Protocol.IMAP:
        return ImapSource(**_imap_values(mailbox), after=after)
    if mailbox.protocol == Protocol.POP3:
        return Pop3Source(
            host=mailbox.host,
            port=_port(mailbox),
            security=mailbox.security,
            username=mailbox.username,
            password=_secret_of(mailbox),
            after=after,
        )
    raise SourceError("This mailbox is built in: there is no server to ask", permanent=True)


def listening_source_of(mailbox: Mailbox) -> ListeningSource:
    """For a row with the protocol IMAP. Raises SourceError for a password that cannot be read."""
    return ListeningSource(**_imap_values(mailbox))


def _imap_values(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "host": mailbox.host,
        "port": _port(mailbox),
        "security": mailbox.security,
        "username": mailbox.username,
        "password": _secret_of(mailbox),
        "folder": mailbox.folder,
    }


def source_hash(mailbox: Mailbox) -> str:
    """Names the source in cursors and deliveries: a changed host, user or folder is another source."""
    if mailbox.protocol == Protocol.MAILDIR:
        parts = [mailbox.protocol, mailbox.path]
    elif mailbox.protocol == Protocol.POP3:
        # A POP3 server knows no folders.
        parts = [mailbox.protocol, mailbox.host.lower(), mailbox.username]
    else:
        parts = [mailbox.protocol, mailbox.host.lower(), mailbox.username, mailbox.folder]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _port(mailbox: Mailbox) -> int:
    return mailbox.port or _PORTS[Protocol(mailbox.protocol)][Security(mailbox.security)]


def _secret_of(mailbox: Mailbox) -> str:
    try:
        return unseal(mailbox.secret)
    except SecretUnreadable as error:
        raise SourceError(
            "The stored password cannot be decrypted: enter it again, or bring back the key in FIELD_ENCRYPTION_KEYS",
            permanent=True,
        ) from error
