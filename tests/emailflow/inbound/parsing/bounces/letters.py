"""Notices of mail servers, written for these tests in the forms that the servers use."""

from emailflow.inbound.parse import parse
from emailflow.mail import Bounce
from tests.emailflow.inbound.mails import mail, multipart

OURS = "<ours-1@helpdesk.example>"
ORIGINAL = (
    f"Message-ID: {OURS}\r\nIn-Reply-To: <m1@example.dk>\r\nReferences: <m0@example.dk> <m1@example.dk>\r\n"
    "From: Support <support@helpdesk.example>\r\nTo: Kunde <kunde@example.dk>\r\nCc: bo@example.dk\r\n"
    "Subject: =?utf-8?q?Svar_p=C3=A5_din_sag?=\r\n"
)
RETURNED = f"Content-Type: message/rfc822\r\n\r\n{ORIGINAL}\r\nHej Kunde\r\n"
DAEMON = ("From: Mail Delivery System <MAILER-DAEMON@mx.example>", "Return-Path: <>")
FAILED = "Subject: Undelivered Mail Returned to Sender"


def bounce_of(raw: bytes) -> Bounce:
    bounce = parse(raw).bounce
    assert bounce is not None
    return bounce


def notice(text: str, *headers: str) -> bytes:
    """A notice in words only, from a mail server."""
    return mail(*DAEMON, *(headers or (FAILED,)), body=text.replace("\n", "\r\n"))


def status(*groups: str) -> str:
    """A delivery-status part with these groups about a recipient each."""
    told = "\r\n\r\n".join(group.strip().replace("\n", "\r\n") for group in groups)
    return f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n{told}\r\n"


def report(*parts: str, words: str = "It did not work.", headers: tuple[str, ...] = (*DAEMON, FAILED)) -> bytes:
    """A multipart/report (RFC 6522) of a mail server."""
    text = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{words}".replace("\r\n", "\n").replace("\n", "\r\n")
    return multipart("report; report-type=delivery-status", [text, *parts], *headers)
