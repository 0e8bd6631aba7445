"""Builds real mails as bytes, the way a customer's program would write them."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from itertools import count

_clock = count()


def mail(
    text: str = "Hello",
    *,
    sender: str = "Mette Lund <mette@nordwind.example>",
    to: str = "support@hub.example",
    cc: str = "",
    subject: str = "Help",
    message_id: str | None = None,
    in_reply_to: str = "",
    references: str = "",
    date: datetime | None = None,
    html: str = "",
    headers: dict[str, str] | None = None,
    files: dict[str, bytes] | None = None,
) -> bytes:
    """One mail. Every call differs in Message-ID and date unless both are given."""
    message = EmailMessage()
    moment = date or datetime.now(UTC) - timedelta(minutes=5) + timedelta(seconds=next(_clock))
    message["From"] = sender
    message["To"] = to
    if cc:
        message["Cc"] = cc
    message["Subject"] = subject
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = make_msgid(domain="nordwind.example") if message_id is None else message_id
    if in_reply_to:
        message["In-Reply-To"] = in_reply_to
    if references:
        message["References"] = references
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, content in (files or {}).items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
