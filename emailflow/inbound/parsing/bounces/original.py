"""The mail that a report is about, read from its returned headers. Used by ``bounces`` only."""

import re

from emailflow.inbound.parsing.headers import HeaderBlock, decode_words, message_id, message_ids, one_line
from emailflow.mail import OriginalMail

MAX_ADDRESSES = 100
MAX_TAIL = 400
MAX_SUBJECT = 1_000
_FIELD = re.compile(
    r"^[> \t|]{0,10}(received|return-path|message-id|from|to|cc|date|subject|mime-version|reply-to|in-reply-to"
    r"|references|content-type|sender|x-[a-z0-9-]{1,40}|delivered-to|dkim-signature|resent-[a-z-]{1,20}"
    r"|content-transfer-encoding|list-[a-z-]{1,20}|precedence|errors-to|bcc)[ \t]{0,5}:(.{0,2000})$",
    re.IGNORECASE,
)
ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~@-])([\w.!#$%&'*+/=?^`{|}~-]{1,128}@(?:[\w-]{1,63}\.){0,10}[\w-]{1,63})(?![\w@-])",
)


def addresses_in(text: str, limit: int = MAX_ADDRESSES) -> list[str]:
    """Each address in a text once, as written."""
    found: dict[str, str] = {}
    if "@" not in text:
        return []
    for match in ADDRESS.finditer(text):
        address = match[1].strip("'`=.")
        if address.partition("@")[0]:
            found.setdefault(address.lower(), address)
        if len(found) >= limit:
            break
    return list(found.values())


def find_header_block(lines: list[str], least: int = 3) -> int | None:
    """Where a block of mail headers begins: ``least`` fields, of which one is only found in mails."""
    start, names = None, set[str]()
    for number, line in enumerate(lines):
        # Indented, it is what a server tells of our mail, and its own words go on behind it.
        match = _FIELD.match(line) if not line[:1].isspace() else None
        if match is not None:
            start = number if start is None else start
            names.add(match[1].lower())
            if len(names) >= least and (least < 3 or names & {"received", "message-id", "return-path"}):
                return start
        elif start is not None and not line[:1].isspace():
            start, names = None, set()
    return None


def block_of_lines(lines: list[str]) -> HeaderBlock:
    """The header fields of a mail that was quoted line by line."""
    fields: list[tuple[str, str]] = []
    for line in lines[:MAX_TAIL]:
        match = _FIELD.match(line)
        if match is not None:
            fields.append((match[1], match[2].strip()))
        elif fields and line[:1].isspace() and line.strip():
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {line.strip()}"[:4_000])
        elif fields and not line.strip(">| \t"):
            break
    block = HeaderBlock()
    for name, value in fields:
        block.add(name, value)
    return block


def read_original(blocks: list[HeaderBlock]) -> OriginalMail:
    """The first block that names a recipient or an id; what it lacks is taken from the next."""
    found = [_of_block(block) for block in blocks]
    found = [one for one in found if one.message_id or one.to]
    if not found:
        return OriginalMail()
    first = found[0]
    same = ("", first.message_id)
    rest = [one for one in found[1:] if one.message_id in same or not first.message_id]
    return OriginalMail(
        message_id=first.message_id or next((one.message_id for one in rest if one.message_id), ""),
        sender=first.sender or next((one.sender for one in rest if one.sender), ""),
        to=first.to or next((one.to for one in rest if one.to), ()),
        cc=first.cc or next((one.cc for one in rest if one.cc), ()),
        subject=first.subject or next((one.subject for one in rest if one.subject), ""),
        in_reply_to=first.in_reply_to,
        references=first.references,
    )


def _of_block(block: HeaderBlock) -> OriginalMail:
    return OriginalMail(
        message_id=message_id(block.first("Message-ID")[:4_000]),
        sender=next(iter(addresses_in(block.first("From")[:2_000], 1)), ""),
        to=_addresses(block, "To"),
        cc=_addresses(block, "Cc"),
        subject=decode_words(one_line(block.first("Subject")))[:MAX_SUBJECT],
        in_reply_to=message_ids(block.all("In-Reply-To"))[0],
        references=message_ids(block.all("References"))[0],
    )


def _addresses(block: HeaderBlock, name: str) -> tuple[str, ...]:
    return tuple(addresses_in(" , ".join(block.all(name)[:5])[:20_000]))
