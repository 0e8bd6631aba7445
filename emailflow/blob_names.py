"""Which rows name a blob: raw mails that are kept, files of comments, and files of mail that goes out.

Whoever gives a further table a column with the hash of a blob adds it here: what is not named is deleted by
``tickets.blob_trash``, and is in no backup.
"""

from collections.abc import Collection, Iterator

from django.db import connection

from emailflow.models import Message
from tickets.models import Attachment

# A mail that has gone needs its files no more; any other one may be sent, or sent again.
_OUTBOX = (
    "FROM email_outbox, {each}(attachments) AS file "
    "WHERE state IN ('held', 'queued', 'sending', 'failed', 'bounced', 'suppressed', 'cancelled')"
)
_OF_OUTBOX = {
    "postgresql": ("file.value ->> 'sha256'", _OUTBOX.format(each="jsonb_array_elements")),
    "sqlite": ("json_extract(file.value, '$.sha256')", _OUTBOX.format(each="json_each")),
}


def all_named_sql() -> str:
    """Every hash once, for a backup that reads them from its own snapshot."""
    sha256, outbox = _OF_OUTBOX[connection.vendor]
    return (
        "SELECT sha256 FROM email_messages WHERE raw_kept UNION SELECT sha256 FROM tticket_attachments "
        f"UNION SELECT {sha256} {outbox} ORDER BY 1"
    )


def named(hashes: Collection[str]) -> set[str]:
    """Those that a committed row names. Three statements by index."""
    raw = Message.objects.filter(sha256__in=hashes, raw_kept=True).values_list("sha256", flat=True)
    files = Attachment.objects.filter(sha256__in=hashes).values_list("sha256", flat=True)
    return {*raw, *files, *_of_outbox(hashes)}


def _of_outbox(hashes: Collection[str]) -> Iterator[str]:
    if not hashes:
        return
    sha256, outbox = _OF_OUTBOX[connection.vendor]
    marks = ", ".join(["%s"] * len(hashes))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {sha256} {outbox} AND {sha256} IN ({marks})", list(hashes))
        yield from (row[0] for row in cursor.fetchall())


def all_named() -> Iterator[str]:
    """Every hash that a row names, once, in order. Not into memory on PostgreSQL inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(all_named_sql())
        while rows := cursor.fetchmany(2000):
            yield from (row[0] for row in rows)
