"""Bytes to a frozen ``ParsedMail``: the pure first stage on a mail's way.

``parse`` never raises on a strange mail, it collects defects in words that a person can read. This is the
only file that knows mail-parser, and it hands it no more than a cleaned header: the library walks parts
eagerly and loses 8-bit letters. Callers: the pipeline, ``parse_mail`` and tests.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import mailparser

from emailflow.inbound.parsing.bounces.recognise import read_bounce
from emailflow.inbound.parsing.charset import clean
from emailflow.inbound.parsing.empty import why_empty
from emailflow.inbound.parsing.forwarded import original_sender
from emailflow.inbound.parsing.headers import (
    Buffer,
    HeaderBlock,
    canonical_words,
    decode_words,
    message_id,
    message_ids,
    one_line,
    parse_date,
    split_message,
)
from emailflow.inbound.parsing.invite import sentences
from emailflow.inbound.parsing.keep import Keep
from emailflow.inbound.parsing.mime import walk
from emailflow.inbound.parsing.parts import Segment, Walked
from emailflow.inbound.parsing.quoting.reply import is_reply
from emailflow.inbound.parsing.render import Rendered, render
from emailflow.inbound.parsing.sealed import open_armour, pgp_remark
from emailflow.mail import Address, Header, ParsedMail

MAX_ADDRESSES = 1_000
MAX_ADDRESS_VALUE = 64_000
MAX_SUBJECT = 1_000
MAX_TEXT = 2_000_000
_LOOSE_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]\\]{1,200}@[^\s<>,;:\"()\\@]{1,200}")
# One address, with or without an unquoted name of plain words: what most headers hold, and nothing to think about.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~.-]"
_ONE_ADDRESS = re.compile(rf"(?:([A-Za-z0-9]+(?: [A-Za-z0-9]+){{0,5}}) <({_ATOM}+@{_ATOM}+)>|({_ATOM}+@{_ATOM}+))")
_ADDRESS_FIELDS = ("From", "Reply-To", "To", "Cc")


def parse(raw: Buffer, keep: Keep | None = None) -> ParsedMail:
    """One mail, decoded, in memory or mapped from a file. Never raises on any bytes.

    Writes nothing itself; files above 1 MB go to ``keep`` if there is one, and only that raises OSError.
    """
    try:
        return _parse(raw, keep)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  a mail that cannot be read is still a mail: it must become a row
        return ParsedMail(
            size=len(raw),
            defects=(f"The mail could not be read ({type(error).__name__}: {one_line(str(error))[:200]}).",),
        )


def _parse(raw: Buffer, keep: Keep | None) -> ParsedMail:
    source = _with_usual_line_ends(raw)
    block, offset = split_message(source, outer=True)
    walked = walk(block, source, offset, keep)
    defects = [*block.defects, *walked.defects]
    addresses = _addresses(block, defects)
    senders = addresses["From"] or tuple(_read_block({"From": block.first("Sender")})["From"])
    _note_headers(block, senders, defects)
    subject = _subject(block, defects)
    open_armour(walked)
    references, many = message_ids(block.all("References"))
    in_reply_to = message_ids(block.all("In-Reply-To"))[0]
    rendered = _render(_readable(walked), is_reply=is_reply(subject, answers=bool(references or in_reply_to)))
    if many:
        defects.append("The References header names more than 100 mails; only the nearest were kept.")
    sender = senders[0] if senders else Address("")
    bounce = read_bounce(block, walked, sender.address, source[:1_000])
    is_report = bounce is not None or bool(walked.report_type)
    forwarded = None if is_report else original_sender(subject, rendered.text, walked.messages, sender, _one_address)
    return ParsedMail(
        message_id=message_id(block.first("Message-ID")),
        subject=subject,
        sender=sender,
        senders=senders,
        reply_to=addresses["Reply-To"],
        to=addresses["To"],
        cc=addresses["Cc"],
        in_reply_to=in_reply_to,
        references=references,
        date=parse_date(block.first("Date")),
        received_at=_received_at(block),
        text=rendered.text,
        reply_text=rendered.reply_text,
        html=rendered.html,
        has_html=any(segment.html.strip() for segment in walked.segments),
        attachments=tuple(walked.attachments),
        headers=tuple(Header(name, decode_words(value)) for name, value in block.fields),
        bounce=bounce,
        report_type=one_line(walked.report_type)[:100],
        notes=tuple(_notes(walked, rendered, forwarded, is_report=is_report)),
        forwarded_from=forwarded,
        size=len(raw),
        defects=tuple(dict.fromkeys(filter(None, [*defects, *rendered.defects]))),
    )


def _readable(walked: Walked) -> list[Segment]:
    """What is shown: the text of a winmail.dat only where the mail has no other."""
    if walked.spare and not any(segment.plain.strip() or segment.html.strip() for segment in walked.segments):
        return walked.spare[:1]
    return walked.segments


def _notes(walked: Walked, rendered: Rendered, forwarded: Address | None, *, is_report: bool) -> list[str]:
    """What staff should know that is not in the text."""
    sealed = [*walked.notes, *filter(None, [pgp_remark(walked.attachments)])]
    notes = [*sealed, *sentences(walked.calendars)]
    if forwarded is not None:
        notes.append(f"Forwarded: originally from {forwarded}.")
    if not rendered.text.strip() and not is_report:
        has_html = any(segment.html.strip() for segment in walked.segments)
        notes += filter(None, [why_empty(walked.attachments, has_html=has_html, told=bool(sealed))])
    return notes


def _one_address(value: str) -> Address | None:
    found = _read_block({"From": value[:2_000]})["From"] if value else []
    return found[0] if found else None


def _with_usual_line_ends(raw: Buffer) -> Buffer:
    """RFC 5322 section 2.1: CRLF; a gateway that doubled its CR and an old Mac that wrote CR alone are understood."""
    head = raw[:4_000]
    if b"\r\r\n" in head:
        return b"".join(_usual_line_ends(raw, b"\r\r\n", b"\r\n"))
    if b"\r" in head and b"\n" not in head:
        return b"".join(_usual_line_ends(raw, b"\r", b"\n"))
    return raw


def _usual_line_ends(raw: Buffer, old: bytes, new: bytes) -> Iterator[bytes]:
    """Piece by piece: a big mail is in memory once, not three times."""
    at = 0
    while at < len(raw):
        until = raw.find(old[-1:], at + 1_000_000) + 1 or len(raw)
        yield raw[at:until].replace(old, new)
        at = until


def _note_headers(block: HeaderBlock, senders: tuple[Address, ...], defects: list[str]) -> None:
    """What is missing or there twice, in words."""
    if len(block.all("From")) > 1:
        defects.append("The mail has several From headers; the first counts.")
    elif len(senders) > 1:
        defects.append("The mail names several senders; the first counts.")
    if not block.all("From"):
        defects.append("The mail has no From header.")
    elif not senders:
        defects.append("The From header holds no address.")
    if not message_id(block.first("Message-ID")):
        defects.append("The mail has no Message-ID.")
    date = block.first("Date")
    if not date:
        defects.append("The mail has no date.")
    elif parse_date(date) is None:
        defects.append(f"The date {one_line(date)[:80]!r} cannot be read.")


def _subject(block: HeaderBlock, defects: list[str]) -> str:
    subjects = [decode_words(value) for value in block.all("Subject")]
    if len(subjects) > 1:
        defects.append("The mail has several subjects; the first counts.")
    subject = next((text for text in subjects if text), "")
    if len(subject) > MAX_SUBJECT:
        defects.append(f"The subject is longer than {MAX_SUBJECT:,} characters and was cut.")
    return subject[:MAX_SUBJECT]


def _received_at(block: HeaderBlock) -> datetime | None:
    """The date of the topmost Received header (RFC 5321 section 4.4): our own server's clock."""
    received = block.first("Received")
    return parse_date(received.rpartition(";")[2].strip()) if ";" in received else None


def _render(segments: list[Segment], *, is_reply: bool) -> Rendered:
    """Text and HTML of the readable parts; the HTML is made text only where a part has no plain form."""
    plains = [segment.plain for segment in segments if segment.plain.strip()]
    only_html = any(segment.html.strip() and not segment.plain.strip() for segment in segments)
    has_html = any(segment.html.strip() for segment in segments)
    html = "\n".join(segment.html or _as_html(segment.plain) for segment in segments) if has_html else ""
    text = "" if only_html else "\n\n".join(plain.strip("\n") if len(plains) > 1 else plain for plain in plains)
    defects = []
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT]
        defects.append(f"The text is longer than {MAX_TEXT:,} characters and was cut.")
    rendered = render(html=html, text=text, want_text=only_html, is_reply=is_reply)
    rendered.text, rendered.reply_text = clean(rendered.text), clean(rendered.reply_text)
    rendered.html = clean(rendered.html)
    rendered.defects[:0] = defects
    return rendered


def _as_html(plain: str) -> str:
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<div style="white-space: pre-wrap">{escaped}</div>' if plain.strip() else ""


def _addresses(block: HeaderBlock, defects: list[str]) -> dict[str, tuple[Address, ...]]:
    """The address headers, read by mail-parser from a block that holds nothing else."""
    values = {name: _address_values(block, name, defects) for name in _ADDRESS_FIELDS}
    firsts = _read_block({name: lines[0] for name, lines in values.items() if lines})
    found: dict[str, tuple[Address, ...]] = {}
    for name, lines in values.items():
        # A header that stands twice is read on its own: a broken one must not harm the other.
        repeated = [address for value in lines[1:] for address in _read_block({name: value})[name]]
        result: dict[str, Address] = {}
        for address in (*firsts.get(name, ()), *repeated):
            result.setdefault(address.key, address)
        if len(result) > MAX_ADDRESSES:
            defects.append(f"The {name} header names more than {MAX_ADDRESSES:,} addresses; the others were left out.")
        found[name] = tuple(result.values())[:MAX_ADDRESSES]
    return found


def _address_values(block: HeaderBlock, name: str, defects: list[str]) -> list[str]:
    values = []
    for value in [value for value in block.all(name) if value][:10]:
        if len(value) > MAX_ADDRESS_VALUE:
            defects.append(f"The {name} header is longer than {MAX_ADDRESS_VALUE:,} characters and was cut.")
            value = value[:MAX_ADDRESS_VALUE].rpartition(",")[0]
        values.append(value)
    return values


def _read_block(values: dict[str, str]) -> dict[str, list[Address]]:
    """The addresses of one value a header (RFC 5322 section 3.4, groups included)."""
    found: dict[str, list[Address]] = {}
    for name, value in values.items():
        if (one := _ONE_ADDRESS.fullmatch(value)) is not None:
            found[name] = [Address(_address(one[2] or one[3]), one[1] or "")]
    if len(found) == len(values):
        return found
    return _grammar({name: value for name, value in values.items() if name not in found}) | found


def _grammar(values: dict[str, str]) -> dict[str, list[Address]]:
    lines = "".join(f"{name}: {canonical_words(value)}\n" for name, value in values.items())
    parsed = mailparser.parse_from_string(lines + "\n")
    pairs = {"From": parsed.from_, "Reply-To": parsed.reply_to, "To": parsed.to, "Cc": parsed.cc}
    return {
        name: [Address(_address(address), _name(label)) for label, address in pairs[name] if address]
        or list(_loose_addresses(value))
        for name, value in values.items()
    }


def _loose_addresses(value: str) -> Iterable[Address]:
    """For what the grammar refuses: the first thing that looks like an address, else an old local name."""
    plain, comment = _without_comments(value[:2_000])
    before, bracket, after = plain.rpartition("<")
    angle = after.partition(">")[0] if bracket else plain
    name = before if bracket else comment
    match = _LOOSE_ADDRESS.search(angle) or _LOOSE_ADDRESS.search(plain)
    if match:
        yield Address(_address(match[0]), _name(name))
    elif re.fullmatch(r"[\w.+-]{1,64}", angle.strip()):
        yield Address(angle.strip(), _name(name))


def _without_comments(value: str) -> tuple[str, str]:
    """The value without its (nested) comments, and the first comment: ``nsb (Nathaniel)`` of old systems."""
    depth = 0
    outside: list[str] = []
    inside: list[str] = []
    for char in value:
        if char == ")" and depth:
            depth -= 1
        elif char == "(":
            depth += 1
        else:
            (inside if depth else outside).append(char)
    return "".join(outside), "".join(inside)


def _address(address: str) -> str:
    return one_line(address).replace(" ", "")[:320]


def _name(name: str) -> str:
    """A display name; encoded words in quotes are decoded too, the address is decided by then."""
    return decode_words(name).strip("\"' ")[:200]
