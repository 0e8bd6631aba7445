"""One mail of the demo as data, and the bytes that a mail server would hand over for it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

OUR_DOMAIN = "nordlys-it.example"
OUR_SERVER = f"mx.{OUR_DOMAIN}"
SUPPORT = f"Nordlys IT <support@{OUR_DOMAIN}>"


@dataclass(frozen=True, slots=True)
class File:
    name: str
    mime_type: str
    content: bytes = field(repr=False)
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """``key`` becomes the Message-ID; ``answers`` is the key of another letter.

    In ``subject`` and ``text`` of a letter that ``names`` another one, ``{number}`` is the number of that
    letter's ticket. ``raw`` replaces everything but the lines that the receiving server puts on top.
    """

    key: str
    sender: str
    subject: str
    text: str
    hours_ago: float
    to: str = SUPPORT
    cc: str = ""
    html: str = ""
    answers: str = ""
    names: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    charset: str = "utf-8"
    authentic: str = "pass"
    raw: bytes = field(default=b"", repr=False)

    def moment(self, now: datetime) -> datetime:
        """When it reached our server."""
        return now - timedelta(hours=self.hours_ago)


def message_id(letter: Letter) -> str:
    return f"<{letter.key}@{parseaddr(letter.sender)[1].rpartition('@')[2]}>"


def build(letter: Letter, now: datetime, *, answered: Letter | None = None, number: str = "") -> bytes:
    """The whole mail: what our server puts on top, then what the sender wrote."""
    moment = letter.moment(now)
    address = parseaddr(letter.sender)[1]
    domain = address.rpartition("@")[2]
    top = (
        f"Return-Path: <{address}>\r\n"
        f"Received: from mail.{domain} by {OUR_SERVER} with ESMTPS id {letter.key};\r\n\t{format_datetime(moment)}\r\n"
        f"Authentication-Results: {OUR_SERVER}; dmarc={letter.authentic} header.from={domain}\r\n"
    )
    if letter.raw:
        own = letter.raw.replace(b"{date}", format_datetime(moment).encode("ascii"))
        return top.encode("ascii") + own
    return top.encode("ascii") + _message(letter, moment, answered, number).as_bytes(policy=SMTP)


def _message(letter: Letter, moment: datetime, answered: Letter | None, number: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = letter.sender
    mail["To"] = letter.to
    if letter.cc:
        mail["Cc"] = letter.cc
    mail["Subject"] = letter.subject.replace("{number}", number)
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = message_id(letter)
    if answered:
        mail["In-Reply-To"] = message_id(answered)
        mail["References"] = message_id(answered)
    for name, value in letter.headers:
        mail[name] = value
    text = letter.text.replace("{number}", number)
    if text or not letter.html:
        mail.set_content(text, charset=letter.charset)
    _add_html(mail, letter, has_text=bool(text))
    for file in letter.files:
        if not file.content_id:
            _attach(mail, file)
    return mail


def _add_html(mail: EmailMessage, letter: Letter, *, has_text: bool) -> None:
    if not letter.html:
        return
    if has_text:
        mail.add_alternative(letter.html, subtype="html")
        page = mail.get_payload()[1]  # type: ignore[index]
    else:
        mail.set_content(letter.html, subtype="html")
        page = mail
    assert isinstance(page, EmailMessage)
    for file in letter.files:
        if file.content_id:
            main, _, sub = file.mime_type.partition("/")
            page.add_related(
                file.content, main, sub, cid=f"<{file.content_id}>", filename=file.name, disposition="inline"
            )


def _attach(mail: EmailMessage, file: File) -> None:
    main, _, sub = file.mime_type.partition("/")
    if main == "text":
        mail.add_attachment(file.content.decode("utf-8"), subtype=sub, filename=file.name)
    else:
        mail.add_attachment(file.content, main, sub, filename=file.name)
