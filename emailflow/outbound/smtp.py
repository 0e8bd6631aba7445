"""Hands mails to mail servers (RFC 5321). The only outbound file with sockets; knows no table. For ``send`` only.

The whole dialogue about one mail, from the connection to the last answer, has one hard time limit. The body is sent
first; the caller is asked once more (``last_moment``) before the line with the single dot that makes the mail the
server's: whoever dies earlier has certainly not sent it.
"""

import base64
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from emailflow.outbound.base import Letter, SendError, Server
from emailflow.sources.base import SourceError
from emailflow.sources.wire import dialling, refuse_clear_text

__all__ = ["HARD_SECONDS", "Connections", "Letter", "SendError", "Server", "greet"]

CONNECT_SECONDS = 15
REPLY_SECONDS = 60
# Below the lease of a row, so that nobody takes it over while its sender still works.
HARD_SECONDS = 180
PIECE = 64 * 1024
# Many servers end a connection after a hundred mails.
MAILS_A_CONNECTION = 100
_LINE_BEGINS_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)
# About the connection and us, not about the mail (RFC 5321, 3.8; RFC 4954, 6): whoever corrects the password wants
# the mails to go then.
_ABOUT_US = frozenset({421, 530, 534, 535, 538})


class Connections:
    """Connections that are kept for the next mail to the same server. A context manager; not thread-safe."""

    def __init__(self) -> None:
        self._open: dict[Server, _Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._open.values():
            connection.quit()
        self._open.clear()

    def send(self, server: Server, letter: Letter, *, last_moment: Callable[[], None]) -> int:
        """Hand the mail over and return the server's code (250). Raises SendError.

        ``last_moment`` is called when everything but the final dot has been sent; what it raises is passed on, and
        the mail is then not sent.
        """
        with _HardLimit() as limit:
            kept = self._open.pop(server, None)
            if kept is not None and kept.takes_another(limit):
                try:
                    return self._through(kept, letter, last_moment)
                except SendError as error:
                    # It has had enough of this connection (RFC 5321, 3.8), not of us.
                    if error.code != 421:
                        raise
            return self._through(_Connection(server, limit), letter, last_moment)

    def _through(self, connection: "_Connection", letter: Letter, last_moment: Callable[[], None]) -> int:
        try:
            return connection.send(letter, last_moment)
        finally:
            if connection.is_open:
                self._open[connection.server] = connection


def greet(server: Server) -> None:
    """Connect, encrypt and log in as for a mail, and say goodbye. Raises SendError."""
    with _HardLimit() as limit:
        _Connection(server, limit).quit()


class _HardLimit:
    """Ends the dialogue after HARD_SECONDS, however lively the server is. ``passed``: it was us who hung up."""

    def __init__(self) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(HARD_SECONDS, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._socket = None

    def watch(self, connected: socket.socket) -> None:
        self._socket = connected
        if self.passed:
            raise TimeoutError

    def _hang_up(self) -> None:
        self.passed = True
        connected = self._socket
        if connected is not None:
            with suppress(OSError):
                # Not the method of SSLSocket: that would take the TLS object away under the reader's hands.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


class _Connection:
    """One connection, greeted, encrypted and logged in."""

    def __init__(self, server: Server, limit: _HardLimit) -> None:
        self.server = server
        self.mails = 0
        self._limit = limit
        self._client = smtplib.SMTP(local_hostname=server.our_name, timeout=REPLY_SECONDS)
        try:
            with self._about_the_server():
                self._begin()
        except BaseException:
            self._close()
            raise

    @property
    def is_open(self) -> bool:
        return self._client.sock is not None

    def takes_another(self, limit: _HardLimit) -> bool:
        """Whether the server still talks with us, and has not had too many mails. Takes the limit of the next one."""
        if self.mails >= MAILS_A_CONNECTION:
            self.quit()
            return False
        self._limit = limit
        # A server that has gone away meanwhile is called again.
        with suppress(smtplib.SMTPException, OSError):
            limit.watch(self._socket)
            # Also forgets what a refused mail may have left behind (RFC 5321, 4.1.1.5).
            if self._client.docmd("RSET")[0] == 250:
                return True
        self._close()
        return False

    @property
    def _socket(self) -> socket.socket:
        connected = self._client.sock
        if connected is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        return connected

    def send(self, letter: Letter, last_moment: Callable[[], None]) -> int:
        self.mails += 1
        try:
            with self._talking():
                self._address(letter)
                self._body(letter.content)
            last_moment()
            with self._talking():
                self._must_be_silent()
            return self._end()
        except SendError as error:
            if error.code is None or error.whole_server:
                self._close()
            raise
        except BaseException:
            # In the middle of a mail, without the dot: the server throws away what it has (RFC 5321, 4.1.1.4).
            self._close()
            raise

    def quit(self) -> None:
        # A server that has gone away cannot be told goodbye.
        with suppress(smtplib.SMTPException, OSError):
            self._socket.settimeout(2)
            self._client.docmd("QUIT")
        self._close()

    def _close(self) -> None:
        with suppress(OSError):
            self._client.close()

    def _begin(self) -> None:
        server = self.server
        if server.username:
            refuse_clear_text(server.host, server.security)
        with dialling(server.host, server.port):
            connected = socket.create_connection((server.host, server.port), timeout=CONNECT_SECONDS)
            self._client.sock = connected
            # Body and final dot are two writes: without this, the second waits 40 ms for the ACK of the first.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if server.security == "tls":
                connected = self._encrypt(connected)
        self._use(connected)
        code, words = self._client.getreply()
        if code != 220:
            raise self._refusal(code, words, whole_server=True)
        self._greet()
        if server.security == "starttls":
            self._upgrade()
        if server.username:
            self._login()

    def _encrypt(self, connected: socket.socket) -> ssl.SSLSocket:
        return ssl.create_default_context().wrap_socket(connected, server_hostname=self.server.host)

    def _use(self, connected: socket.socket) -> None:
        connected.settimeout(REPLY_SECONDS)
        # Without ``file``: an answer that somebody slipped in before the encryption is not read after it.
        self._client.sock, self._client.file = connected, None
        self._limit.watch(connected)

    def _greet(self) -> None:
        code, words = self._client.ehlo()
        if 500 <= code <= 599:
            code, words = self._client.helo()
        if code != 250:
            raise self._refusal(code, words, whole_server=True)

    def _upgrade(self) -> None:
        """STARTTLS (RFC 3207), or no mail: whoever sits on the line can hide the offer (RFC 8314, 5.1)."""
        host = self.server.host
        if not self._client.has_extn("starttls"):
            raise _unsafe(f"{host} offers no encryption (STARTTLS)")
        code, words = self._client.docmd("STARTTLS")
        if code != 220:
            raise _unsafe(f"{host} refuses to begin encryption ({code} {_line(words)})")
        with dialling(host, self.server.port, otherwise=f"{host} hung up when encryption was to begin"):
            self._use(self._encrypt(self._socket))
        # What was said before the encryption counts for nothing (RFC 3207, 4.2).
        self._client.helo_resp = self._client.ehlo_resp = None
        self._client.esmtp_features = {}
        self._client.does_esmtp = False
        self._greet()

    def _login(self) -> None:
        server = self.server
        if not self._client.has_extn("auth"):
            raise SendError(f"{server.host} offers no login", whole_server=True)
        try:
            if server.username.isascii() and server.password.isascii():
                self._client.login(server.username, server.password)
                return
        except smtplib.SMTPAuthenticationError as error:
            raise self._refusal(error.smtp_code, error.smtp_error, whole_server=True) from error
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException as error:
            raise SendError(f"{server.host} offers no way to log in that we know", whole_server=True) from error
        # smtplib knows only ASCII; SASL PLAIN is UTF-8 (RFC 4616, 2).
        secret = base64.b64encode(f"\0{server.username}\0{server.password}".encode()).decode()
        code, words = self._client.docmd("AUTH", f"PLAIN {secret}")
        if code != 235:
            raise self._refusal(code, words, whole_server=True)

    def _address(self, letter: Letter) -> None:
        """MAIL and RCPT (RFC 5321, 3.3); SIZE is RFC 1870, SMTPUTF8 is RFC 6531."""
        sender, recipient = _ascii_domain(letter.envelope_from), _ascii_domain(letter.recipient)
        options = self._size(len(letter.content))
        if not (sender.isascii() and recipient.isascii()):
            if not self._client.has_extn("smtputf8"):
                raise SendError(
                    f"{self.server.host} takes no addresses with letters outside of ASCII before the @", permanent=True
                )
            options += " SMTPUTF8 BODY=8BITMIME"
            self._client.command_encoding = "utf-8"
        for command in (f"MAIL FROM:<{sender}>{options}", f"RCPT TO:<{recipient}>"):
            code, words = self._client.docmd(command)
            if code not in (250, 251):
                raise self._refusal(code, words)
        code, words = self._client.docmd("DATA")
        if code != 354:
            raise self._refusal(code, words)

    def _size(self, size: int) -> str:
        if not self._client.has_extn("size"):
            return ""
        most = self._client.esmtp_features["size"].strip()
        if most.isdecimal() and 0 < int(most) < size:
            raise SendError(
                f"The mail is too large for {self.server.host}: {_megabytes(size)} of at most {_megabytes(int(most))}",
                552,
                permanent=True,
            )
        return f" SIZE={size}"

    def _body(self, content: bytes) -> None:
        """Everything but the final dot; a line that begins with one gets a second (RFC 5321, 4.5.2)."""
        stuffed = _LINE_BEGINS_WITH_DOT.sub(b"..", content)
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        pieces = memoryview(stuffed)
        for start in range(0, len(pieces), PIECE):
            self._socket.sendall(pieces[start : start + PIECE])

    def _must_be_silent(self) -> None:
        """A server that hangs up in the middle of a mail, or speaks, has not taken it."""
        connected = self._socket
        connected.settimeout(0)
        try:
            connected.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            connected.settimeout(REPLY_SECONDS)
            return
        raise smtplib.SMTPServerDisconnected("the server ended the mail")

    def _end(self) -> int:
        where = self.server.where
        try:
            # Some look for viruses first: as long as there is time (RFC 5321, 4.5.3.2.6).
            self._socket.settimeout(HARD_SECONDS)
            self._socket.sendall(b".\r\n")
            code, words = self._client.getreply()
            self._socket.settimeout(REPLY_SECONDS)
        except (smtplib.SMTPException, OSError) as error:
            if self._limit.passed or _timed_out(error):
                raise SendError(f"{where} took the mail and did not say what became of it", silent=True) from error
            raise SendError(f"{where} hung up when it had the mail", hung_up=True) from error
        if code != 250:
            raise self._refusal(code, words)
        return code

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Before the dot: whatever breaks, the mail has not been delivered."""
        where = self.server.where
        try:
            yield
        except (smtplib.SMTPException, OSError) as error:
            if self._limit.passed:
                raise SendError(f"{where} is so slow that it was given up") from error
            if _timed_out(error):
                raise SendError(f"{where} stopped answering") from error
            raise SendError(f"The connection to {where} was lost") from error

    @contextmanager
    def _about_the_server(self) -> Iterator[None]:
        """Nothing that goes wrong in here is the fault of a mail."""
        try:
            with self._talking():
                yield
        except SourceError as error:
            raise SendError(error.message, whole_server=True) from error
        except SendError as error:
            error.whole_server = True
            raise

    def _refusal(self, code: int, words: bytes | str, *, whole_server: bool = False) -> SendError:
        if not 200 <= code <= 599:
            return SendError(f"What answers at {self.server.where} does not speak SMTP", whole_server=True)
        ours = whole_server or code in _ABOUT_US
        return SendError(
            f"{self.server.host} said: {code} {_line(words)}".rstrip(),
            code,
            permanent=500 <= code <= 599 and not ours,
            whole_server=ours,
        )


def _unsafe(reason: str) -> SendError:
    return SendError(f"{reason}, so no mail was sent. Choose TLS if the server has it.", whole_server=True)


def _timed_out(error: Exception) -> bool:
    # smtplib makes an error of its own of it.
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _ascii_domain(address: str) -> str:
    """The domain as the name system knows it. An address that could end its command is not one."""
    if any(letter in "<>" or letter.isspace() or not letter.isprintable() for letter in address):
        raise SendError("The address holds characters that an address cannot have", permanent=True)
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise SendError("The domain of the address is not one", permanent=True) from error


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _line(words: bytes | str) -> str:
    """The server's own sentence, on one line. Our commands, and so the password, are never part of it."""
    text = words if isinstance(words, str) else words.decode("utf-8", "replace")
    return " ".join(text.split())[:300]
