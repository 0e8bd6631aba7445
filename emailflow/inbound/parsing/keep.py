"""The content of an attachment: a small one in memory, a big one straight into a store while it is decoded.

``parse`` touches no store itself: who calls it hands one over as ``Keep``, and only that raises OSError.
Used by the parsing files only.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from emailflow.inbound.parsing.headers import Buffer
from emailflow.inbound.parsing.transfer import decode_in_pieces, decode_payload

BIG_PART = 1_000_000  # encoded bytes
_HEAD = 64_000


class Writer(Protocol):
    """A file in a store that is written in pieces; leaving it without ``finish`` throws it away."""

    size: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def write(self, piece: bytes) -> None: ...
    def finish(self) -> str: ...


Keep = Callable[[], Writer]


@dataclass(frozen=True, slots=True)
class Content:
    """``head`` is enough to tell the type; ``stored_size`` None means that ``content`` is all of it."""

    head: bytes
    content: bytes
    sha256: str
    stored_size: int | None = None


def keep_content(
    source: Buffer,
    start: int,
    end: int,
    encoding: str,
    keep: Keep | None,
    note: Callable[[str], object],
    first: Callable[[bytes], bytes] | None = None,
) -> Content:
    """Decode one part; ``first`` may cut something off its beginning. Raises OSError of ``keep`` only."""
    if keep is None or end - start <= BIG_PART:
        content, defect = decode_payload(source[start:end], encoding)
        note(defect)
        content = first(content) if first else content
        return Content(content, content, hashlib.sha256(content).hexdigest())
    head = b""
    with keep() as writer:
        for piece in decode_in_pieces(source, start, end, encoding, note):
            if first and not writer.size:
                piece = first(piece)
            if len(head) < _HEAD:
                head += piece[: _HEAD - len(head)]
            writer.write(piece)
        return Content(head, b"", writer.finish(), writer.size)
