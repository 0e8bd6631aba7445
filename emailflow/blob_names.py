"""Which rows name a blob: raw mails that are kept, and files of comments.

Whoever gives a further table a column with the hash of a blob adds it here: what is not named is deleted by
``tickets.blob_trash``, and is in no backup.
"""

from collections.abc import Collection, Iterator

from django.db import connection

from emailflow.models import Message
from tickets.models import Attachment

ALL_NAMED = (
    "SELECT sha256 FROM email_messages WHERE raw_kept UNION SELECT sha256 FROM tticket_attachments ORDER BY sha256"
)
"""Every hash once, for a backup that reads them from its own snapshot."""


def named(hashes: Collection[str]) -> set[str]:
    """Those that a committed row names. Two statements by index."""
    raw = Message.objects.filter(sha256__in=hashes, raw_kept=True).values_list("sha256", flat=True)
    files = Attachment.objects.filter(sha256__in=hashes).values_list("sha256", flat=True)
    return {*raw, *files}


def all_named() -> Iterator[str]:
    """Every hash that a row names, once, in order. Not into memory on PostgreSQL inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(ALL_NAMED)
        while rows := cursor.fetchmany(2000):
            yield from (row[0] for row in rows)
