"""The stored bytes of a mail, as a ParsedMail.

A big mail is read where it lies on the disk, and its files go from there into the store, so that no worker
needs the memory for the whole of it.
"""

import logging
import os
from dataclasses import replace
from mmap import ACCESS_READ, mmap

from django.conf import settings

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.headers import split_message
from emailflow.mail import ParsedMail
from emailflow.models import Message
from tickets import blobs
from tickets.blobs import BlobMissing

logger = logging.getLogger(__name__)

BIG_MAIL = 8_000_000
_HEADERS = 1_000_000


def read_mail(message: Message) -> ParsedMail:
    """Read and parse it. Raises BlobMissing when the raw mail is gone, OSError when the disk says no.

    A mail above MAIL_MAX_BYTES is kept as it came; only its headers are read.
    """
    with blobs.open_blob(message.sha256) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > settings.MAIL_MAX_BYTES:
            return _too_large(stream.read(_HEADERS), size)
        if size > BIG_MAIL:
            # Not closed by hand: it goes with the last view of it.
            return parse(mmap(stream.fileno(), 0, access=ACCESS_READ), blobs.BlobWriter)
        return parse(stream.read(), blobs.BlobWriter)


def _too_large(head: bytes, size: int) -> ParsedMail:
    _, offset = split_message(head, outer=True)
    words = f"This mail is too large to be shown ({size:,} bytes, the limit is {settings.MAIL_MAX_BYTES:,})."
    mail = parse(head[:offset])
    return replace(
        mail,
        text=f"{words} It is kept as it came and can be downloaded from the mail ledger.",
        reply_text=words,
        size=size,
        defects=(*mail.defects, words),
    )


def read_again(message: Message) -> ParsedMail | None:
    """The mail of an earlier row, to compare with; None when its raw form is not kept any more."""
    if not message.raw_kept:
        return None
    try:
        return read_mail(message)
    except BlobMissing:
        logger.warning("mail %s: its raw form is missing in the store", message.pk, extra={"mail": message.pk})
        return None
