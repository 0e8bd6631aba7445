"""Makes the source that a mailbox row describes. The only file of this folder that knows the row."""

import hashlib
from pathlib import Path

from emailflow.fields import SecretUnreadable, unseal
from emailflow.models import Mailbox, Protocol, Security
from emailflow.sources.base import AfterReading, Source, SourceError
from emailflow.sources.imap import ImapSource
from emailflow.sources.maildir import MaildirSource

IMAP_PORT = 143
IMAPS_PORT = 993


def source_of(mailbox: Mailbox) -> Source:
    """Opens nothing yet. Raises SourceError for a row that describes no source."""
    after = AfterReading(mailbox.after_read, mailbox.move_to)
    if mailbox.protocol == Protocol.MAILDIR:
        return MaildirSource(path=Path(mailbox.path), after=after)
    if mailbox.protocol == Protocol.IMAP:
        tls = mailbox.security == Security.TLS
        return ImapSource(
            host=mailbox.host,
            port=mailbox.port or (IMAPS_PORT if tls else IMAP_PORT),
            tls=tls,
            username=mailbox.username,
            password=_secret_of(mailbox),
            folder=mailbox.folder,
            after=after,
        )
    raise SourceError("This mailbox is built in: there is no server to ask", permanent=True)


def source_hash(mailbox: Mailbox) -> str:
    """Names the source in cursors and deliveries: a changed host, user or folder is another source."""
    if mailbox.protocol == Protocol.MAILDIR:
        parts = [mailbox.protocol, mailbox.path]
    else:
        parts = [mailbox.protocol, mailbox.host.lower(), mailbox.username, mailbox.folder]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _secret_of(mailbox: Mailbox) -> str:
    try:
        return unseal(mailbox.secret)
    except SecretUnreadable as error:
        raise SourceError(
            "The stored password cannot be decrypted: enter it again, or bring back the key in FIELD_ENCRYPTION_KEYS",
            permanent=True,
        ) from error
