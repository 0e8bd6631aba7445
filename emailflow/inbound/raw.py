"""The stored bytes of a mail, as a ParsedMail."""

import logging
from dataclasses import replace

from django.conf import settings

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.headers import split_message
from emailflow.mail import ParsedMail
from emailflow.models import Message
from tickets import blobs
from tickets.blobs import BlobMissing

logger = logging.getLogger(__name__)


def read_mail(message: Message) -> ParsedMail:
    """Read and parse it. Raises BlobMissing when the raw mail is gone, OSError when the disk says no.

    A mail above MAIL_MAX_BYTES is kept as it came; only its headers are read.
    """
    raw = blobs.read(message.sha256)
    if len(raw) <= settings.MAIL_MAX_BYTES:
        return parse(raw)
    _, offset = split_message(raw[:1_000_000], outer=True)
    limit = settings.MAIL_MAX_BYTES
    words = f"This mail is too large to be shown ({len(raw):,} bytes, the limit is {limit:,})."
    mail = parse(raw[:offset])
    return replace(
        mail,
        text=f"{words} It is kept as it came and can be downloaded from the mail ledger.",
        reply_text=words,
        size=len(raw),
        defects=(*mail.defects, words),
    )


def read_again(message: Message) -> ParsedMail | None:
    """The mail of an earlier row, to compare with; None when its raw form is not kept any more."""
    if not message.raw_kept:
        return None
    try:
        return read_mail(message)
    except BlobMissing:
        logger.warning("mail %s: its raw form is missing in the store", message.pk)
        return None
