"""Turns facts into the columns of a row of the outbox. Pure: no tables, and no settings but the keys of the tokens.

Called by what writes rows. ``as_message`` makes the mail of a row; it is offered here too, for ``send``.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape

from emailflow.inbound.parsing.charset import clean
from emailflow.inbound.parsing.headers import one_line
from emailflow.inbound.parsing.quoting.languages import REPLY_MARKS
from emailflow.outbound.mime import as_message, wire_address, written_address
from tickets import tokens
from tickets.errors import ServiceError

__all__ = ["Composed", "Identity", "Quoted", "Thread", "as_message", "compose"]

MAX_SUBJECT = 900
MAX_QUOTED = 20_000  # characters
MAX_REFERENCES = 900  # characters: some servers refuse a header that is long when unfolded
MAX_LOCAL = 64  # RFC 5321 section 4.5.3.1.1
REPLY_LINES = {
    "en": "##- Write your answer above this line -##",
    "da": "##- Skriv dit svar over denne linje -##",
}
_DAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "da": ("man.", "tir.", "ons.", "tor.", "fre.", "lør.", "søn."),
}
_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "da": ("jan.", "feb.", "mar.", "apr.", "maj", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec."),
}
_CUT = "[…]"
_TAG = re.compile(r"\[\s*TKT-\d{8}-\d{3,9}\s*\]", re.IGNORECASE | re.ASCII)
_REPLY_MARK = re.compile(rf"(?:{'|'.join(REPLY_MARKS)})(?:\[\d{{1,3}}\]|\(\d{{1,3}}\))?\s{{0,3}}:\s*", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,400}>")
_LINK = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)
_BEHIND_LINK = ".,;:!?'*_"


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a mailbox writes."""

    address: str
    name: str
    plus_addressing: bool
    signature: str
    slug: str


@dataclass(frozen=True, slots=True)
class Thread:
    """What the mail answers. ``references`` are older Message-IDs, the root first; ids carry their brackets."""

    number: str
    subject: str
    last_message_id: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quoted:
    """The last message. ``moment`` is written as it stands: hand it over in the reader's zone."""

    author: str
    moment: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Composed:
    """The columns of a row that have the same names."""

    sender: str
    envelope_from: str
    header_message_id: str
    headers: dict[str, str]
    subject: str
    text: str
    html: str


def compose(
    *,
    kind: str,
    identity: Identity,
    thread: Thread,
    key: str,
    outgoing_key: str,
    body: str,
    agent_signature: str = "",
    quoted: Quoted | None = None,
    automatic: bool,
    language: str,
    subject: str = "",
) -> Composed:
    """One mail of ``kind``. ``key`` is the comment's id, or ``a{message}`` for an acknowledgement; ``outgoing_key``
    tells this recipient's bounces apart (up to 18 digits) or is ''.

    ``subject`` stands in place of the thread's, which is answered ("Re:"). A language that is not known is English.
    Raises ServiceError for an identity whose address no mail can carry.
    """
    address = wire_address(identity.address, field="from_address")
    if not tokens.verified_numbers(_message_id(thread.number, key, address)):
        raise ServiceError(f"A {kind} cannot be signed as {thread.number}, {key!r}.", field="key")
    language = language if language in REPLY_LINES else "en"
    signature = "\n".join(filter(None, (_tidy(agent_signature), _tidy(identity.signature))))
    quote = (
        _Quote(REPLY_LINES[language], _attribution(quoted, language), _shortened(_tidy(quoted.text)))
        if quoted and _tidy(quoted.text)
        else None
    )
    return Composed(
        sender=written_address(identity.name, identity.address.strip()),
        envelope_from=_envelope_from(identity, thread, outgoing_key, address),
        header_message_id=_message_id(thread.number, key, address),
        headers=_headers(identity, thread, automatic=automatic),
        subject=_subject(thread, subject),
        text=_text(_tidy(body), signature, quote),
        # What a stranger wrote into a subject is nothing to click on in a mail of ours.
        html=_html(_tidy(body), signature, quote, language, links=not automatic),
    )


def _message_id(number: str, key: str, address: str) -> str:
    return tokens.thread_message_id(number, key, address.rpartition("@")[2].lower())


def _plus(identity: Identity, token: str) -> str:
    """Our address with the token behind a plus, or '' where the mailbox has none or it would be too long."""
    local, _, domain = identity.address.strip().rpartition("@")
    if not identity.plus_addressing or len(local) + 1 + len(token) > MAX_LOCAL:
        return ""
    return f"{local}+{token}@{domain}"


def _envelope_from(identity: Identity, thread: Thread, outgoing_key: str, address: str) -> str:
    if outgoing_key:
        token = tokens.thread_message_id(thread.number, f"n{outgoing_key}", "")[1:].partition("@")[0]
        return _plus(identity, token) or identity.address.strip()
    return identity.address.strip()


def _headers(identity: Identity, thread: Thread, *, automatic: bool) -> dict[str, str]:
    token = tokens.thread_token(thread.number)
    headers = {"X-Hub-Ticket": token}
    chain = _references(thread)
    if _MESSAGE_ID.fullmatch(thread.last_message_id):
        headers["In-Reply-To"] = thread.last_message_id
    if chain:
        headers["References"] = " ".join(chain)
    reply_to = _plus(identity, token)
    if reply_to:
        headers["Reply-To"] = written_address(identity.name, reply_to)
    if automatic:
        headers["Auto-Submitted"] = "auto-replied"  # RFC 3834 section 5
        headers["X-Auto-Response-Suppress"] = "All"
        # Where another machine sends it back to us under a new Message-ID, this still tells that it is ours.
        headers["X-Hub"] = identity.address.strip().rpartition("@")[2].lower()
    return headers


def _references(thread: Thread) -> list[str]:
    """The root of the thread and as many of the nearest as fit (RFC 5322 section 3.6.4)."""
    known = dict.fromkeys([*(each for each in thread.references if each != thread.last_message_id)])
    ids = [each for each in (*known, thread.last_message_id) if _MESSAGE_ID.fullmatch(each)]
    if not ids:
        return []
    nearest: list[str] = []
    left = MAX_REFERENCES - len(ids[0])
    for each in reversed(ids[1:]):
        left -= len(each) + 1
        if left < 0:
            break
        nearest.insert(0, each)
    return [ids[0], *nearest]


def _subject(thread: Thread, own: str) -> str:
    tag = f"[{thread.number}]"
    words = one_line(_TAG.sub(" ", clean(own or thread.subject)))
    if not own:
        while mark := _REPLY_MARK.match(words):
            words = words[mark.end() :]
        words = f"Re: {words}" if words else ""
    return f"{tag} {words}".strip()[:MAX_SUBJECT]


def _tidy(text: str) -> str:
    """Without control characters and white space at the ends; line ends as LF."""
    lines = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in lines if char in "\n\t" or char >= " ").strip("\n").rstrip()


def _attribution(quoted: Quoted, language: str) -> str:
    moment = quoted.moment
    day, month = _DAYS[language][moment.weekday()], _MONTHS[language][moment.month - 1]
    author = one_line(quoted.author)
    if language == "da":
        return f"Den {day} {moment.day}. {month} {moment.year} kl. {moment:%H.%M} skrev {author or 'ukendt'}:"
    return f"On {day}, {moment.day} {month} {moment.year} at {moment:%H:%M}, {author or 'somebody'} wrote:"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED].rstrip()}\n{_CUT}"


@dataclass(frozen=True, slots=True)
class _Quote:
    line: str
    attribution: str
    text: str


def _text(body: str, signature: str, quote: _Quote | None) -> str:
    parts = [body]
    if signature:
        parts.append(f"-- \n{signature}")  # RFC 3676 section 4.3
    if quote:
        lines = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quote.text.split("\n")]
        parts.append("\n".join((quote.line, quote.attribution, *lines)))
    return "\n\n".join(parts) + "\n"


def _html(body: str, signature: str, quote: _Quote | None, language: str, *, links: bool) -> str:
    """The same in HTML that holds nothing but escaped text: no style of a sender, no picture, no script."""
    parts = [f"<div>{_paragraphs(body, links=links)}</div>"]
    if signature:
        parts.append(f'<div style="color:#555">-- <br>{_lines(signature)}</div>')
    if quote:
        parts.append(f'<p style="color:#888;font-size:small">{escape(quote.line)}</p>')
        parts.append(f"<div>{escape(quote.attribution)}</div>")
        parts.append(
            '<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:2px solid #ccc;padding-left:1ex">'
            f"{_paragraphs(quote.text, links=links)}</blockquote>"
        )
    content = "\n".join(parts)
    head = f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"></head>'
    return f"{head}<body>\n{content}\n</body></html>\n"


def _paragraphs(text: str, *, links: bool) -> str:
    return "\n".join(
        f"<p>{_lines(block, links=links)}</p>" for block in re.split(r"\n[ \t]*\n\s*", text) if block.strip()
    )


def _lines(text: str, *, links: bool = True) -> str:
    return "<br>\n".join(_linked(line) if links else _spaced(line) for line in text.split("\n"))


def _linked(line: str) -> str:
    """One line, escaped, with the addresses of the web in it to click on."""
    pieces: list[str] = []
    at = 0
    for match in _LINK.finditer(line):
        link = match[0].rstrip(_BEHIND_LINK)
        if link.endswith(")") and link.count("(") < link.count(")"):
            link = link[:-1].rstrip(_BEHIND_LINK)
        pieces.append(_spaced(line[at : match.start()]))
        pieces.append(f'<a href="{escape(link)}">{escape(link)}</a>')
        at = match.start() + len(link)
    return "".join((*pieces, _spaced(line[at:])))


def _spaced(text: str) -> str:
    """Escaped; of several blanks all stay, where HTML would leave one."""
    return escape(text.replace("\t", "    ")).replace("  ", "&nbsp; ")
