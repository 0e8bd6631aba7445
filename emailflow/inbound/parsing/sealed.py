"""Signed and encrypted mail: S/MIME (RFC 8551, RFC 5652), PGP/MIME (RFC 3156) and armour in the text (RFC 9580).

Nothing is decrypted and no signature is checked: what can be read is shown, what cannot is named. Used by the
parsing files only.
"""

import hashlib
import re
from collections.abc import Sequence

from emailflow.inbound.parsing.parts import Segment, Walked
from emailflow.mail import MailAttachment

_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = (bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117"))
_MAX_SKIPPED = 10_000
_SEQUENCE, _SET, _OID, _INTEGER, _OCTETS, _OCTET_PIECES, _CONTEXT_0 = 0x30, 0x31, 0x06, 0x02, 0x04, 0x24, 0xA0
_ARMOUR = "-----BEGIN PGP "
_CLEAR = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\n(?:[A-Za-z-]{1,40}:[^\n]{0,200}\n){0,10}[ \t]*\n")
_CLEAR_END = "\n-----BEGIN PGP SIGNATURE-----"
_ALL_END = "-----END PGP SIGNATURE-----"


class _Malformed(Exception):
    """Not the structure that was expected."""


def is_pkcs7(kind: str, name: str) -> bool:
    return kind in _TYPES or (kind == "application/octet-stream" and name.lower().endswith("smime.p7m"))


def describe(content: bytes, name: str, *, whole: bool) -> str:
    """One sentence on a part that was not opened; '' for one that only brings certificates."""
    try:
        oid = _oid_of(content)
    except (_Malformed, IndexError):
        return f"The mail is encrypted or signed as a whole (S/MIME); what it says is in the file {name}."
    if oid in _ENVELOPED:
        return f"The mail is encrypted (S/MIME); what it says is in the file {name}."
    if oid == _SIGNED:
        return "" if whole else f"The mail is signed as a whole (S/MIME); what it says is in the file {name}."
    return f"The mail is packed as a whole (S/MIME); what it says is in the file {name}."


def signed_content(content: bytes) -> bytes | None:
    """What a SignedData signs (RFC 5652 section 5), in DER or in BER as programs stream it; None without one."""
    try:
        if _oid_of(content) != _SIGNED:
            return None
        at = _enter(content, 0, _SEQUENCE)
        at = _skip(content, at)  # the type
        at = _enter(content, _enter(content, at, _CONTEXT_0), _SEQUENCE)
        at = _skip(content, _skip(content, at))  # the version and the algorithms
        at = _enter(content, at, _SEQUENCE)
        at = _skip(content, at)  # the type of the content
        return _octets(content, _enter(content, at, _CONTEXT_0)) or None
    except (_Malformed, IndexError):
        return None


def _oid_of(content: bytes) -> bytes:
    at = _enter(content, 0, _SEQUENCE)
    tag, start, end = _header(content, at)
    if tag != _OID or end is None:
        raise _Malformed
    return content[start:end]


def _header(content: bytes, at: int) -> tuple[int, int, int | None]:
    """Tag, start and end of the value at ``at``; no end where it is marked at its end (X.690 section 8.1.3.6)."""
    tag, length = content[at], content[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise _Malformed
    if length == 0x80:
        return tag, at, None
    if length > 0x80:
        count = length & 0x7F
        if count > 4:
            raise _Malformed
        length = int.from_bytes(content[at : at + count], "big")
        at += count
    if at + length > len(content):
        raise _Malformed
    return tag, at, at + length


def _enter(content: bytes, at: int, wanted: int) -> int:
    tag, start, _ = _header(content, at)
    if tag != wanted:
        raise _Malformed
    return start


def _skip(content: bytes, at: int) -> int:
    """The offset behind the value at ``at``. One pass, however deep it is."""
    depth = 0
    for _ in range(_MAX_SKIPPED):
        tag, start, end = _header(content, at)
        if tag == 0 and end == start and depth:
            depth -= 1
        elif end is None:
            depth += 1
        at = start if end is None else end
        if not depth:
            return at
    raise _Malformed


def _octets(content: bytes, at: int) -> bytes:
    """An octet string, whole or in pieces (X.690 section 8.7.3)."""
    tag, start, end = _header(content, at)
    if tag == _OCTETS and end is not None:
        return content[start:end]
    if tag != _OCTET_PIECES:
        raise _Malformed
    pieces: list[bytes] = []
    at, stop = start, len(content) if end is None else end
    while at < stop:
        tag, start, end = _header(content, at)
        if tag == 0 and end is None:
            raise _Malformed
        if tag == 0:
            break
        if tag != _OCTETS or end is None:
            raise _Malformed
        pieces.append(content[start:end])
        at = end
    return b"".join(pieces)


def pgp_remark(files: Sequence[MailAttachment]) -> str:
    """PGP/MIME (RFC 3156 section 4): the words are in the file behind the control part."""
    control = next((n for n, file in enumerate(files) if file.declared_type == "application/pgp-encrypted"), None)
    if control is None:
        return ""
    sealed = files[control + 1] if control + 1 < len(files) else files[control]
    return f"The mail is encrypted (PGP); what it says is in the file {sealed.name}."


def open_armour(walked: Walked) -> None:
    """Texts without the armour of a clear signature; the signed text as it came is kept as a file."""
    for segment in walked.segments:
        if _ARMOUR in segment.plain:
            _open(segment, walked)


def _open(segment: Segment, walked: Walked) -> None:
    if f"{_ARMOUR}MESSAGE-----" in segment.plain:
        walked.remark("The text, or a part of it, is encrypted (PGP).")
    opened = _without_signature(segment.plain)
    if opened is None:
        return
    content = segment.plain.encode("utf-8", "replace")
    name = "signed-text.asc"
    walked.remark(f"The text is signed (PGP); the signature, not checked, is in the file {name}.")
    walked.attachments.append(
        MailAttachment(name, content, hashlib.sha256(content).hexdigest(), "text/plain", "application/pgp-signature")
    )
    segment.plain = opened


def _without_signature(text: str) -> str | None:
    match = _CLEAR.search(text)
    end = text.find(_CLEAR_END, match.end() - 1) if match else -1
    if match is None or end < 0:
        return None
    signed = re.sub(r"^- ", "", text[match.end() : end], flags=re.MULTILINE)
    after = text.find(_ALL_END, end)
    rest = text[after + len(_ALL_END) :] if after >= 0 else ""
    return "\n".join(filter(str.strip, (text[: match.start()].rstrip("\n"), signed, rest.strip("\n")))) + "\n"
