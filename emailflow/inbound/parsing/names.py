"""File names of parts: decoded, never a path, never empty. Used by ``mime`` only."""

import mimetypes
import re
import unicodedata
from collections.abc import Callable

from emailflow.inbound.parsing.charset import clean
from emailflow.inbound.parsing.params import Structured

_MAX_NAME = 200
# Control characters, and the bidi controls that make "exe.png" of "gnp.exe" (Unicode UAX 9).
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "application/octet-stream": ".bin",
    "application/ms-tnef": ".dat",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc",
    "message/rfc822": ".eml",
}
_KNOWN_STEMS = {
    "text/calendar": "invite",
    "application/ms-tnef": "winmail",
    "application/pkcs7-mime": "smime",
    "application/pkcs7-signature": "smime",
    "application/pgp-signature": "signature",
}
_WINDOWS_DEVICES = re.compile(r"^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)


def declared_name(disposition: Structured, content_type: Structured, decode_words: Callable[[str], str]) -> str:
    """The name as the sender gave it, decoded (RFC 2231, or the encoded words that RFC 2047 forbids here)."""
    for structured, key in ((disposition, "filename"), (content_type, "name"), (disposition, "name")):
        name = structured.params.get(key, "")
        if name.strip():
            return decode_words(name) if "=?" in name else name
    return ""


def safe_name(name: str) -> str:
    """``name`` without folders, control characters and leading dots, cut to 200 characters; perhaps ''."""
    name = unicodedata.normalize("NFC", clean(name))
    name = re.split(r"[/\\]", name)[-1]
    name = _HIDDEN.sub("", name)
    name = re.sub(r'[<>:"|?*]', "_", name)
    name = " ".join(name.split()).strip(". ") if name.startswith(".") else " ".join(name.split()).rstrip(". ")
    name = name.lstrip(". ")
    if _WINDOWS_DEVICES.match(name):
        name = f"_{name}"
    return _cut(name)


def _cut(name: str) -> str:
    if len(name) <= _MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if dot and len(extension) <= 10:
        return f"{stem[: _MAX_NAME - len(extension) - 1]}.{extension}"
    return name[:_MAX_NAME]


def extension_for(mime_type: str) -> str:
    return _EXTENSIONS.get(mime_type) or mimetypes.guess_extension(mime_type) or ".bin"


def made_up_name(mime_type: str, number: int) -> str:
    """A name for a part that has none: ``invite.ics``, ``image-2.png``, ``attachment-3.pdf``."""
    extension = extension_for(mime_type)
    if mime_type in _KNOWN_STEMS:
        return f"{_KNOWN_STEMS[mime_type]}{extension}"
    stem = "image" if mime_type.startswith("image/") else "attachment"
    return f"{stem}-{number}{extension}"


def name_of_location(location: str) -> str:
    """The last piece of a Content-Location (RFC 2557) if it looks like a file name, else ''."""
    name = safe_name(location.partition("?")[0].partition("#")[0])
    return name if re.search(r"\.[A-Za-z0-9]{1,5}$", name) and not location.startswith("cid:") else ""


def name_of_message(subject: str) -> str:
    """An attached mail is named by its subject."""
    stem = safe_name(re.sub(r"[/\\]", "-", subject)) or "message"
    return f"{stem[: _MAX_NAME - 4]}.eml"
