"""A report as its readers see it: headers, its own words with LF line ends, what it returned. Used by ``bounces`` only.

What stands in a returned mail is never the notice's own text: somebody else wrote it.
"""

import html
import re
from dataclasses import dataclass, field

from emailflow.inbound.parsing.bounces.original import find_header_block
from emailflow.inbound.parsing.headers import HeaderBlock
from emailflow.inbound.parsing.parts import Walked

MAX_TEXT = 60_000
MAX_LINE = 2_000
MAX_LINES = 1_500
MAX_FILES = 3
MAX_MARKS = 20
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d|/table|/pre)\b[^<>]{0,200}>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(/?)(?:style|script|head)\b[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z!][^<>]{0,2000}>", re.IGNORECASE)
# Only a line of its own: the words alone also stand in sentences.
_CUT = re.compile(
    r"^[ \t>|*#=:_-]{0,60}(?:"
    r"(?:the |your |a copy of (?:the |your )?)?(?:original|returned|unsent|undelivered|failed)"
    r" (?:message|mail|e-?mail|text)(?: headers?| text| body)?(?: (?:follows|below|is (?:below|attached)|text"
    r"|attached))?"
    r"|(?:the )?(?:message|mail)(?: header| headers| text| body| contents?)? (?:follows|is attached|is below)"
    r"|headers? (?:of (?:the )?(?:original|message)[^\n]{0,30}|follows?)|message headers?(?: follows?)?"
    r"|(?:below this line is|this is|here is|what follows is|following is|attached is|begin) "
    r"a copy of (?:the|your)[^\n]{0,80}"
    r"|(?:returned|text of|start of|beginning of|content of|copy of) (?:the )?(?:original |returned |your )?"
    r"(?:message|mail)[^\n]{0,40}"
    r"|forwarded message|unsent message below|message text follows[^\n]{0,30}"
    r"|ursprüngliche nachricht|den oprindelige meddelelse[^\n]{0,30}|oprindelig (?:meddelelse|mail)"
    r")[ \t.:|*#=_-]{0,60}$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Notice:
    block: HeaderBlock
    sender: str
    report_type: str
    envelope: str = ""  # of an mbox line, where the mail had one
    lines: list[str] = field(default_factory=list)  # its own words
    tail: list[str] = field(default_factory=list)  # the returned mail, where it stands in the text
    statuses: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    originals: list[HeaderBlock] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def make_notice(block: HeaderBlock, walked: Walked, sender: str, head: bytes) -> Notice:
    """The notice in ``walked``; ``head`` are the first bytes of the mail."""
    notice = Notice(block, sender, walked.report_type, _envelope(head))
    text = _own_text(walked)
    notice.lines, notice.tail = _split(text.split("\n")[:MAX_LINES])
    notice.statuses = [usual(_decoded(content)) for content in walked.delivery_status[:MAX_FILES]]
    notice.feedback = [usual(_decoded(content)) for content in walked.feedback[:MAX_FILES]]
    notice.originals = [*walked.originals[:10]]
    return notice


def usual(text: str) -> str:
    """LF line ends, whatever the mail had, and no line that would cost much to look at."""
    text = text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    return "\n".join(line[:MAX_LINE].rstrip() for line in text.split("\n"))


def _decoded(content: bytes) -> str:
    return content[:MAX_TEXT].decode("utf-8", "replace")


def _envelope(head: bytes) -> str:
    if not head.lstrip(b">\r\n").startswith(b"From "):
        return ""
    words = head.lstrip(b">\r\n")[:400].split()
    return words[1].decode("utf-8", "replace") if len(words) > 1 else ""


def _own_text(walked: Walked) -> str:
    pieces = []
    for segment in walked.segments[:10]:
        plain = segment.plain or segment.other
        pieces.append(usual(plain) if plain.strip() else usual(_of_html(segment.html)))
    files = [file for file in walked.attachments if file.declared_type.startswith("text/") and file.content]
    pieces += [usual(_decoded(file.content)) for file in files[:MAX_FILES]]
    return "\n".join(pieces)[:MAX_TEXT]


def _of_html(markup: str) -> str:
    """Enough of the text for reading words and addresses, in one pass; staff see the rendered one."""
    shown: list[str] = []
    at = depth = 0
    markup = markup[: MAX_TEXT * 2]
    for tag in _HIDDEN.finditer(markup):
        if not depth:
            shown.append(markup[at : tag.start()])
        depth = max(0, depth - 1) if tag[1] else depth + 1
        at = tag.end()
    if not depth:
        shown.append(markup[at:])
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", " ".join(shown))))


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """The notice's own lines and those of the mail that it returned in its text."""
    marks = [number for number, line in enumerate(lines) if 0 < len(line) < 160 and _CUT.match(line)]
    for number in marks[:MAX_MARKS]:
        if _has_content(lines, number):
            return lines[:number], lines[number + 1 :]
    start = find_header_block(lines)
    return (lines[:start], lines[start:]) if start is not None else (lines, [])


def _has_content(lines: list[str], number: int) -> bool:
    """Some notices put such a line first and their own words behind it."""
    return find_header_block(lines[number + 1 : number + 40], least=1) is not None
