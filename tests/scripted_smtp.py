"""An SMTP server that misbehaves by script: what no well-made server can be asked to do."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "body", "dot")


class ScriptedSmtp:
    """Takes mail (``mails``: recipient and content) unless ``on`` says otherwise.

    ``on(stage, recipient)`` with a stage of STAGES (or STARTTLS, AUTH, RSET) returns None (go on), bytes (say that),
    "hang" (say nothing more), "hang up", or, at "dot", "keep and hang" and "keep and hang up": the mail is taken all
    the same. At "body" a few lines have been read.
    """

    def __init__(
        self,
        on: Callable[[str, str], bytes | str | None] = lambda stage, recipient: None,
        *,
        extensions: tuple[bytes, ...] = (b"SIZE 30000000",),
        tls: ssl.SSLContext | None = None,
        upgrade: ssl.SSLContext | None = None,
    ) -> None:
        self.on = on
        self.extensions = extensions
        self.tls = tls
        self.upgrade = upgrade
        self.mails: list[tuple[str, bytes]] = []
        self.commands: list[bytes] = []
        self.connections = 0
        self.hangs = threading.Event()
        """Set when the server falls silent."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.set()
        self._listener.close()

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.mails]

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        line = connected
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            if not self._say(line, "greeting", "", b"220 ready\r\n"):
                return
            self._talk(line)
        except OSError:
            return
        finally:
            line.close()

    def _talk(self, line: socket.socket) -> None:
        commands, recipient = line.makefile("rb"), ""
        while command := commands.readline():
            self.commands.append(command.strip())
            name = command.split()[0].decode().upper()
            if name == "RCPT":
                recipient = command.split(b"<")[1].split(b">")[0].decode()
            if name == "QUIT":
                line.sendall(b"221 bye\r\n")
                return
            if not self._say(line, name, recipient, self._right(name)):
                return
            if name == "STARTTLS" and self.upgrade is not None:
                line = self.upgrade.wrap_socket(line, server_side=True)
                commands = line.makefile("rb")
            if name == "DATA" and self._last.startswith(b"354"):
                content = [commands.readline() for _ in range(3)]
                if not self._say(line, "body", recipient, b""):
                    return
                while (piece := commands.readline()) not in (b".\r\n", b""):
                    content.append(piece.removeprefix(b".") if piece.startswith(b"..") else piece)
                if not piece or not self._end(line, recipient, b"".join(content)):
                    return

    def _end(self, line: socket.socket, recipient: str, content: bytes) -> bool:
        what = self.on("dot", recipient)
        if what is None or str(what).startswith("keep"):
            self.mails.append((recipient, content))
        if isinstance(what, str):
            what = what.removeprefix("keep and ")
        return self._do(line, what, b"250 taken\r\n")

    def _say(self, line: socket.socket, stage: str, recipient: str, right: bytes) -> bool:
        return self._do(line, self.on(stage, recipient), right)

    def _do(self, line: socket.socket, what: bytes | str | None, right: bytes) -> bool:
        if what == "hang up":
            return False
        if what == "hang":
            self.hangs.set()
            self._ends.wait(60)
            return False
        self._last = what if isinstance(what, bytes) else right
        line.sendall(self._last)
        return not self._last.startswith(b"421")

    def _right(self, name: str) -> bytes:
        if name == "EHLO":
            lines = [b"test", *self.extensions, *([b"STARTTLS"] if self.upgrade else [])]
            return b"".join(b"250-%s\r\n" % each for each in lines[:-1]) + b"250 %s\r\n" % lines[-1]
        if name == "STARTTLS":
            return b"220 go on\r\n" if self.upgrade else b"502 no such command\r\n"
        return {"DATA": b"354 go on\r\n", "AUTH": b"235 welcome\r\n"}.get(name, b"250 ok\r\n")
