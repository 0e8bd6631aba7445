"""The program of the child process that ``tnef`` starts: it unpacks one winmail.dat.

tnefparse believes every count that it reads and copies the rest of the file for each object, so it runs where
it can be stopped. It imports no Django and nothing of this project.

The file comes on stdin. On stdout: the length of a JSON object in four bytes (big endian), the object
``{"text": str, "html": str, "files": [{"name": str, "size": int, "cid": str}], "cut": [str]}``, and the files.
"""

import json
import logging
import resource
import struct
import sys
from typing import Any

from tnefparse import TNEF
from tnefparse.properties import MAPI_ATTACH_CONTENT_ID

SECONDS = 1
MEMORY = 300_000_000
MAX_OUTPUT = 60_000_000
MAX_FILES = 200
MAX_DEPTH = 3
MAX_TEXT = 2_000_000


class _Unpacked:
    def __init__(self) -> None:
        self.text = ""
        self.html = ""
        self.files: list[tuple[str, bytes, str]] = []
        self.cut: list[str] = []

    def add(self, name: str, content: bytes, cid: str = "") -> None:
        if len(self.files) >= MAX_FILES:
            self.cut = [f"The file winmail.dat holds more than {MAX_FILES} files; the others were left out."]
        elif content:
            self.files.append((name, content, cid))


def _text(value: Any, codepage: str | None) -> str:
    """Text of a property, which may be bytes, text, or a list of them."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    if isinstance(value, str):
        return value.replace("\x00", "")[:MAX_TEXT]
    raw = bytes(value or b"")[: 2 * MAX_TEXT].rstrip(b"\x00")
    for name in (codepage, "utf-8", "cp1252"):
        try:
            return raw.decode(name or "ascii").replace("\x00", "")[:MAX_TEXT]
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1").replace("\x00", "")[:MAX_TEXT]


def _collect(tnef: Any, unpacked: _Unpacked, depth: int) -> None:
    for attachment in tnef.attachments:
        name = _text(_long_name(attachment), tnef.codepage)
        inside = getattr(attachment, "embed", None)
        if inside is not None and depth < MAX_DEPTH:
            title = name or "message"
            for suffix, body in ((".html", inside.htmlbody), (".txt", inside.body)):
                if body:
                    unpacked.add(title + suffix, _text(body, inside.codepage).encode())
                    break
            _collect(inside, unpacked, depth + 1)
            continue
        cid = next((a.data for a in attachment.mapi_attrs if a.name == MAPI_ATTACH_CONTENT_ID), "")
        unpacked.add(name, bytes(attachment.data), _text(cid, tnef.codepage))


def _long_name(attachment: Any) -> Any:
    try:
        return attachment.long_filename()
    except UnicodeDecodeError:
        return attachment._name


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT, MAX_OUTPUT))
    logging.disable()
    tnef = TNEF(sys.stdin.buffer.read(), do_checksum=False)
    unpacked = _Unpacked()
    unpacked.text = _text(tnef.body, tnef.codepage)
    unpacked.html = _text(tnef.htmlbody, tnef.codepage)
    _collect(tnef, unpacked, 1)
    files = [{"name": name, "size": len(content), "cid": cid} for name, content, cid in unpacked.files]
    head = {"text": unpacked.text, "html": unpacked.html, "files": files, "cut": unpacked.cut}
    data = json.dumps(head).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    for _, content, _ in unpacked.files:
        sys.stdout.buffer.write(content)


if __name__ == "__main__":
    main()
