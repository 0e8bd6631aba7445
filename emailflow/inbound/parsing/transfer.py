"""Content-Transfer-Encoding undone, and text of a part read (RFC 2045 section 6, RFC 3676). Never raises.

A small part is decoded at once, a big one in pieces, so that it is never in memory as a whole; both give the
same bytes.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from emailflow.inbound.parsing.charset import decode
from emailflow.inbound.parsing.headers import Buffer
from emailflow.inbound.parsing.params import Structured

PIECE = 1 << 20  # encoded bytes that are held in memory at once
_MAX_BLOCKS = 1_000
_MAX_SPLITS = 2_000
_MAX_LINES = 1_500_000  # 60 MB in lines of the usual length

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_DAMAGED = "A base64 part is damaged."
_NOT_AT_ALL = "The part is declared as base64 but is not; it is shown as it came."
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "8bits", "7bits", "plain"})


def decode_payload(body: bytes, encoding: str) -> tuple[bytes, str]:
    """The bytes of one part and a defect in words, or ''."""
    encoding = encoding.partition(";")[0].strip().strip("\"'").lower()
    if encoding in _PLAIN_ENCODINGS:
        return body, ""
    if encoding == "base64":
        return _base64(body)
    if re.sub(r"[ _-]", "", encoding) == "quotedprintable":
        return binascii.a2b_qp(body), ""
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uuencode(body)
    return body, f"The transfer encoding {encoding[:40]!r} is unknown; the part is shown as it came."


def decode_in_pieces(
    source: Buffer, start: int, end: int, encoding: str, note: Callable[[str], object]
) -> Iterator[bytes]:
    """The bytes of one big part, a piece at a time; ``note`` hears of a defect."""
    name = re.sub(r"[ _-]", "", encoding.partition(";")[0].strip().strip("\"'").lower())
    if name == "base64":
        yield from _base64_pieces(source, start, end, note)
        return
    by_lines = name in ("xuuencode", "uuencode")
    lines = 0
    for at, until in _pieces(source, start, end, whole_lines=by_lines or name == "quotedprintable"):
        piece = source[at:until]
        lines += piece.count(b"\n") if by_lines else 0
        if lines > _MAX_LINES:
            note("A uuencoded part has too many lines and was cut.")
            return
        content, defect = decode_payload(piece, encoding)
        note(defect)
        yield content


def _pieces(source: Buffer, start: int, end: int, *, whole_lines: bool) -> Iterator[tuple[int, int]]:
    """Cuts that an encoding of lines stands: behind a line end, or else not within a ``=C3``."""
    at = start
    while at < end:
        until = min(at + PIECE, end)
        if whole_lines and until < end:
            line_end = source.rfind(b"\n", at, until)
            escape = source.rfind(b"=", until - 2, until)
            until = line_end + 1 if line_end >= 0 else escape if escape > at else until
        yield at, until
        at = until


def _base64_pieces(source: Buffer, start: int, end: int, note: Callable[[str], object]) -> Iterator[bytes]:
    """Like ``_base64``: blocks end at a padding; up to three letters wait for the next piece."""
    letters = b""
    blocks = 0
    broken = something = False
    for at, until in _pieces(source, start, end, whole_lines=False):
        parts = re.split(rb"=+", source[at:until], maxsplit=_MAX_SPLITS)
        for number, part in enumerate(parts, 1):
            padded = number < len(parts)
            letters += part.translate(None, _NOT_BASE64)
            usable = len(letters) if padded else len(letters) // 4 * 4
            content, defect = _base64_block(letters[:usable])
            letters = letters[usable:]
            broken = broken or bool(defect)
            blocks += bool(padded and usable)
            if content:
                something = True
                yield content
            if blocks >= _MAX_BLOCKS:
                note(_DAMAGED)
                return
    content, defect = _base64_block(letters)
    if content:
        yield content
    if something or content:
        note(_DAMAGED if broken or defect else "")
        return
    if not any(source[at:until].strip() for at, until in _pieces(source, start, end, whole_lines=False)):
        return
    note(_NOT_AT_ALL)
    for at, until in _pieces(source, start, end, whole_lines=False):
        yield source[at:until]


def _base64_block(letters: bytes) -> tuple[bytes, str]:
    broken = len(letters) % 4 == 1
    if broken:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4)), _DAMAGED if broken else ""
    except binascii.Error:
        return b"", _DAMAGED


def _base64(body: bytes) -> tuple[bytes, str]:
    # A list footer or a second padded block may follow the first padding: each block is decoded on its own.
    blocks: list[bytes] = []
    broken = False
    first, _, rest = body.partition(b"=")
    usual = not rest.strip(b"= \t\r\n")  # much quicker than the pattern
    for piece in [first] if usual else re.split(rb"=+", body, maxsplit=_MAX_SPLITS):
        letters = piece.translate(None, _NOT_BASE64)
        if not letters:
            continue
        content, defect = _base64_block(letters)
        broken = broken or bool(defect)
        blocks.append(content)
        if len(blocks) >= _MAX_BLOCKS:
            broken = True
            break
    if not any(blocks) and body.strip():
        return body, _NOT_AT_ALL
    return b"".join(blocks), _DAMAGED if broken else ""


def _uuencode(body: bytes) -> tuple[bytes, str]:
    output: list[bytes] = []
    broken = False
    for line in body.splitlines():
        if line.startswith(b"begin ") or not line.strip():
            continue
        if line.strip() == b"end":
            break
        try:
            output.append(binascii.a2b_uu(line))
        except binascii.Error:
            broken = True
    return b"".join(output), "A uuencoded part is damaged." if broken else ""


def read_text(content: bytes, content_type: Structured) -> tuple[str, str]:
    """The text of a part with LF line ends, and a defect or ''."""
    declared = content_type.params.get("charset", "")
    if not declared and content_type.value == "text/html":
        meta = _META_CHARSET.search(content[:4096])
        declared = meta[1].decode("ascii") if meta else ""
    if not declared and b"\x1b$" in content[:4096]:
        declared = "iso-2022-jp"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and not declared.lower().startswith(("utf-16", "utf-32")):
        declared = "utf-16"
    text, defect = decode(content, declared)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    params = content_type.params
    if params.get("format", "").lower() == "flowed" and params.get("delsp", "").lower() == "yes":
        text = unflow(text)
    return text, defect


def unflow(text: str) -> str:
    """RFC 3676 with DelSp=yes: lines that end in a space continue on the next of the same quote depth."""
    output: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        flows = content.endswith(" ") and content != "-- "
        content = content[:-1] if flows else content
        if depth == open_depth:
            output[-1] += content
        else:
            output.append((">" * depth + " " if depth else "") + content)
        open_depth = depth if flows else -1
    return "\n".join(output)
