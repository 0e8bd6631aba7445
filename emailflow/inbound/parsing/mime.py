"""The walk over the parts of a mail (RFC 2045, RFC 2046): what is text, what is an attachment.

Bytes are cut at boundaries from the outside in, so that an inner multipart that never ends cannot swallow
its neighbours, and with limits in place of exceptions. Used by ``parse`` only.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from emailflow.inbound.parsing.headers import HeaderBlock, decode_words, one_line, split_message, without_mbox_line
from emailflow.inbound.parsing.names import declared_name, made_up_name, name_of_location, name_of_message, safe_name
from emailflow.inbound.parsing.params import Structured, parse_structured
from emailflow.inbound.parsing.sniff import sniff
from emailflow.inbound.parsing.transfer import decode_payload, read_text
from emailflow.mail import MailAttachment

MAX_DEPTH = 100
MAX_PARTS = 1_000
# Each level of nesting is searched once more; a mail may not cost more than this many bytes of searching.
MAX_SEARCHED = 1_000_000_000
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
# Some servers give their human words this type too; those are text.
_STATUS_FIELD = re.compile(rb"^(?:reporting-mta|final-recipient|original-recipient|action)[ \t]*:", re.I | re.M)
_ORIGINAL_HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
_MESSAGES = ("message/rfc822", "message/global", "message/news")


@dataclass(slots=True)
class Part:
    """One node: its headers read, its body still encoded."""

    block: HeaderBlock
    body: bytes
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

    def note(self, defect: str) -> None:
        if defect and defect not in self.defects:
            self.defects.append(defect)


def walk(block: HeaderBlock, body: bytes) -> Walked:
    """Reads every part of a mail. Never raises on content; what was cut is a defect in words."""
    walked = Walked()
    root = _part(block, body, parent="", default="text/plain")
    if root.kind == "multipart/report":
        walked.report_type = root.content_type.params.get("report-type", "").lower()
    walked.segments = _visit(root, 0, walked)
    return walked


def _part(block: HeaderBlock, body: bytes, *, parent: str, default: str) -> Part:
    content_type = parse_structured(block.first("Content-Type"))
    if content_type.value in ("text", "plain"):
        content_type.value = "text/plain"
    if content_type.value.count("/") != 1:
        content_type.value = default
    return Part(block, body, content_type, parse_structured(block.first("Content-Disposition")), parent)


def _visit(part: Part, depth: int, walked: Walked) -> list[Segment]:
    if part.kind.startswith("multipart/"):
        if depth >= MAX_DEPTH:
            walked.note(f"The parts are nested deeper than {MAX_DEPTH} levels; the innermost were left out.")
            return []
        children = _children(part, walked)
        if children is not None:
            return _combine(part, children, depth, walked)
        part.content_type.value = "text/plain"
        walked.note("The mail says that it has several parts, but the marks between them are missing.")
    return _leaf(part, walked)


def _combine(part: Part, children: Iterator[Part], depth: int, walked: Walked) -> list[Segment]:
    """The segments of a multipart: alternatives are one segment, anything else is read in order."""
    segments: list[Segment] = []
    start = part.content_type.params.get("start", "").strip("<> ")
    for number, child in enumerate(children):
        if part.kind == "multipart/related":
            child.is_root = number == 0 if not start else child.content_id == start
        segments.extend(_visit(child, depth + 1, walked))
    if part.kind != "multipart/alternative":
        return segments
    plain = "\n\n".join(s.plain for s in segments if s.plain.strip())
    html = "\n".join(s.html for s in segments if s.html)
    other = "" if plain or html else "\n\n".join(s.other for s in segments)
    return [Segment(plain or other, html)] if plain or html or other else []


def _children(part: Part, walked: Walked) -> Iterator[Part] | None:
    """The parts of a multipart, or None when no boundary line is found."""
    boundary = part.content_type.params.get("boundary", "").rstrip()
    body, _ = decode_payload(part.body, part.encoding)
    if body is not part.body and boundary.encode("utf-8", "replace") not in body:
        body = part.body
    marks = _find(body, boundary.encode("utf-8", "replace"), walked) if boundary else []
    if not marks:
        guessed = _guess_boundary(body)
        marks = _find(body, guessed, walked) if guessed else []
        if marks:
            walked.note("The boundary of a multipart is not the declared one and was guessed.")
    if not marks:
        return None
    default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
    return _cut(part, body, marks, default, walked)


def _cut(part: Part, body: bytes, marks: list[tuple[int, int, bool]], default: str, walked: Walked) -> Iterator[Part]:
    for index, (_, start, is_end) in enumerate(marks):
        if is_end:
            return
        if walked.parts >= MAX_PARTS:
            walked.note(f"The mail has more than {MAX_PARTS:,} parts; the others were left out.")
            return
        walked.parts += 1
        last = index + 1 == len(marks)
        if last:
            walked.note("The last part of the mail has no end mark; it may be incomplete.")
        content = body[start : len(body) if last else marks[index + 1][0]]
        if last and not content.strip():
            return
        block, offset = split_message(content)
        child = _part(block, content[offset:], parent=part.kind, default=default)
        # Some programs name the charset once, on the multipart.
        if child.kind.startswith("text/") and part.content_type.params.get("charset"):
            child.content_type.params.setdefault("charset", part.content_type.params["charset"])
        yield child


def _find(body: bytes, boundary: bytes, walked: Walked) -> list[tuple[int, int, bool]]:
    """The boundary lines as (end of the part before, start of the part after, closing)."""
    marks: list[tuple[int, int, bool]] = []
    needle = b"--" + boundary
    walked.searched += len(body)
    if walked.searched > MAX_SEARCHED:
        walked.note("The parts are nested in a way that costs too much; the innermost were left out.")
        return marks
    at = body.find(needle)
    while at >= 0 and len(marks) <= MAX_PARTS + 1:
        mark = _mark(body, at, at + len(needle))
        if mark:
            marks.append(mark)
            if mark[2]:
                break
        at = body.find(needle, at + len(needle))
    return marks


def _mark(body: bytes, at: int, after: int) -> tuple[int, int, bool] | None:
    if at and body[at - 1] not in b"\r\n":
        return None
    closing = body[after : after + 2] == b"--"
    after += 2 if closing else 0
    while after < len(body) and body[after] in b" \t":
        after += 1
    if after < len(body) and body[after] not in b"\r\n":
        return None
    after += 2 if body[after : after + 2] == b"\r\n" else 1
    end = at
    if end and body[end - 1] == 10:
        end -= 1
    if end and body[end - 1] == 13:
        end -= 1
    return end, min(after, len(body)), closing


def _guess_boundary(body: bytes) -> bytes:
    """A line ``--x`` that is followed by a Content- header, when the declared boundary does not occur."""
    at = 0 if body.startswith(b"--") else body.find(b"\n--", 0, 100_000) + 1
    line, _, rest = body[at : at + 400].partition(b"\n")
    candidate = line.strip()[2:]
    return candidate if candidate and rest.lower().startswith(b"content-") else b""


def _leaf(part: Part, walked: Walked) -> list[Segment]:
    content, defect = decode_payload(part.body, part.encoding)
    walked.note(defect)
    if part.kind in _STATUS_TYPES and _STATUS_FIELD.search(content[:20_000]):
        walked.delivery_status.append(content)
        return []
    if part.kind == "message/feedback-report":
        walked.feedback.append(content)
        return []
    if part.kind in _ORIGINAL_HEADERS:
        walked.originals.append(split_message(content, outer=True)[0])
        return []
    if part.kind == "text/x-amp-html" and part.parent == "multipart/alternative":
        return []
    if part.kind in _MESSAGES:
        content = without_mbox_line(content)
        block, _ = split_message(content, outer=True)
        walked.originals.append(block)
        _attach(part, content, walked, lambda: name_of_message(decode_words(block.first("Subject"))))
        return []
    if _is_text(part):
        text, defect = read_text(content, part.content_type)
        walked.note(defect)
        if part.kind == "text/html":
            return [Segment(html=text)]
        if part.kind != "text/plain" and part.parent == "multipart/alternative":
            return [Segment(other=text)]
        return [Segment(plain=text)]
    _attach(part, content, walked, lambda: "")
    return []


def _is_text(part: Part) -> bool:
    """Whether a leaf is read as part of the message rather than kept as a file."""
    if part.kind in _STATUS_TYPES:
        return True
    if not part.kind.startswith("text/") or part.kind == "text/calendar":
        return False
    if part.disposition.value == "attachment":
        return False
    if part.kind not in ("text/plain", "text/html"):
        # RFC 2046 section 4.1.4: an unknown subtype of text is shown as plain text.
        return part.parent != "multipart/related" and not _has_name(part)
    if not part.parent or part.parent == "multipart/alternative":
        return True
    if part.parent == "multipart/related":
        return part.is_root
    return not _has_name(part)


def _has_name(part: Part) -> bool:
    return bool(declared_name(part.disposition, part.content_type, decode_words).strip())


def _attach(part: Part, content: bytes, walked: Walked, fallback: Callable[[], str]) -> None:
    declared = part.kind
    name = safe_name(declared_name(part.disposition, part.content_type, decode_words))
    name = name or name_of_location(decode_words(part.block.first("Content-Location")))
    mime_type = "message/rfc822" if declared in _MESSAGES else sniff(content, declared, name)
    if not name:
        name = fallback() or made_up_name(mime_type, len(walked.attachments) + 1)
    content_id = part.content_id
    inline = bool(content_id) and (
        part.disposition.value == "inline"
        or (part.parent == "multipart/related" and part.disposition.value != "attachment")
    )
    walked.attachments.append(
        MailAttachment(
            name=name,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            mime_type=mime_type,
            declared_type=declared[:200],
            inline=inline,
            content_id=content_id,
        )
    )
