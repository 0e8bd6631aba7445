"""A line between Hub and PostgreSQL that can be cut, at a moment that is exact to one packet.

It reads along what the clients send, so that it knows which commit is under way: that of a mail that is stored, or
that of mails that are filed.
"""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tests.postgresql import free_port

HOST = "127.0.0.1"
PIECE = 65536
STORE, FILE, CLAIM = "store", "file", "claim"
# What is only said in that transaction. A claim is a statement that commits by itself.
_SIGNS = (
    (b'INSERT INTO "email_messages"', STORE),
    (b'INSERT INTO "email_traces"', FILE),
    (b"UPDATE email_messages SET state = 'processing'", CLAIM),
)
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class _Line:
    """One connection: what it is about, and its two ends."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.about = ""
        self.swallow = False
        self.cut_after_answer = False
        self.hold = False

    def cut(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()


class Proxy:
    """``points``: ("store", "before"), ("store", "after"), ("file", "before"), ("file", "after"), ("claim", "after").

    *before*: the COMMIT never reaches the server. *after*: the server commits, and its answer is lost; a claim's
    answer arrives, and the next statement has no line. *hold*: the server has committed, and its answer is held back
    until the client is killed.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = free_port()
        self.count = 0
        self._lines: set[_Line] = set()
        self._point: tuple[str, str] | None = None
        self._hit = threading.Event()
        self._held: _Line | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True, name="proxy")

    def start(self) -> None:
        ready = threading.Event()
        self._thread.start()
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._serve(ready)))
        if not ready.wait(10):
            raise RuntimeError("the proxy does not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def cut_all(self) -> int:
        """Break every connection, as a switch does that loses its power. Returns how many there were."""
        return self._call(self._cut_all())

    def cut_at(self, about: str, when: str, wait: float) -> bool:
        """Break one connection at its next such commit. False when none came within ``wait`` seconds."""
        self._hit.clear()
        self._point = (about, when)
        hit = self._hit.wait(wait)
        self._point = None
        return hit

    def hold_at(self, about: str, wait: float) -> int:
        """Hold one connection at its next such commit: the client's port, 0 when none came. Then ``let_go``."""
        self._held = None
        if not self.cut_at(about, "hold", wait) or self._held is None:
            return 0
        return int(self._held.client.get_extra_info("peername")[1])

    def let_go(self) -> None:
        """The held connection ends."""
        if self._held is not None:
            self._loop.call_soon_threadsafe(self._held.cut)

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut_all(self) -> int:
        lines = list(self._lines)
        for line in lines:
            line.cut()
        return len(lines)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _serve(self, ready: threading.Event) -> None:
        self._server = await asyncio.start_server(self._connected, HOST, self.port)
        ready.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self.server_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, to_server)
        self._lines.add(line)
        try:
            await asyncio.gather(self._to_server(line, reader), self._to_client(line, from_server))
        finally:
            line.cut()
            self._lines.discard(line)

    async def _to_server(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if not self._may_pass(line, data):
                    break
                line.server.write(data)
                await line.server.drain()
        # With a commit under way, the server's answer ends the line.
        if not line.swallow:
            line.cut()

    async def _to_client(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if line.hold:
                    self._held = line
                    self._hit.set()
                    return
                if line.swallow:
                    break
                line.client.write(data)
                await line.client.drain()
                if line.cut_after_answer:
                    break
        line.cut()

    def _may_pass(self, line: _Line, data: bytes) -> bool:
        """False: the line is cut before these bytes."""
        for sign, about in _SIGNS:
            if sign in data:
                line.about = about
        if line.about == CLAIM:
            line.about = ""
            line.cut_after_answer = self._now(CLAIM, "after")
            line.hold = self._now(CLAIM, "hold")
        elif data.endswith(_COMMIT):
            about, line.about = line.about, ""
            if self._now(about, "before"):
                return False
            line.hold = self._now(about, "hold")
            line.swallow = line.hold or self._now(about, "after")
        return True

    def _now(self, about: str, when: str) -> bool:
        if self._point != (about, when):
            return False
        self._point = None
        if when != "hold":
            self._hit.set()
        return True
