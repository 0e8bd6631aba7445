"""What the walk over a mail works with: its parts, the stretches of text, and what was found. Used by the
parsing files only.
"""

from dataclasses import dataclass, field

from emailflow.inbound.parsing.headers import Buffer, HeaderBlock, one_line
from emailflow.inbound.parsing.keep import Keep
from emailflow.inbound.parsing.params import Structured
from emailflow.mail import MailAttachment


@dataclass(slots=True)
class Part:
    """One node: its headers read, its body still encoded and not cut out of the mail."""

    block: HeaderBlock
    source: Buffer
    start: int
    end: int
    content_type: Structured
    disposition: Structured
    parent: str = ""  # the type of the multipart around it, '' for the mail itself
    is_root: bool = False  # of a multipart/related

    @property
    def kind(self) -> str:
        return self.content_type.value

    @property
    def encoding(self) -> str:
        return self.block.first("Content-Transfer-Encoding")

    @property
    def content_id(self) -> str:
        return one_line(self.block.first("Content-ID")).strip("<> ")[:250]


@dataclass(slots=True)
class Segment:
    """One stretch of the readable mail, in the forms that it came in."""

    plain: str = ""
    html: str = ""
    other: str = ""  # text of a kind that is shown only where there is nothing better


@dataclass(slots=True)
class Walked:
    """What the walk found."""

    segments: list[Segment] = field(default_factory=list)
    attachments: list[MailAttachment] = field(default_factory=list)
    delivery_status: list[bytes] = field(default_factory=list)
    feedback: list[bytes] = field(default_factory=list)
    originals: list[HeaderBlock] = field(default_factory=list)  # headers of the mails inside
    report_type: str = ""
    defects: list[str] = field(default_factory=list)
    parts: int = 0
    searched: int = 0
    text_bytes: int = 0
    header_bytes: int = 0
    keep: Keep | None = None  # where big files go
    notes: list[str] = field(default_factory=list)  # what staff should know, though nothing is wrong
    spare: list[Segment] = field(default_factory=list)  # shown where the mail has no other text
    calendars: list[bytes] = field(default_factory=list)
    messages: list[HeaderBlock] = field(default_factory=list)  # of whole mails that are attached
    winmails: int = 0
    opened: int = 0  # signed contents that were taken out

    def note(self, defect: str) -> None:
        if defect and defect not in self.defects:
            self.defects.append(defect)

    def remark(self, sentence: str) -> None:
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)
