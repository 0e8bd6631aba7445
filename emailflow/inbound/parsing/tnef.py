"""winmail.dat, the container of old Outlooks (MS-OXTNEF), unpacked in a child process. Used by ``files`` only.

The library believes every count that it reads, so the child has limits for time and memory; a winmail.dat that
it cannot unpack stays a file.
"""

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from emailflow.inbound.parsing.headers import Buffer, one_line

DEADLINE = 10.0  # seconds; the child has fewer of its own, this one counts the waiting of a busy machine too
MAX_HEAD = 20_000_000
_PROGRAM = Path(__file__).with_name("tnef_child.py")
_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_FAILED = "The file winmail.dat of Outlook could not be unpacked; it is attached as it came."


@dataclass(frozen=True, slots=True)
class TnefFile:
    """``start`` and ``end`` are offsets in the data of the unpacked."""

    name: str
    start: int
    end: int
    content_id: str = ""


@dataclass(slots=True)
class Unpacked:
    """``data`` is valid as long as the ``unpack`` that gave it."""

    text: str = ""
    html: str = ""
    files: list[TnefFile] = field(default_factory=list)
    data: Buffer = b""
    defects: list[str] = field(default_factory=list)


def is_tnef(kind: str, name: str) -> bool:
    return kind in _TYPES or name.lower() == "winmail.dat"


@contextmanager
def unpack(pieces: Iterable[bytes]) -> Iterator[Unpacked]:
    """What the container holds. Raises OSError when the disk for temporary files says no, else nothing."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        for piece in pieces:
            source.write(piece)
        source.seek(0)
        try:
            done = subprocess.run(  # noqa: S603  our own program
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=source,
                stdout=target,
                stderr=subprocess.DEVNULL,
                cwd="/",
                timeout=DEADLINE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            yield Unpacked(defects=[_FAILED])
            return
        if done.returncode or target.seek(0, 2) < 4:
            yield Unpacked(defects=[_FAILED])
            return
        yield _read(mmap(target.fileno(), 0, access=ACCESS_READ))


def _read(data: Buffer) -> Unpacked:
    size = struct.unpack(">I", data[:4])[0]
    head: dict[str, Any] = json.loads(data[4 : 4 + min(size, MAX_HEAD)])
    unpacked = Unpacked(text=head["text"].replace("\r\n", "\n"), html=head["html"], data=data, defects=head["cut"])
    at = 4 + size
    for file in head["files"]:
        content_id = one_line(file["cid"]).strip("<> ")[:250]
        unpacked.files.append(TnefFile(file["name"], at, at + file["size"], content_id))
        at += file["size"]
    return unpacked
