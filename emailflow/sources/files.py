"""Mail from files: ``.eml``, mbox, Maildir, folders of these, and standard input. Used by ``import_mail``.

Reads one mail at a time, so that an mbox may be larger than the memory.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

# Files of these kinds are mail by their name; others in a folder are looked into.
_MAIL_NAMES = {".eml", ".mbox", ".mbx", ".mail"}
_HEADER_LINE = re.compile(rb"[!-9;-~]{1,76}:")
_KNOWN_HEADERS = re.compile(
    rb"^(from|to|subject|date|received|return-path|message-id|delivered-to|mime-version|content-type):",
    re.IGNORECASE | re.MULTILINE,
)
# RFC 4155, appendix A: sender, then the time as of ctime(3). Clients vary in what stands around them.
_SEPARATOR = re.compile(rb"From (?:\S.*)?\d{1,2}:\d{2}(?::\d{2})?(?:\s.*)?\d{4}")
_QUOTED_FROM = re.compile(rb">+From ")
_LOOK = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """One mail in one file, or the reason why it could not be read."""

    file: str
    raw: bytes = field(default=b"", repr=False)
    error: str = ""


def read_paths(paths: list[str], *, one_on_stdin: bool = False) -> Iterator[Found]:
    """Every mail of these paths, folders in the order of their names. ``-`` is standard input.

    ``one_on_stdin``: standard input is one mail from a mail server, whatever lines it holds.
    """
    for path in paths:
        if path == "-" and one_on_stdin:
            yield _read_piped(sys.stdin.buffer)
        elif path == "-":
            yield from _read_stream(sys.stdin.buffer, "-")
        elif Path(path).is_dir():
            yield from _read_folder(Path(path))
        else:
            yield from _read_file(Path(path))


def total_bytes(paths: list[str]) -> int:
    """How much there is to read, for a progress bar; 0 when nobody can know."""
    if "-" in paths:
        return 0
    sizes = 0
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        sizes += sum(file.stat().st_size for file in files if file.is_file())
    return sizes


def _read_folder(folder: Path) -> Iterator[Found]:
    if _is_maildir(folder):
        for name in ("new", "cur"):
            for file in _sorted(folder / name):
                if file.is_file() and not file.name.startswith("."):
                    yield from _read_file(file)
        # Maildir++ keeps its folders beside new and cur, with names that begin with a dot.
        for inner in _sorted(folder):
            if inner.is_dir() and inner.name not in ("new", "cur", "tmp"):
                yield from _read_folder(inner)
        return
    try:
        entries = _sorted(folder)
    except OSError as error:
        yield Found(str(folder), error=f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.is_dir() and (not entry.name.startswith(".") or _is_maildir(entry)):
            yield from _read_folder(entry)
        elif entry.is_file() and not entry.name.startswith(".") and _is_mail(entry):
            yield from _read_file(entry)


def _read_file(path: Path) -> Iterator[Found]:
    try:
        with path.open("rb") as stream:
            yield from _read_stream(stream, str(path))
    except OSError as error:
        yield Found(str(path), error=f"the file cannot be read: {error.strerror}")


def _read_piped(stream: BinaryIO) -> Found:
    """One mail. Mail servers may put a "From " line in front; any other is the sender's text.

    Splitting there would let a sender forge a second mail with headers of our own server.
    """
    first = stream.readline()
    raw = stream.read() if first.startswith(b"From ") else first + stream.read()
    return Found("-", raw) if raw.strip() else Found("-", error="there is no mail in it")


def _read_stream(stream: BinaryIO, name: str) -> Iterator[Found]:
    """An mbox when it begins with a "From " line, else one mail, whatever its bytes are."""
    first = stream.readline()
    if not first.startswith(b"From "):
        raw = first + stream.read()
        yield Found(name, raw) if raw.strip() else Found(name, error="there is no mail in it")
        return
    number = 0
    for raw in _split(stream):
        number += 1
        yield Found(name if number == 1 else f"{name}#{number}", raw)
    if not number:
        yield Found(name, error="there is no mail in it")


def _split(stream: BinaryIO) -> Iterator[bytes]:
    """The mails of an mbox after its first line. The blank line before a separator belongs to it."""
    lines: list[bytes] = []
    after_blank = False
    for line in stream:
        if after_blank and _SEPARATOR.match(line):
            if lines:
                lines.pop()
                yield b"".join(lines)
            lines, after_blank = [], False
            continue
        after_blank = line in (b"\n", b"\r\n")
        # The mboxrd form: every line that looked like a separator got one ">" more.
        lines.append(line[1:] if _QUOTED_FROM.match(line) else line)
    if lines and after_blank and len(lines) > 1 and _has_body(lines[:-1]):
        lines.pop()
    if any(line.strip() for line in lines):
        yield b"".join(lines)


def _has_body(lines: list[bytes]) -> bool:
    return any(line in (b"\n", b"\r\n") for line in lines)


def _is_maildir(folder: Path) -> bool:
    return (folder / "new").is_dir() and (folder / "cur").is_dir()


def _is_mail(path: Path) -> bool:
    """By its name, or by its first lines."""
    if path.suffix.lower() in _MAIL_NAMES:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_LOOK)
    except OSError:
        # Reading it says so in a line of its own.
        return True
    if head.startswith(b"From "):
        return bool(_SEPARATOR.match(head.split(b"\n", 1)[0]))
    return bool(_HEADER_LINE.match(head) and _KNOWN_HEADERS.search(head))


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: path.name)
