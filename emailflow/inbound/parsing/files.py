"""Parts that are files: what they are called, what they are, and what is found inside them. Used by ``mime`` only."""

from emailflow.inbound.parsing import tnef
from emailflow.inbound.parsing.headers import decode_words, split_message, without_mbox_line
from emailflow.inbound.parsing.keep import Content, keep_content
from emailflow.inbound.parsing.names import declared_name, made_up_name, name_of_location, name_of_message, safe_name
from emailflow.inbound.parsing.parts import Part, Segment, Walked
from emailflow.inbound.parsing.sniff import sniff
from emailflow.inbound.parsing.transfer import decode_in_pieces
from emailflow.mail import MailAttachment

MAX_CALENDARS = 5
MAX_WINMAILS = 2
_MESSAGES = ("message/rfc822", "message/global", "message/news")
_CALENDARS = ("text/calendar", "application/ics", "text/x-vcalendar")


def name_of(part: Part) -> str:
    """The name as the sender gave it, decoded; perhaps ''."""
    return declared_name(part.disposition, part.content_type, decode_words)


def has_name(part: Part) -> bool:
    return bool(name_of(part).strip())


def attach(part: Part, walked: Walked) -> None:
    """Add a part to the files of the mail; those in a winmail.dat take its place."""
    declared = part.kind
    is_message = declared in _MESSAGES
    name = safe_name(name_of(part))
    if tnef.is_tnef(declared, name) and walked.winmails < MAX_WINMAILS:
        walked.winmails += 1
        if _unpack(part, walked):
            return
    content = keep_content(
        part.source,
        part.start,
        part.end,
        part.encoding,
        walked.keep,
        walked.note,
        without_mbox_line if is_message else None,
    )
    name = name or name_of_location(decode_words(part.block.first("Content-Location")))
    mime_type = "message/rfc822" if is_message else sniff(content.head, declared, name)
    if is_message:
        block, _ = split_message(content.head, outer=True)
        walked.originals.append(block)
        walked.messages.append(block)
        name = name or name_of_message(decode_words(block.first("Subject")))
    if declared in _CALENDARS and len(walked.calendars) < MAX_CALENDARS:
        walked.calendars.append(content.head)
    content_id = part.content_id
    inline = bool(content_id) and (
        part.disposition.value == "inline"
        or (part.parent == "multipart/related" and part.disposition.value != "attachment")
    )
    _add(walked, content, name, mime_type, declared, content_id, inline=inline)


def _add(
    walked: Walked, content: Content, name: str, mime_type: str, declared: str, content_id: str, *, inline: bool
) -> None:
    walked.attachments.append(
        MailAttachment(
            name=name or made_up_name(mime_type, len(walked.attachments) + 1),
            content=content.content,
            sha256=content.sha256,
            mime_type=mime_type,
            declared_type=declared[:200],
            inline=inline,
            content_id=content_id,
            stored_size=content.stored_size,
        )
    )


def _unpack(part: Part, walked: Walked) -> bool:
    """Put what a winmail.dat holds in its place. False: it holds nothing that could be read, and stays a file."""
    pieces = decode_in_pieces(part.source, part.start, part.end, part.encoding, walked.note)
    with tnef.unpack(pieces) as unpacked:
        for defect in unpacked.defects:
            walked.note(defect)
        for file in unpacked.files:
            content = keep_content(unpacked.data, file.start, file.end, "", walked.keep, walked.note)
            name = safe_name(file.name)
            mime_type = sniff(content.head, "application/octet-stream", name)
            inline = bool(file.content_id) and file.content_id in unpacked.html
            _add(walked, content, name, mime_type, "", file.content_id, inline=inline)
        if unpacked.text.strip() or unpacked.html.strip():
            walked.spare.append(Segment(unpacked.text, unpacked.html))
        return bool(unpacked.files or unpacked.text.strip() or unpacked.html.strip())
