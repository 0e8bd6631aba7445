"""Mail from a POP3 server (RFC 1939), with poplib. Used through ``emailflow.sources.base.Source``.

A mail is named by its UIDL (RFC 1939, 7). A deletion counts only when the session has ended well (RFC 1939, 6).
"""

import io
import poplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from emailflow.sources.base import AfterReading, Offer, Position, SourceError
from emailflow.sources.wire import (
    CONNECT_SECONDS,
    PIECE,
    READ_SECONDS,
    Deadline,
    dialling,
    no_upgrade,
    refuse_clear_text,
)

PORTION = 500
HEADER_BYTES = 256 * 1024
# Mails have lines that are far longer than the 998 letters of RFC 5322; poplib refuses beyond 2,048.
_LINE = 64 * 1024
# RFC 2449, 8.1 and RFC 3206: the password may be right, the server just does not want us now.
_NOT_NOW = ("[IN-USE]", "[LOGIN-DELAY]", "[SYS/")


class Pop3Source:
    """One maildrop, which the server locks for us while the session lasts. Not safe for threads."""

    ordered = False
    lease_seconds = 180
    tells_last = True
    may_rename = True

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        username: str,
        password: str,
        after: AfterReading | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.security = security
        self.after = after or AfterReading()
        self._username = username
        self._password = password
        self._client: poplib.POP3 | None = None
        self._ended = False
        self._numbers: dict[str, int] = {}
        self._sizes: dict[int, int] = {}

    def connect(self) -> None:
        self.close()
        refuse_clear_text(self.host, self.security)
        client = self._dial()
        self._client = client
        try:
            if self.security == "starttls":
                self._upgrade(client)
            self._login(client)
            self._list(client)
        except SourceError:
            self.close()
            raise

    def uidvalidity(self) -> str:
        return ""

    def last_uid(self) -> int:
        return 0

    def count(self) -> int:
        return len(self._numbers)

    def offers(self, position: Position) -> Iterator[list[Offer]]:
        """Everything that is there, in the server's order: ``position`` says nothing here."""
        self._open()
        listed = list(self._numbers.items())
        for start in range(0, len(listed), PORTION):
            yield [Offer(uid, self._sizes.get(number, 0)) for uid, number in listed[start : start + PORTION]]

    def fetch(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        found = {}
        for uid in uids:
            stream = io.BytesIO()
            if self.save(uid, stream, lambda: None):
                found[uid] = stream.getvalue()
        return found

    def save(self, uid: str, stream: BinaryIO, alive: Callable[[], None]) -> bool:
        client = self._open()
        number = self._numbers.get(uid)
        if number is None:
            return False
        with self._giving("RETR"):
            _ask(client, f"RETR {number}")
        for piece in self._pieces(client):
            # Our own disk's errors are not the server's: outside of the block that reads.
            stream.write(piece)
            alive()
        return True

    def headers(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        """By TOP, which a server need not have (RFC 1939, 7): then they are empty."""
        client = self._open()
        found = {}
        for uid in uids:
            number = self._numbers.get(uid)
            if number is None:
                continue
            head = b""
            try:
                with self._giving("TOP"):
                    _ask(client, f"TOP {number} 0")
                for piece in self._pieces(client):
                    head = (head + piece)[:HEADER_BYTES]
            except SourceError as error:
                if not error.uid_only:
                    raise
            found[uid] = head
        return found

    def present(self, uids: Sequence[str]) -> set[str]:
        """As of the beginning of the session: nobody else can delete while it lasts."""
        self._open()
        return {uid for uid in uids if uid in self._numbers}

    def after_read(self, uids: Sequence[str]) -> None:
        """Deletes and ends the session, in which alone the deletions take effect."""
        if self.after.action != "delete":
            return
        client = self._open()
        refused = ""
        with self._trouble("delete the mail"):
            for uid in uids:
                if uid not in self._numbers:
                    continue
                try:
                    client.dele(self._numbers[uid])
                except poplib.error_proto as error:
                    refused = _words(error)
            client.quit()
        self._forget()
        self._ended = True
        if refused:
            raise SourceError(f"The server refuses to delete the mail: {refused}")

    def check_target(self) -> None:
        """Nothing to look for: POP3 has no folders."""

    def close(self) -> None:
        client = self._client
        self._forget()
        self._ended = False
        if client is None:
            return
        # Nothing is marked for deletion here. A server that has gone away cannot be told goodbye.
        with suppress(poplib.error_proto, OSError):
            client.sock.settimeout(2)
            client.quit()
        with suppress(OSError):
            client.close()

    def _forget(self) -> None:
        self._client = None
        self._numbers, self._sizes = {}, {}

    def _open(self) -> poplib.POP3:
        if self._client is None and self._ended:
            self.connect()
        if self._client is None:
            raise SourceError("The connection to the mail server was lost")
        return self._client

    def _dial(self) -> poplib.POP3:
        try:
            with dialling(self.host, self.port):
                if self.security == "tls":
                    client: poplib.POP3 = poplib.POP3_SSL(
                        self.host, self.port, timeout=CONNECT_SECONDS, context=ssl.create_default_context()
                    )
                else:
                    client = poplib.POP3(self.host, self.port, timeout=CONNECT_SECONDS)
        except poplib.error_proto as error:
            raise SourceError(f"What answers at {self.host}:{self.port} is not a POP3 server") from error
        client.sock.settimeout(READ_SECONDS)
        return client

    def _upgrade(self, client: poplib.POP3) -> None:
        """STLS (RFC 2595, 4), or no login. Whoever sits on the line can hide the offer."""
        try:
            offered = client.capa()
        except poplib.error_proto:
            offered = {}
        except OSError as error:
            raise self._lost(error) from error
        if "STLS" not in offered:
            raise no_upgrade(f"{self.host} offers no encryption (STLS)")
        try:
            with dialling(self.host, self.port, otherwise=f"{self.host} hung up when encryption was to begin"):
                client.stls(ssl.create_default_context())
        except poplib.error_proto as error:
            raise no_upgrade(f"{self.host} refuses to begin encryption: {_words(error)}") from error

    def _login(self, client: poplib.POP3) -> None:
        if any(ord(letter) < 32 for letter in self._username + self._password):
            # A line break would begin a command of its own.
            raise SourceError("User name and password may hold no line breaks or control characters", permanent=True)
        try:
            client.user(self._username)
            client.pass_(self._password)
        except poplib.error_proto as error:
            text = _words(error).upper()
            if any(code in text for code in _NOT_NOW):
                raise SourceError("The server lets nobody in right now") from error
            if "EOF" in text:
                raise SourceError("The server closed the connection during the login") from error
            raise SourceError("The server did not accept the password", permanent=True) from error
        except OSError as error:
            raise self._lost(error) from error

    def _list(self, client: poplib.POP3) -> None:
        with self._trouble("list its mails"):
            _, sizes, _ = client.list()
        try:
            _, names, _ = client.uidl()
        except poplib.error_proto as error:
            raise SourceError(
                f"The server gives its mails no lasting names (UIDL), so that nobody can tell which are new: "
                f"{_words(error)}",
                permanent=True,
            ) from error
        except OSError as error:
            raise self._lost(error) from error
        self._sizes = {int(number): int(size) for number, size in _pairs(sizes)}
        self._numbers = {}
        for number, name in _pairs(names):
            uid = name
            again = 1
            # Two equal mails may carry one name (RFC 1939, 7). A UIDL holds no space, so this is nobody's.
            while uid in self._numbers:
                again += 1
                uid = f"{name} {again}"
            self._numbers[uid] = int(number)

    def _pieces(self, client: poplib.POP3) -> Iterator[bytes]:
        """The lines up to the single dot, as they came but for the dots put before dots (RFC 1939, 3)."""
        ended = False
        at_line_start = True
        while not ended:
            piece = bytearray()
            with self._giving("RETR"), self._deadline(client):
                while len(piece) < PIECE and not ended:
                    line = client.file.readline(_LINE)
                    if not line:
                        raise OSError("the connection ended in the middle of a mail")
                    if at_line_start and line.startswith(b"."):
                        line = line[1:]
                        ended = line in (b"\r\n", b"\n")
                    at_line_start = line.endswith(b"\n")
                    if not ended:
                        piece += line
            yield bytes(piece)

    @contextmanager
    def _deadline(self, client: poplib.POP3) -> Iterator[None]:
        deadline = Deadline(client.sock)
        try:
            with deadline:
                yield
        except OSError as error:
            raise self._lost(error, too_slow=deadline.passed) from error

    @contextmanager
    def _giving(self, what: str) -> Iterator[None]:
        """A refusal is about the mail, all else about the connection."""
        try:
            yield
        except poplib.error_proto as error:
            if "EOF" in _words(error):
                raise self._lost(error) from error
            raise SourceError(f"The server does not give the mail ({what}): {_words(error)}", uid_only=True) from error
        except OSError as error:
            raise self._lost(error) from error

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        try:
            yield
        except poplib.error_proto as error:
            if "EOF" in _words(error):
                raise self._lost(error) from error
            raise SourceError(f"The server refuses to {what}: {_words(error)}") from error
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception, *, too_slow: bool = False) -> SourceError:
        client = self._client
        self._forget()
        if client is not None:
            with suppress(OSError):
                client.close()
        if too_slow:
            return SourceError(f"{self.host}:{self.port} sends so slowly that it was given up")
        if isinstance(error, TimeoutError):
            return SourceError(f"{self.host}:{self.port} stopped answering")
        return SourceError(f"The connection to {self.host}:{self.port} was lost")


def _ask(client: poplib.POP3, command: str) -> None:
    """Send a command whose answer has many lines, and read the first of them. Raises error_proto, OSError.

    poplib would keep all lines, and refuses long ones.
    """
    client.sock.sendall(command.encode("ascii") + b"\r\n")
    answer = client.file.readline(_LINE)
    if not answer.endswith(b"\n"):
        raise OSError("the connection ended in the middle of an answer")
    if not answer.startswith(b"+"):
        raise poplib.error_proto(answer.strip())


def _pairs(lines: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Number and value of each line of a listing; what is no such pair is no mail."""
    for line in lines:
        number, _, value = line.decode("ascii", "backslashreplace").strip().partition(" ")
        if number.isdigit() and value.strip():
            yield number, value.split()[0]


def _words(error: Exception) -> str:
    """The server's own sentence, on one line. Our commands, and so the password, are never part of it."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:200]
