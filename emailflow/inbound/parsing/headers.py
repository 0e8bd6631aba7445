"""The header block of a mail or of a part: split, unfolded, decoded (RFC 5322 section 2.2, RFC 2047).

The standard library's ``policy.default`` needs seconds for some hostile headers, so nothing here goes
through it. Used by the parsing files only.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from mmap import mmap

from emailflow.inbound.parsing.charset import clean, codec_for, decode, decode_header_bytes

MAX_HEADERS = 1_000
MAX_VALUE = 64_000
MAX_BLOCK = 4_000_000
MAX_IDS = 100
MAX_ID_BYTES = 998
# A mail in memory, or a big one where it lies on the disk.
Buffer = bytes | mmap
_END = re.compile(rb"\r?\n\r?\n|\r\r(?!\n)")
_BLANK = re.compile(rb"[\r\n]*")
_MBOX = re.compile(rb"[\r\n]*>?From ")
_ENVELOPE = re.compile(rb">?From [^\r\n]*(?:\r?\n|\r)")
_FIELD = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:(.*)$", re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>]{1,998})>")


@dataclass(slots=True)
class HeaderBlock:
    """Fields in their order; names as written, values unfolded to one line but not yet decoded."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    _values: dict[str, list[str]] = field(default_factory=dict)  # by the name in lower case

    def add(self, name: str, value: str) -> None:
        self.fields.append((name, value))
        self._values.setdefault(name.lower(), []).append(value)

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        return self._values.get(name.lower(), [])


def split_message(
    raw: Buffer, *, outer: bool = False, start: int = 0, end: int | None = None
) -> tuple[HeaderBlock, int]:
    """The headers of what stands in ``raw`` between ``start`` and ``end``, and where its body begins. Never raises.

    ``outer`` is set for the mail itself, which may begin with a byte order mark, blank lines, or the
    ``From `` line of an mbox file.
    """
    limit = len(raw) if end is None else end
    if outer:
        start = _skip_preamble(raw, start)
    elif raw[start : start + 1] in (b"\n", b"\r"):
        return HeaderBlock(), start + (2 if raw[start : start + 2] == b"\r\n" else 1)
    longest = min(limit, start + MAX_BLOCK)
    match = _END.search(raw, start, longest)
    stop = match.start() if match else max(start, longest)
    body = match.end() if match else stop
    block = HeaderBlock()
    lines = raw[start:stop].splitlines()
    if lines and not _FIELD.match(lines[0]) and not any(_FIELD.match(line) for line in lines[1:3]):
        block.defects.append("The mail has no headers.")
        return block, start
    _collect(lines, block)
    if match is None and limit > stop:
        block.defects.append(f"The headers are longer than {MAX_BLOCK:,} bytes and were cut.")
    return block, body


def without_mbox_line(raw: bytes) -> bytes:
    """An attached mail without the ``From `` line of an mbox file, which is not part of the mail."""
    return raw[_skip_preamble(raw) :] if _MBOX.match(raw) else raw


def _skip_preamble(raw: Buffer, start: int = 0) -> int:
    if raw[start : start + 3] == b"\xef\xbb\xbf":
        start += 3
    blank = _BLANK.match(raw, start)
    start = blank.end() if blank else start
    envelope = _ENVELOPE.match(raw, start)
    return envelope.end() if envelope else start


def _collect(lines: list[bytes], block: HeaderBlock) -> None:
    name = ""
    pieces: list[bytes] = []
    size = 0
    malformed = False

    def finish() -> None:
        if name:
            value = decode_header_bytes(b" ".join(pieces))
            if not (value.isascii() and value.isprintable()):
                value = _CONTROL.sub(" ", clean(value))
            block.add(name, value.strip())

    for line in lines:
        if line[:1] in (b" ", b"\t"):
            size += len(line)
            if size <= MAX_VALUE:
                pieces.append(line.strip())
            continue
        match = _FIELD.match(line)
        if match is None:
            malformed = malformed or bool(line.strip())
            continue
        finish()
        if len(block.fields) >= MAX_HEADERS:
            block.defects.append(f"There are more than {MAX_HEADERS:,} header lines; the others were left out.")
            name = ""
            break
        name, value = match[1].decode("ascii"), match[2]
        size = len(value)
        pieces = [value.strip()[:MAX_VALUE]]
    finish()
    if malformed:
        block.defects.append("A line among the headers is not a header and was left out.")


def decode_words(value: str) -> str:
    """RFC 2047 encoded words made readable, on one line. What cannot be decoded stays as written."""
    if "=?" in value:
        value = _replace_words(value, lambda text: text)
    return one_line(value)


def canonical_words(value: str) -> str:
    """Every run of encoded words as UTF-8 words, so that an address parser decodes them in their place."""
    if "=?" not in value:
        return value

    def encode(text: str) -> str:
        text = one_line(text)
        return " ".join(
            f"=?utf-8?b?{base64.b64encode(text[at : at + 12].encode()).decode('ascii')}?="
            for at in range(0, len(text), 12)
        )

    return _replace_words(value, encode)


def _replace_words(value: str, render: Callable[[str], str]) -> str:
    """One pass over the words; neighbours of one charset are joined as bytes, for letters cut in two."""
    output: list[str] = []
    run: list[tuple[str, bytes]] = []
    position = 0
    for match in _WORD.finditer(value):
        data = _word_bytes(match[2], match[3])
        between = value[position : match.start()]
        if data is None:
            continue
        if between.strip() or (between and not run):
            output.append(_render_run(run, render))
            run = []
            output.append(between)
        run.append((match[1], data))
        position = match.end()
    output.append(_render_run(run, render))
    output.append(value[position:])
    return "".join(output)


def _render_run(run: list[tuple[str, bytes]], render: Callable[[str], str]) -> str:
    texts: list[str] = []
    index = 0
    while index < len(run):
        charset, data = run[index]
        index += 1
        joined = [data]
        while index < len(run) and run[index][0].lower() == charset.lower():
            joined.append(run[index][1])
            index += 1
        # ISO-2022-JP starts each word in ASCII; joining is still right, the escapes are repeated.
        texts.append(decode(b"".join(joined), charset if codec_for(charset) else "")[0])
    return render("".join(texts)) if texts else ""


def _word_bytes(encoding: str, text: str) -> bytes | None:
    if encoding in "qQ":
        return binascii.a2b_qp(text.encode("utf-8", "replace"), header=True)
    data = re.sub(r"[^A-Za-z0-9+/]", "", text)
    if text and not data:
        return None
    if len(data) % 4 == 1:
        data = data[:-1]
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4))
    except binascii.Error:
        return None


def one_line(value: str) -> str:
    """Without control characters, line ends and runs of white space: safe as a header of a later mail."""
    if value.isascii() and value.isprintable():  # as most are
        return " ".join(value.split()) if "  " in value else value.strip()
    return " ".join(_CONTROL.sub(" ", clean(value)).split())


def message_ids(values: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """The ids of In-Reply-To or References with their brackets, and whether some were left out.

    Some programs fold inside an id or leave out the separators. Beyond 100 the first (the root of the
    thread) and the nearest are kept.
    """
    found: dict[str, None] = {}
    for value in values:
        ids = ["".join(inner.split()) for inner in _ID.findall(value)]
        if not ids and "<" not in value:
            ids = [word.strip(",;\"'") for word in value.split() if "@" in word and len(word) < 998]
        found.update(dict.fromkeys(_bounded(one_line(inner)) for inner in ids if inner))
    result = tuple(found)
    if len(result) <= MAX_IDS:
        return result, False
    return (result[0], *result[-(MAX_IDS - 1) :]), True


def message_id(value: str) -> str:
    """A Message-ID with angle brackets, or ''."""
    ids, _ = message_ids([value])
    if ids:
        return ids[0]
    bare = one_line(value).strip("<> ").replace(" ", "")
    return _bounded(bare) if bare else ""


def _bounded(inner: str) -> str:
    """An id in brackets. RFC 5322 section 2.1.1 allows no line above 998 characters, and PostgreSQL indexes no
    value above 2,700 bytes: a longer id is known by its hash, the same wherever it is named."""
    data = inner.encode("utf-8", "replace")
    if len(data) <= MAX_ID_BYTES:
        return f"<{inner}>"
    return f"<{hashlib.sha256(data).hexdigest()}@too-long.invalid>"


def parse_date(value: str) -> datetime | None:
    """A date of RFC 5322 section 3.3 in UTC, or None when it cannot be one."""
    try:
        moment = parsedate_to_datetime(value[:200])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
