"""The media type of bytes by their content; what a sender declares is a hint, never a fact.

Small on purpose: it knows the types that the staff pages treat in a special way (images shown inline,
HTML and SVG never shown) and the common office files.
"""

from pathlib import PurePosixPath

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"MZ", "application/x-msdownload"),
    (b"\x7fELF", "application/x-executable"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_ZIP_BY_ENTRY = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.spreadsheet",
    ),
)
_BY_EXTENSION = {
    "application/zip": {
        ".docx": _ZIP_BY_ENTRY[0][1],
        ".xlsx": _ZIP_BY_ENTRY[1][1],
        ".pptx": _ZIP_BY_ENTRY[2][1],
        ".odt": _ZIP_BY_ENTRY[3][1],
        ".ods": _ZIP_BY_ENTRY[4][1],
    },
    "application/x-ole-storage": {
        ".doc": "application/msword",
        ".xls": "application/vnd.ms-excel",
        ".ppt": "application/vnd.ms-powerpoint",
        ".msg": "application/vnd.ms-outlook",
    },
}
# Declared types that may only be believed when the content shows them: a browser acts on these.
_NEEDS_PROOF = frozenset({value for _, value in _MAGIC} | {"image/webp", "image/svg+xml", "text/html"})
_HTML_STARTS = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<iframe",
    b"<table",
    b"<div",
    b"<p>",
)
_TEXT_CONTROL = frozenset({9, 10, 12, 13, 27})


def sniff(content: bytes, declared: str, name: str) -> str:
    """The media type of ``content``. Never answers a type that a browser would run unless it is that type."""
    found = _by_magic(content)
    if found in _BY_EXTENSION:
        return _inside_container(content, found, name)
    if found:
        return found
    looks_like_text = _is_text(content)
    if looks_like_text:
        markup = _markup(content)
        if markup:
            return markup
    if declared.startswith(("multipart/", "message/")):
        return (
            declared
            if declared == "message/rfc822"
            else "text/plain"
            if looks_like_text
            else "application/octet-stream"
        )
    if declared in _NEEDS_PROOF or "/" not in declared or declared.startswith(("image/", "application/xhtml")):
        return "text/plain" if looks_like_text and content else "application/octet-stream"
    if declared.startswith("text/") and not looks_like_text and declared != "text/calendar":
        return declared if _is_foreign_text(content) else "application/octet-stream"
    if declared == "application/octet-stream" and looks_like_text and content:
        return "text/plain"
    return declared


def _by_magic(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    for magic, mime_type in _MAGIC:
        if content.startswith(magic):
            if mime_type in ("image/bmp", "application/x-msdownload") and _is_text(content):
                continue  # two letters prove nothing in a text
            return mime_type
    return ""


def _inside_container(content: bytes, found: str, name: str) -> str:
    by_extension = _BY_EXTENSION[found].get(PurePosixPath(name).suffix.lower())
    if by_extension:
        return by_extension
    if found == "application/zip":
        head = content[:4000]
        for marker, mime_type in _ZIP_BY_ENTRY:
            if marker in head:
                return mime_type
    return found


def _markup(content: bytes) -> str:
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_HTML_STARTS):
        return "text/html"
    if head.startswith((b"<?xml", b"<svg", b"<!doctype svg", b"<!--")) and b"<svg" in content[:4096].lower():
        return "image/svg+xml"
    if head.startswith((b"<!--", b"<?xml")) and b"<html" in content[:4096].lower():
        return "text/html"
    return ""


def _is_text(content: bytes) -> bool:
    """UTF-8 (or ASCII) without control characters in the first 4 kB."""
    head = content[:4096]
    if any(byte < 32 and byte not in _TEXT_CONTROL for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(content) > len(head) and error.start >= len(head) - 3
    return True


def _is_foreign_text(content: bytes) -> bool:
    """Text in another charset: no control characters but perhaps the NULs of UTF-16."""
    head = content[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(byte < 32 and byte not in _TEXT_CONTROL for byte in head)
