"""Content-Transfer-Encoding undone, and text of a part read (RFC 2045 section 6, RFC 3676). Never raises."""

import base64
import binascii
import re

from emailflow.inbound.parsing.charset import decode
from emailflow.inbound.parsing.params import Structured

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "8bits", "7bits", "plain"})


def decode_payload(body: bytes, encoding: str) -> tuple[bytes, str]:
    """The bytes of one part and a defect in words, or ''. The one place where a part is decoded."""
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


def _base64(body: bytes) -> tuple[bytes, str]:
    # A list footer or a second padded block may follow the first padding: each block is decoded on its own.
    blocks: list[bytes] = []
    broken = False
    for piece in re.split(rb"=+", body):
        letters = piece.translate(None, _NOT_BASE64)
        if not letters:
            continue
        if len(letters) % 4 == 1:
            letters = letters[:-1]
            broken = True
        try:
            blocks.append(base64.b64decode(letters + b"=" * (-len(letters) % 4)))
        except binascii.Error:
            broken = True
        if len(blocks) >= 1_000:
            broken = True
            break
    if not blocks and body.strip():
        return body, "The part is declared as base64 but is not; it is shown as it came."
    return b"".join(blocks), "A base64 part is damaged." if broken else ""


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
