"""Bytes to text that every database accepts. Used by the parsing files only.

The declared charset is believed first, then UTF-8, then Windows-1252: statistics guess worse than
that on short Danish texts.
"""

import codecs
import re

_ALIASES = {
    "": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "x-mac-cyrillic": "mac-cyrillic",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "default": "utf-8",
    "binary": "utf-8",
    # Mail programs read Latin-1 as its superset: the control characters that differ are never meant.
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "x-windows-874": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb2312-80": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-user-defined": "cp1252",
    "cp-850": "cp850",
    "unicode": "utf-16",
}
_TEXT_CODECS_ONLY = re.compile(r"^(?:base64|hex|quopri|bz2|zlib|zip|rot|uu|undefined|idna|punycode|unicode_escape|raw)")
_SURROGATES = re.compile("[\ud800-\udfff]")


def codec_for(declared: str) -> str | None:
    """The Python codec for a charset label, or None for one that nobody knows."""
    label = declared.strip().strip("'\"").lower().split("*", 1)[0]
    name = _ALIASES.get(label, label)
    if len(name) > 40 or not name.isascii() or _TEXT_CODECS_ONLY.match(name):
        return None
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return None


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which databases refuse."""
    text = text.replace("\x00", "")
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def decode(data: bytes, declared: str) -> tuple[str, str]:
    """The text of ``data`` and a defect in words, or ''.  Never raises."""
    codec = codec_for(declared)
    if data.startswith(codecs.BOM_UTF8):
        data = data[3:]
        codec = "utf-8"
    defect = "" if codec else f"The charset {declared[:40]!r} is unknown."
    for attempt in dict.fromkeys((codec or "utf-8", "utf-8", "cp1252")):
        try:
            text = data.decode(attempt)
        except (UnicodeError, ValueError):
            continue
        if attempt != codec and not defect:
            defect = f"The text is not in the declared charset {declared[:40] or 'us-ascii'!r}; read as {attempt}."
        return clean(text), defect
    # cp1252 has five holes; a multi-byte charset with one broken character is still best read as itself.
    codec = codec if codec and codec not in ("utf-8", "cp1252") else "cp1252"
    text = data.decode(codec, "replace")
    return clean(text), defect or f"Some characters could not be read as {declared[:40] or codec!r}."


def decode_header_bytes(data: bytes) -> str:
    """Raw 8-bit header bytes: UTF-8 (RFC 6532), else Latin-1. Never raises."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace") if not _has_c1_hole(data) else data.decode("latin-1")


def _has_c1_hole(data: bytes) -> bool:
    return any(byte in data for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
