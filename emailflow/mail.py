"""The only form of a mail that other files see.

Everything here is frozen and free of Django: ``parse`` makes it, ``screen``, ``authenticate``, ``thread``,
``classify`` and the rules read it. A strange mail is described by ``defects``, never by an exception.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a mail is by its form (RFC 3834, RFC 3464, RFC 5965), named by ``screen``."""

    PERSON = "person"
    AUTO_REPLY = "auto_reply"
    AUTO_GENERATED = "auto_generated"
    LIST = "list"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    LOOP = "loop"


class Verdict(StrEnum):
    """How far the From address can be believed, from our own mail server's word only (RFC 8601)."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address header; ``address`` as written, ``key`` for comparing."""

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """In lower case. A letter that only looks like one of ours (the sign for Kelvin) does not become it."""
        address = self.address.strip()
        if not address.isascii():
            address = "".join(
                "\ufffd" if char.lower()[:1].isascii() and not char.isascii() else char for char in address
            )
        return address.lower()

    @property
    def domain(self) -> str:
        _, at, domain = self.key.rpartition("@")
        return domain if at else ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A part that is not the text. ``name`` is never a path; ``mime_type`` is sniffed from the content.

    A big one was written into the store while it was decoded: ``stored_size`` is set and ``content`` is empty.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str
    mime_type: str
    declared_type: str = ""
    inline: bool = False
    content_id: str = ""  # without angle brackets
    stored_size: int | None = None

    @property
    def size(self) -> int:
        return len(self.content) if self.stored_size is None else self.stored_size

    @property
    def in_store(self) -> bool:
        """Whether its bytes are a blob named by ``sha256`` already."""
        return self.stored_size is not None


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str


class Report(StrEnum):
    """What a mail server reports about a mail of ours (RFC 3464 section 2.3.3, RFC 5965)."""

    BOUNCE = "bounce"  # given up for at least one recipient
    DELAY = "delay"  # not yet delivered; the server goes on trying
    SUCCESS = "success"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """What a report says of one recipient (RFC 3464 section 2.3).

    ``address`` is who was meant: the Final-Recipient, or the original one where the final is no address.
    """

    address: str
    final: str = ""  # as given, without its type
    original: str = ""  # as given, without its type
    action: str = "failed"  # failed, delayed, delivered, relayed, expanded; of a complaint ''
    status: str = ""  # RFC 3463, or ''
    diagnostic: str = ""
    hard: bool = False  # the address or its host does not exist: trying again is of no use

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address by which the report names it, for finding what we sent to it; each once."""
        return tuple(dict.fromkeys(name for name in (self.address, self.original, self.final) if "@" in name))


@dataclass(frozen=True, slots=True)
class OriginalMail:
    """The mail that a report is about, as far as it was returned. Anybody may have written this."""

    message_id: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """The fields of a complaint (RFC 5965 section 3) that name its kind, recipients and time."""

    feedback_type: str = ""
    original_recipients: tuple[str, ...] = ()
    original_mail_from: str = ""
    arrival_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery or feedback report says. ``suspected``: it has the form of one, but nobody could be read
    out of it or the text alone says so; such a report is shown and changes nothing.
    """

    report: Report = Report.BOUNCE
    reports: tuple[ReportedRecipient, ...] = ()
    original: OriginalMail = OriginalMail()
    suspected: bool = False
    feedback: Feedback | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom it is about, each once: of a bounce or a delay, only those who were not reached."""
        return tuple(dict.fromkeys(one.address for one in self._main() if one.address))

    @property
    def status(self) -> str:
        """The first recipient's enhanced code that there is, or ''."""
        return next((one.status for one in self._main() if one.status), "")

    @property
    def action(self) -> str:
        return next((one.action for one in self._main()), "")

    @property
    def diagnostic(self) -> str:
        return next((one.diagnostic for one in self._main() if one.diagnostic), "")

    @property
    def original_message_id(self) -> str:
        return self.original.message_id

    @property
    def hard(self) -> bool:
        """Whether everybody whom it is about can never be reached at that address."""
        main = self._main()
        return self.report is Report.BOUNCE and bool(main) and all(one.hard for one in main)

    def _main(self) -> list[ReportedRecipient]:
        if self.report in (Report.SUCCESS, Report.COMPLAINT):
            return list(self.reports)
        return sorted(
            (one for one in self.reports if one.action in ("failed", "delayed")),
            key=lambda one: one.action != "failed",
        )


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One mail, decoded. Message ids carry their angle brackets; dates are aware and in UTC."""

    message_id: str = ""
    subject: str = ""
    sender: Address = Address("")
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    date: datetime | None = None
    received_at: datetime | None = None  # our topmost Received header
    text: str = ""  # whole, LF line ends; made of the HTML where there is no plain part
    reply_text: str = ""  # the new part of it
    html: str = ""  # sanitised, remote images in data attributes, cid: kept
    attachments: tuple[MailAttachment, ...] = ()
    headers: tuple[Header, ...] = ()
    bounce: Bounce | None = None
    size: int = 0
    defects: tuple[str, ...] = ()
    senders: tuple[Address, ...] = ()  # every address of every From header; more than one is never believed
    has_html: bool = False  # the mail brought HTML, even if it could not be shown
    report_type: str = ""  # of a multipart/report (RFC 6522)
    notes: tuple[str, ...] = ()  # what staff should know beside the text: an invitation, why there is no text
    forwarded_from: Address | None = None  # who wrote first; only ever a hint

    def header(self, name: str) -> str:
        """The first header of that name, decoded, or ''."""
        return next(self.header_values(name), "")

    def header_values(self, name: str) -> Iterator[str]:
        wanted = name.lower()
        return (header.value for header in self.headers if header.name.lower() == wanted)

    @property
    def is_complaint(self) -> bool:
        """Whether it is a feedback report (RFC 5965)."""
        return self.bounce is not None and self.bounce.report is Report.COMPLAINT

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everyone the mail names as a recipient, and the envelope's Delivered-To."""
        delivered = (Address(v) for n in ("Delivered-To", "X-Original-To") for v in self.header_values(n))
        return (*self.to, *self.cc, *delivered)
