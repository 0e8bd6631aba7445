"""The walk over the parts of a mail (RFC 2045, RFC 2046): what is text, what is an attachment.

Bytes are cut at boundaries from the outside in, so that an inner multipart that never ends cannot swallow
its neighbours, and with limits in place of exceptions. Used by ``parse`` only.
"""

import re
from collections.abc import Iterator

from emailflow.inbound.parsing import sealed
from emailflow.inbound.parsing.files import attach, has_name, name_of
from emailflow.inbound.parsing.headers import Buffer, HeaderBlock, split_message
from emailflow.inbound.parsing.keep import Keep
from emailflow.inbound.parsing.params import parse_structured
from emailflow.inbound.parsing.parts import Part, Segment, Walked
from emailflow.inbound.parsing.transfer import decode_payload, read_text

MAX_DEPTH = 100
MAX_PARTS = 1_000
# Each level of nesting is searched once more; a mail may not cost more than this many bytes of searching.
MAX_SEARCHED = 1_000_000_000
MAX_FALSE_MARKS = 100_000
MAX_HEADER_BYTES = 8_000_000  # of all parts
MAX_REPORT = 1_000_000
MAX_TEXT_BYTES = 8_000_000  # of all texts of a mail, still encoded
MAX_PART_TEXT = 4_000_000
MAX_SIGNED = 16_000_000  # larger ones stay a file
MAX_OPENED = 3
_TAILS = bytes(range(0x80, 0xC0))  # the bytes of a letter in UTF-8 behind its first
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
# Some servers give their human words this type too; those are text.
_STATUS_FIELD = re.compile(rb"^(?:reporting-mta|final-recipient|original-recipient|action)[ \t]*:", re.I | re.M)
_ORIGINAL_HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
_NOT_ENCODED = frozenset({"", "7bit", "8bit", "binary"})
_REST_OF_MARK = re.compile(rb"[ \t]*(?:\r\n?|\n|\Z)")


def walk(block: HeaderBlock, source: Buffer, start: int, keep: Keep | None = None) -> Walked:
    """Reads every part of a mail whose body begins at ``start``. Never raises on content; what was cut is a
    defect in words. Big files are written to ``keep``; only that raises OSError.
    """
    walked = Walked(keep=keep)
    root = _part(block, source, start, len(source), parent="", default="text/plain")
    if root.kind == "multipart/report":
        walked.report_type = root.content_type.params.get("report-type", "").lower()
    walked.segments = _visit(root, 0, walked)
    return walked


def _part(block: HeaderBlock, source: Buffer, start: int, end: int, *, parent: str, default: str) -> Part:
    content_type = parse_structured(block.first("Content-Type"))
    if content_type.value in ("text", "plain"):
        content_type.value = "text/plain"
    if content_type.value.count("/") != 1:
        content_type.value = default
    disposition = parse_structured(block.first("Content-Disposition"))
    return Part(block, source, start, end, content_type, disposition, parent)


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
    if sealed.is_pkcs7(part.kind, name_of(part)):
        return _open_signed(part, depth, walked)
    return _leaf(part, walked)


def _open_signed(part: Part, depth: int, walked: Walked) -> list[Segment]:
    """RFC 8551 section 3.5.2: a mail inside its signature is read like any other; the signature stays a file."""
    attach(part, walked)
    name = walked.attachments[-1].name
    content, _ = decode_payload(part.source[part.start : min(part.end, part.start + MAX_SIGNED)], part.encoding)
    whole = part.end - part.start <= MAX_SIGNED and walked.opened < MAX_OPENED
    inside = sealed.signed_content(content) if whole else None
    if inside is None:
        walked.remark(sealed.describe(content, name, whole=whole))
        return []
    if not walked.opened:
        walked.remark(f"The mail is signed (S/MIME); the signature, not checked, is in the file {name}.")
    walked.opened += 1
    block, start = split_message(inside)
    return _visit(_part(block, inside, start, len(inside), parent="", default="text/plain"), depth + 1, walked)


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
    boundary = part.content_type.params.get("boundary", "").rstrip().encode("utf-8", "replace")
    _undo_encoding(part, boundary)
    marks = _find(part, boundary, walked) if boundary else []
    if not marks:
        guessed = _guess_boundary(part)
        marks = _find(part, guessed, walked) if guessed else []
        if marks:
            walked.note("The boundary of a multipart is not the declared one and was guessed.")
    if not marks:
        return None
    default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
    return _cut(part, marks, default, walked)


def _undo_encoding(part: Part, boundary: bytes) -> None:
    """RFC 2045 section 6.4 forbids to encode a multipart; some programs do, and more of them only say so."""
    if part.encoding.strip().lower() in _NOT_ENCODED or part.source.find(boundary, part.start, part.end) >= 0:
        return
    body = part.source[part.start : part.end]
    decoded, _ = decode_payload(body, part.encoding)
    if decoded is not body and boundary in decoded:
        part.source, part.start, part.end = decoded, 0, len(decoded)


def _cut(part: Part, marks: list[tuple[int, int, bool]], default: str, walked: Walked) -> Iterator[Part]:
    source = part.source
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
        end = part.end if last else max(start, marks[index + 1][0])
        if last and not source[start : min(end, start + 1_000)].strip():
            return
        if walked.header_bytes > MAX_HEADER_BYTES:
            walked.note("The headers of the parts are too long; the last parts were left out.")
            return
        block, body = split_message(source, start=start, end=end)
        walked.header_bytes += body - start
        child = _part(block, source, min(body, end), end, parent=part.kind, default=default)
        # Some programs name the charset once, on the multipart.
        if child.kind.startswith("text/") and part.content_type.params.get("charset"):
            child.content_type.params.setdefault("charset", part.content_type.params["charset"])
        yield child


def _find(part: Part, boundary: bytes, walked: Walked) -> list[tuple[int, int, bool]]:
    """The boundary lines as (end of the part before, start of the part after, closing)."""
    marks: list[tuple[int, int, bool]] = []
    source, end = part.source, part.end
    needle = b"--" + boundary
    false = 0
    walked.searched += end - part.start
    if walked.searched > MAX_SEARCHED:
        walked.note("The parts are nested in a way that costs too much; the innermost were left out.")
        return marks
    at = source.find(needle, part.start, end)
    while at >= 0 and len(marks) <= MAX_PARTS + 1:
        mark = _mark(source, part.start, end, at, at + len(needle))
        if mark:
            marks.append(mark)
            if mark[2]:
                break
        else:
            false += 1
            if false > MAX_FALSE_MARKS:
                walked.note("The mark between the parts occurs too often in their content; some were left out.")
                break
        at = source.find(needle, at + len(needle), end)
    return marks


def _mark(source: Buffer, begin: int, end: int, at: int, after: int) -> tuple[int, int, bool] | None:
    if at > begin and source[at - 1] not in b"\r\n":
        return None
    closing = source[after : min(end, after + 2)] == b"--"
    after += 2 if closing else 0
    rest = _REST_OF_MARK.match(source, after, end)
    if rest is None:
        return None
    until = at
    if until > begin and source[until - 1] == 10:
        until -= 1
    if until > begin and source[until - 1] == 13:
        until -= 1
    return until, rest.end(), closing


def _guess_boundary(part: Part) -> bytes:
    """A line ``--x`` that is followed by a Content- header, when the declared boundary does not occur."""
    body = part.source[part.start : min(part.end, part.start + 101_000)]
    at = 0 if body.startswith(b"--") else body.find(b"\n--", 0, 100_000) + 1
    line, _, rest = body[at : at + 400].partition(b"\n")
    candidate = line.strip()[2:]
    return candidate if candidate and rest.lower().startswith(b"content-") else b""


def _leaf(part: Part, walked: Walked) -> list[Segment]:
    if part.kind in _STATUS_TYPES:
        content = _decoded(part, walked, MAX_REPORT)
        if _STATUS_FIELD.search(content[:20_000]):
            walked.delivery_status.append(content)
            return []
    if part.kind == "message/feedback-report":
        walked.feedback.append(_decoded(part, walked, MAX_REPORT))
        return []
    if part.kind in _ORIGINAL_HEADERS:
        walked.originals.append(split_message(_decoded(part, walked, MAX_REPORT), outer=True)[0])
        return []
    if part.kind == "text/x-amp-html" and part.disposition.value != "attachment":
        return []
    if _is_text(part):
        text = _text(part, walked)
        if part.kind == "text/html":
            return [Segment(html=text)]
        if part.kind != "text/plain" and part.parent == "multipart/alternative":
            return [Segment(other=text)]
        return [Segment(plain=text)]
    attach(part, walked)
    return []


def _decoded(part: Part, walked: Walked, limit: int) -> bytes:
    """The first ``limit`` bytes of a part, decoded."""
    content, defect = decode_payload(part.source[part.start : min(part.end, part.start + limit)], part.encoding)
    walked.note(defect)
    return content


def _text(part: Part, walked: Walked) -> str:
    limit = min(MAX_PART_TEXT, MAX_TEXT_BYTES - walked.text_bytes)
    size = part.end - part.start
    walked.text_bytes += min(size, limit)
    content = _decoded(part, walked, limit)
    if size > limit:
        walked.note("The text of the mail is too long and was cut.")
        # A letter that was cut in two would make the rest unreadable in its charset.
        line_end = content.rfind(b"\n", len(content) - 10_000)
        content = content[: line_end + 1] if line_end >= 0 else content.rstrip(_TAILS)[:-1]
    text, defect = read_text(content, part.content_type)
    walked.note(defect)
    return text


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
        return part.parent != "multipart/related" and not has_name(part)
    if not part.parent or part.parent == "multipart/alternative":
        return True
    if part.parent == "multipart/related":
        return part.is_root
    return not has_name(part)
