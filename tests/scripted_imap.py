"""An IMAP server that misbehaves by script: what no well-made server can be asked to do."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Self

_PARTIAL = re.compile(rb"BODY\.PEEK\[\]<(\d+)\.(\d+)>")
_FETCH = re.compile(rb"(\S+) UID FETCH (\S+) \((.*)\)\r\n")


class ScriptedImap:
    """Serves ``mails`` (by UID) to one user. ``on_body`` may answer for a UID in its place.

    ``on_body(uid)`` returns None (serve it), "refuse" (NO), "leave out" (OK without it), "hang up", "stall"
    (nothing after the first half) or "trickle" (the second half byte by byte, for ever).
    ``upgrade``: what STARTTLS begins; without it the server says NO. ``piece``: the most it gives of a mail at once.
    """

    def __init__(
        self,
        mails: dict[int, bytes],
        *,
        on_body: Callable[[int], str | None] = lambda uid: None,
        greeting: bytes = b"* OK ready\r\n",
        login: bytes = b"OK done",
        tls: ssl.SSLContext | None = None,
        upgrade: ssl.SSLContext | None = None,
        capabilities: bytes = b"IMAP4rev1",
        piece: int = 1 << 40,
    ) -> None:
        self.mails = mails
        self.on_body = on_body
        self.greeting = greeting
        self.login = login
        self.tls = tls
        self.upgrade = upgrade
        self.capabilities = capabilities
        self.piece = piece
        self.idling: dict[socket.socket, bytes] = {}
        self.idled = 0
        self._slow = ""
        self.commands: list[bytes] = []
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

    def announce(self) -> None:
        """Tell everybody who waits by IDLE (RFC 2177) how many mails there are."""
        for line in list(self.idling):
            line.sendall(b"* %d EXISTS\r\n" % len(self.mails))

    def chatter(self) -> None:
        """Say something to everybody who waits that is no news, as Dovecot does every two minutes."""
        for line in list(self.idling):
            line.sendall(b"* OK Still here\r\n")

    def hang_up(self) -> None:
        """End the connections that wait."""
        for line in list(self.idling):
            line.shutdown(socket.SHUT_RDWR)

    def _serve(self, connected: socket.socket) -> None:
        line = connected
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            line.sendall(self.greeting)
            commands = line.makefile("rb")
            while command := commands.readline():
                self.commands.append(command)
                answer = self._idle(line, command) or self._answer(command)
                if answer is None:
                    return
                if self._slow:
                    self._send_slowly(line, answer)
                    return
                line.sendall(answer)
                if self.upgrade is not None and command.upper().endswith(b" STARTTLS\r\n"):
                    line = self.upgrade.wrap_socket(line, server_side=True)
                    commands = line.makefile("rb")
        except OSError:
            return
        finally:
            self.idling.pop(line, None)
            line.close()

    def _send_slowly(self, line: socket.socket, answer: bytes) -> None:
        """Until the client gives up."""
        how, self._slow = self._slow, ""
        line.sendall(answer[: len(answer) // 2])
        while how == "trickle":
            line.sendall(b"x")
            time.sleep(0.02)
        line.recv(1)

    def _idle(self, line: socket.socket, command: bytes) -> bytes:
        tag, _, name = command.strip().partition(b" ")
        if name.upper() == b"IDLE" and b"IDLE" in self.capabilities:
            self.idling[line] = tag
            self.idled += 1
            # In one breath: a client reads both at once.
            return b"+ idling\r\n* %d EXISTS\r\n" % len(self.mails)
        if command == b"DONE\r\n":
            return self.idling.pop(line) + b" OK done\r\n"
        return b""

    def _answer(self, command: bytes) -> bytes | None:
        tag, _, rest = command.strip().partition(b" ")
        name = rest.upper()
        if name.startswith(b"CAPABILITY"):
            return b"* CAPABILITY " + self.capabilities + b"\r\n" + tag + b" OK done\r\n"
        if name.startswith(b"STARTTLS") and self.upgrade is None:
            return tag + b" NO not now\r\n"
        if name.startswith(b"LOGIN"):
            return tag + b" " + self.login + b"\r\n"
        if name.startswith((b"SELECT", b"EXAMINE")):
            following = max(self.mails, default=0) + 1
            return (
                (b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (len(self.mails), following))
                + tag
                + b" OK done\r\n"
            )
        if name.startswith(b"UID SEARCH"):
            uids = b" ".join(b"%d" % uid for uid in sorted(self.mails))
            return b"* SEARCH " + uids + b"\r\n" + tag + b" OK done\r\n"
        fetch = _FETCH.fullmatch(command)
        if fetch:
            return self._fetch(tag, _numbers(fetch[2]), fetch[3])
        if name.startswith(b"LOGOUT"):
            return None
        return tag + b" OK done\r\n"

    def _fetch(self, tag: bytes, uids: list[int], wanted: bytes) -> bytes | None:
        with_body = b"BODY" in wanted
        partial = _PARTIAL.fullmatch(wanted)
        answer = b""
        for number, uid in enumerate(sorted(self.mails), start=1):
            if uid not in uids:
                continue
            what = self.on_body(uid) if with_body else None
            if what == "refuse":
                return tag + b" NO [SERVERBUG] cannot open the mail\r\n"
            if what == "hang up":
                return None
            if what == "leave out":
                continue
            if what in ("stall", "trickle"):
                self._slow = what
            raw = self.mails[uid]
            if partial:
                first, length = int(partial[1]), min(int(partial[2]), self.piece)
                part = raw[first : first + length]
                answer += b"* %d FETCH (UID %d BODY[]<%d> {%d}\r\n%s)\r\n" % (number, uid, first, len(part), part)
            elif with_body:
                answer += b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (number, uid, len(raw), raw)
            else:
                answer += b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "01-Nov-2026 10:00:00 +0000")\r\n' % (
                    number, uid, len(raw),
                )  # fmt: skip
        return answer + tag + b" OK done\r\n"


def _numbers(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found
