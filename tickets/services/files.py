"""Files that come with a comment: cleaned names, sniffed types, bytes in the blob store."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tickets import blobs
from tickets.models import Attachment, Comment, SearchKind, SearchText, Ticket
from tickets.services.unit import UnitOfWork

# Types that a browser may show inside our pages; everything else is only ever downloaded.
INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"})


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes with the name that somebody gave them. ``mime_type`` '' means: look at the bytes.

    ``stored_size`` is set, and ``content`` empty, where the bytes went straight into the store.
    """

    name: str
    content: bytes = field(repr=False)
    content_id: str = ""
    inline: bool = False
    mime_type: str = ""
    sha256: str = ""  # set once the bytes are in the store
    stored_size: int | None = None

    @property
    def size(self) -> int:
        return len(self.content) if self.stored_size is None else self.stored_size


def store(uploads: Sequence[Upload]) -> list[Upload]:
    """Put the bytes into the store, before any transaction begins. Raises OSError."""
    return [upload if upload.sha256 else replace(upload, sha256=blobs.put(upload.content)) for upload in uploads]


def clean_name(name: str) -> str:
    """A file name that is never a path: no folders, no control characters, no leading dots, at most 200."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    name = re.sub(r"\s+", " ", name).strip().lstrip(". ")
    if len(name) > 200:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 199 - len(ending)]}.{ending}" if dot and len(ending) < 20 else name[:200]
    return name.strip() or "file"


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)


def sniff(content: bytes) -> str:
    """The type by the bytes alone; a browser would look at them too."""
    for magic, mime_type in _MAGIC:
        if content.startswith(magic):
            return mime_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    head = content[:2048]
    if b"\0" in head:
        return "application/octet-stream"
    if re.search(rb"<(?:!doctype\s+html|html|head|body|script|svg|\?xml|iframe|img|table|div|p|a)\b", head, re.I):
        return "text/html"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"


def attach(*, unit: UnitOfWork, ticket: Ticket, comment: Comment, uploads: Sequence[Upload]) -> None:
    """Queue the rows of files whose bytes are in the store."""
    for upload in uploads:
        name = clean_name(upload.name)
        unit.add(
            Attachment(
                ticket=ticket,
                comment=comment,
                name=name,
                size=upload.size,
                mime_type=upload.mime_type or sniff(upload.content),
                sha256=upload.sha256,
                cid=upload.content_id,
                is_inline=upload.inline,
            )
        )
        if not upload.inline:
            unit.add(SearchText(ticket=ticket, kind=SearchKind.ATTACHMENT, text=name))
