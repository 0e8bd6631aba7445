"""A row of the outbox as the bytes that an SMTP server takes: 7-bit clean, no line above 998, no header but ours.

Every header is written here and not by the email package: its policy turns a long Message-ID in References into an
encoded word (the thread is lost), and writes an encoded word longer than RFC 2047 section 2 allows. Pure.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from itertools import takewhile
from typing import Protocol
from urllib.parse import quote

from emailflow.inbound.parsing.charset import clean
from emailflow.inbound.parsing.headers import one_line
from tickets.errors import ServiceError

MAX_LINE = 76  # RFC 2047 section 2: of a line with an encoded word; wished for by RFC 5322 section 2.1.1
MAX_ADDRESS = 320
MAX_FILE_NAME = 200

_ADDRESS_HEADERS = frozenset({"reply-to"})
_ID_HEADERS = frozenset({"in-reply-to", "references"})
# Written from the columns of the row: a further header of that name would be a second sender or recipient.
_OWN_HEADERS = frozenset(
    {"from", "sender", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "return-path", "received"}
)
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:\"@\x00-\x20\x7f]{1,64}@[^\s<>()\[\]\\,;:\"@\x00-\x20\x7f]{1,255}")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]{1,60}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$&+^_.@~ (),-]{1,60}")
_ID = re.compile(r"<[^<>\s\x00-\x20\x7f-\U0010ffff]{1,900}>")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}")


class OutgoingRow(Protocol):
    """What is read of an ``Outgoing``."""

    sender: str
    recipient: str
    recipient_name: str
    header_message_id: str
    subject: str
    text: str
    html: str
    created_at: datetime

    @property
    def headers(self) -> Mapping[str, str]: ...


class _AsWritten(EmailPolicy):
    """Header values leave as they were set: they are encoded and folded by then."""

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        return name, value

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii")


_POLICY = _AsWritten(linesep="\r\n", cte_type="7bit")


def as_message(row: OutgoingRow, files: Iterable[tuple[bytes, str, str, str]] = ()) -> EmailMessage:
    """The mail of ``row``; ``files`` are (content, name, MIME type, Content-ID or '').

    The Date is the row's ``created_at`` (RFC 5322 section 3.6.1), so that a second try gives the same mail. A file
    with a Content-ID that the HTML names stands beside it (RFC 2387), any other is an attachment. Raises
    ServiceError, with the column, for an address or a header that no mail can carry.
    """
    beside: list[EmailMessage] = []
    attached: list[EmailMessage] = []
    for content, name, mime_type, cid in files:
        is_shown = bool(cid) and f"cid:{cid}" in row.html
        (beside if is_shown else attached).append(_file(content, name, mime_type, cid if is_shown else ""))
    message = _text("plain", row.text)
    if row.html:
        message = _together("alternative", [message, _text("html", row.html)])
    if beside:
        message = _together("related", [message, *beside])
    if attached:
        message = _together("mixed", [message, *attached])
    _write_headers(message, row)
    return message


def _write_headers(message: EmailMessage, row: OutgoingRow) -> None:
    name, _, address = row.sender.rpartition("<")
    message["From"] = address_header(name, address.rstrip("> "), field="sender")
    message["To"] = address_header(row.recipient_name, row.recipient, field="recipient")
    message["Subject"] = _unstructured(row.subject, "Subject")
    message["Date"] = format_datetime(row.created_at)
    message["Message-ID"] = _ids(row.header_message_id, "header_message_id")
    message["MIME-Version"] = "1.0"
    for header, value in row.headers.items():
        wanted = header.lower()
        if not _HEADER_NAME.fullmatch(header) or wanted in _OWN_HEADERS or wanted.startswith("content-"):
            raise ServiceError(f"{header!r} is not a further header of a mail.", field="headers")
        if wanted in _ADDRESS_HEADERS:
            name, _, address = value.rpartition("<")
            message[header] = address_header(name, address.rstrip("> "), field="headers")
        elif wanted in _ID_HEADERS:
            message[header] = _ids(value, "headers")
        else:
            message[header] = _unstructured(value, header)


def written_address(name: str, address: str) -> str:
    """Name and address as the columns hold them, readable and on one line; ``as_message`` takes them apart again."""
    label = one_line(name)
    return f"{label} <{address}>" if label else f"<{address}>"


def wire_address(address: str, *, field: str) -> str:
    """The address in ASCII, its domain in the form of IDNA. Raises ServiceError at ``field`` where there is none."""
    address = address.strip()
    if len(address) > MAX_ADDRESS or not _ADDRESS.fullmatch(address):
        raise ServiceError(f"{one_line(address)[:100]!r} is not an address that mail can go to.", field=field)
    local, _, domain = address.rpartition("@")
    try:
        return f"{local.encode('ascii').decode()}@{domain.encode('idna').decode()}"
    except UnicodeError as error:
        # It would need SMTPUTF8 (RFC 6531) of every server on the way.
        raise ServiceError(f"The address {address[:100]} has letters that mail cannot carry.", field=field) from error


def address_header(name: str, address: str, *, field: str) -> str:
    """``name`` and ``address`` as the value of an address header. Raises ServiceError for an impossible address."""
    wire = wire_address(address, field=field)
    label = one_line(clean(name))[:MAX_FILE_NAME]
    if not label:
        return wire
    if _PLAIN_PHRASE.fullmatch(label) and "=?" not in label:
        words = label
    elif label.isascii() and len(label) <= 60 and "=?" not in label:
        escaped = label.replace("\\", "\\\\").replace('"', '\\"')
        words = f'"{escaped}"'
    else:
        words = _encoded(label, "Reply-To")
    return f"{words}\r\n <{wire}>" if len(words) + len(wire) > 60 else f"{words} <{wire}>"


def _unstructured(text: str, name: str) -> str:
    """Any text as a header's value: as it is, then in encoded words (RFC 2047) from the first word that needs one."""
    words = one_line(clean(text)).split(" ")
    plain = list(takewhile(_is_plain, words))
    if len(plain) == len(words):
        return _folded(words, len(name) + 2)
    # The number of the ticket stays readable for filters; a long beginning would leave no room on the line.
    plain = plain if len(" ".join(plain)) < MAX_LINE // 2 else []
    rest = " ".join(words[len(plain) :])
    return " ".join((*plain, _encoded(rest, " ".join((f"{name}:", *plain)))))


def _is_plain(word: str) -> bool:
    return word.isascii() and "=?" not in word and len(word) < MAX_LINE


def _encoded(line: str, before: str) -> str:
    return Header(line, "utf-8", maxlinelen=MAX_LINE - 1, header_name=before).encode(linesep="\r\n")


def _folded(words: Iterable[str], used: int) -> str:
    """Words with a fold before each that would not fit; one that is too long alone has a line of its own."""
    value = ""
    for word in words:
        if value and used + 1 + len(word) > MAX_LINE:
            value, used = f"{value}\r\n {word}", 1 + len(word)
        else:
            value, used = (f"{value} {word}", used + 1 + len(word)) if value else (word, used + len(word))
    return value


def _ids(value: str, field: str) -> str:
    """Message-IDs, each whole. Raises ServiceError for anything else."""
    words = value.split()
    if not words or not all(_ID.fullmatch(word) for word in words):
        raise ServiceError(f"{one_line(value)[:100]!r} is not a Message-ID.", field=field)
    return _folded(words, len("In-Reply-To: "))


def _together(subtype: str, parts: Iterable[EmailMessage]) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    # In what is quoted-printable or base64 no "=_" can stand (RFC 2045 section 6.7), so this is found nowhere else.
    message["Content-Type"] = f'multipart/{subtype}; boundary="=_{subtype}"'
    for part in parts:
        message.attach(part)
    return message


def _text(subtype: str, text: str) -> EmailMessage:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = (lines if lines.endswith("\n") else f"{lines}\n").encode("utf-8", "replace")
    # RFC 2045 section 6.7; in scripts other than ours it would be thrice as long.
    quoted = binascii.b2a_qp(data, istext=True).decode("ascii")
    is_short = len(quoted) <= len(data) * 1.5 + 100
    part = EmailMessage(policy=_POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable" if is_short else "base64"
    part.set_payload(quoted if is_short else base64.encodebytes(data).decode("ascii"))
    return part


def _file(content: bytes, name: str, mime_type: str, cid: str) -> EmailMessage:
    part = EmailMessage(policy=_POLICY)
    kind = mime_type.strip().lower()
    # RFC 2046 section 5: neither a multipart nor a message may be base64, and as such it would be opened, not kept.
    if not _TYPE.fullmatch(kind) or kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"
    part["Content-Type"] = kind
    part["Content-Transfer-Encoding"] = "base64"
    part["Content-Disposition"] = f"{'inline' if cid else 'attachment'}{_file_name(name)}"
    if cid:
        part["Content-ID"] = _ids(f"<{one_line(cid)}>", "attachments")
    part.set_payload(base64.encodebytes(content).decode("ascii"))
    return part


def _file_name(name: str) -> str:
    """The parameter, never a path: plain where it can be, else encoded and in pieces (RFC 2231 sections 3 and 4)."""
    label = one_line(clean(name).replace("/", "_").replace("\\", "_"))[-MAX_FILE_NAME:] or "file"
    if _PLAIN_NAME.fullmatch(label):
        return f';\r\n filename="{label}"'
    value = quote(label, safe="")
    if len(value) <= 50:
        return f";\r\n filename*=utf-8''{value}"
    pieces = re.findall(r"(?:%..|[^%]){1,18}", value)
    first = f";\r\n filename*0*=utf-8''{pieces[0]}"
    return first + "".join(f";\r\n filename*{index}*={piece}" for index, piece in enumerate(pieces[1:], start=1))
