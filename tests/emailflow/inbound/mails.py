"""Small mails written for the tests of the parsing stages."""

from collections.abc import Iterable

HEAD = (
    "From: Kunde <kunde@example.dk>",
    "To: support@helpdesk.example",
    "Subject: Hjælp",
    "Date: Mon, 2 Mar 2026 10:11:12 +0100",
    "Message-ID: <m1@example.dk>",
    "MIME-Version: 1.0",
)


def mail(*headers: str, body: str | bytes = "hej\r\n", replace: bool = True) -> bytes:
    """A mail with the usual headers, those in ``headers`` in place of the ones of the same name."""
    names = {line.partition(":")[0].lower() for line in headers} if replace else set()
    lines = [line for line in HEAD if line.partition(":")[0].lower() not in names]
    lines.extend(headers)
    content = body.encode() if isinstance(body, str) else body
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def multipart(subtype: str, parts: Iterable[str | bytes], *headers: str, boundary: str = "b1") -> bytes:
    """A mail of several parts; each part brings its own headers."""
    return mail(*headers, f'Content-Type: multipart/{subtype}; boundary="{boundary}"', body=joined(parts, boundary))


def joined(parts: Iterable[str | bytes], boundary: str = "b1") -> bytes:
    pieces = [part.encode() if isinstance(part, str) else part for part in parts]
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in pieces) + mark + b"--\r\n"


def inner(subtype: str, parts: Iterable[str | bytes], boundary: str = "b2") -> bytes:
    """A multipart as a part of another."""
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'
    return head.encode() + joined(parts, boundary)


PLAIN = "Content-Type: text/plain; charset=utf-8\r\n\r\nHej fra teksten"
HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hej fra <b>HTML</b></p>"
