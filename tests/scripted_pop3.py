"""A POP3 server that misbehaves by script: what no well-made server can be asked to do."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self


class ScriptedPop3:
    """Serves ``mails`` (by UIDL) to one user; what a session deletes is gone once it ends with QUIT.

    ``on_retr(uid)`` returns None (serve it), "refuse", "hang up", "cut" (hang up in the middle) or "stall"
    (nothing after the first half).
    """

    def __init__(
        self,
        mails: dict[str, bytes],
        *,
        on_retr: Callable[[str], str | None] = lambda uid: None,
        answers: dict[str, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        upgrade: ssl.SSLContext | None = None,
    ) -> None:
        self.mails = mails
        self.on_retr = on_retr
        self.answers = answers or {}
        """What the server says to a command, in place of what is right."""
        self.tls = tls
        self.upgrade = upgrade
        self.commands: list[str] = []
        self._stall = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        line = connected
        deleted: list[str] = []
        listed = list(self.mails)
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            line.sendall(self.answers.get("", b"+OK ready\r\n"))
            commands = line.makefile("rb")
            while command := commands.readline():
                name, _, argument = command.decode().strip().partition(" ")
                self.commands.append(name)
                answer = self.answers.get(name) or self._answer(name, argument, listed, deleted)
                if name == "RETR" and self._stall:
                    line.sendall(answer[: len(answer) // 2])
                    line.recv(1)
                    return
                if name == "QUIT" and answer.startswith(b"+"):
                    # Before the answer: who has it may put a mail of that name in at once.
                    for uid in deleted:
                        self.mails.pop(uid, None)
                line.sendall(answer)
                if name == "QUIT" or not answer.endswith(b"\r\n"):
                    return
                if name == "STLS" and answer.startswith(b"+") and self.upgrade is not None:
                    line = self.upgrade.wrap_socket(line, server_side=True)
                    commands = line.makefile("rb")
        except OSError:
            return
        finally:
            line.close()

    def _answer(self, name: str, argument: str, listed: list[str], deleted: list[str]) -> bytes:
        number = int(argument.split()[0]) if argument and argument.split()[0].isdigit() else 0
        if name == "CAPA":
            return _lines([b"UIDL", b"TOP", *([b"STLS"] if self.upgrade else [])])
        if name == "LIST":
            return _lines([b"%d %d" % (at, len(self.mails[uid])) for at, uid in enumerate(listed, start=1)])
        if name == "UIDL":
            return _lines([b"%d %s" % (at, uid.split()[0].encode()) for at, uid in enumerate(listed, start=1)])
        if name == "TOP":
            head = self.mails[listed[number - 1]].partition(b"\r\n\r\n")[0]
            return _lines([*head.split(b"\r\n"), b""])
        if name == "DELE":
            deleted.append(listed[number - 1])
        if name == "RETR":
            return self._retr(listed[number - 1])
        return b"+OK\r\n"

    def _retr(self, uid: str) -> bytes:
        what = self.on_retr(uid)
        if what == "refuse":
            return b"-ERR cannot open the mail\r\n"
        if what == "hang up":
            return b" "
        self._stall = what == "stall"
        body = self.mails[uid]
        stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
        whole = b"+OK\r\n" + stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"
        return whole[: len(whole) // 2].rstrip() if what == "cut" else whole


def _lines(lines: list[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"
