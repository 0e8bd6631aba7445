"""Parameters of structured MIME headers (RFC 2045 section 5.1, RFC 2231), read in linear time."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from emailflow.inbound.parsing.charset import codec_for, decode

_MAX_HEADER = 64_000
_MAX_PARAMS = 200
_EXTENDED = re.compile(r"^(?P<name>[^*]+)\*(?:(?P<number>\d{1,4})(?P<coded>\*)?)?$")


@dataclass(slots=True)
class Structured:
    """A value and its parameters; names in lower case, RFC 2231 pieces joined and decoded."""

    value: str = ""
    params: dict[str, str] = field(default_factory=dict)


def parse_structured(header: str) -> Structured:
    """``text/plain; charset=utf-8`` as value and parameters. Never raises."""
    pieces = _split(header[:_MAX_HEADER])
    if not pieces:
        return Structured()
    result = Structured(value=pieces[0].strip().strip('"').lower())
    extended: dict[str, dict[int, tuple[str, bool]]] = {}
    for piece in pieces[1 : _MAX_PARAMS + 1]:
        name, sign, value = piece.partition("=")
        name = name.strip().lower()
        if not sign or not name:
            continue
        match = _EXTENDED.match(name)
        if match is None:
            result.params.setdefault(name, _unquote(value))
            continue
        number = int(match["number"] or 0)
        coded = bool(match["coded"]) or match["number"] is None
        extended.setdefault(match["name"], {}).setdefault(number, (_unquote(value), coded))
    for name, numbered in extended.items():
        # RFC 6266 section 4.3, and the habit of all mail programs: the extended form wins.
        result.params[name] = _join_extended(numbered)
    return result


def _split(header: str) -> list[str]:
    """At semicolons outside quotes. Quotes that never end reach to the next semicolon only."""
    pieces: list[str] = []
    start = 0
    quoted = False
    last_semicolon = -1
    index = 0
    length = len(header)
    while index < length:
        char = header[index]
        if char == "\\" and quoted:
            index += 1
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            pieces.append(header[start:index])
            start = index + 1
            last_semicolon = index
        index += 1
    rest = header[last_semicolon + 1 :]
    pieces.extend(rest.split(";") if quoted else [rest])
    return pieces


def _unquote(value: str) -> str:
    value = value.strip()
    if value.startswith('"'):
        end = _closing_quote(value)
        # A Windows path in quotes ("C:\x\y.txt") is meant literally; only \" and \\ are escapes in practice.
        return value[1:end].replace('\\"', '"').replace("\\\\", "\\")
    if value.startswith("'") and value.endswith("'") and len(value) > 1:
        return value[1:-1]
    return value


def _closing_quote(value: str) -> int:
    index = 1
    while index < len(value):
        if value[index] == "\\":
            index += 2
            continue
        if value[index] == '"':
            return index
        index += 1
    return len(value)


def _join_extended(numbered: dict[int, tuple[str, bool]]) -> str:
    charset = ""
    parts: list[bytes] = []
    for position, number in enumerate(sorted(numbered)):
        text, coded = numbered[number]
        if coded and position == 0 and text.count("'") >= 2:
            charset, _language, text = text.split("'", 2)
        if coded:
            parts.append(unquote_to_bytes(text))
        else:
            parts.append(text.encode(codec_for(charset) or "utf-8", "replace"))
    return decode(b"".join(parts), charset)[0]
