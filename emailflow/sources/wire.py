"""What the sources that talk to a server share: when clear text is allowed, and words for what goes wrong.

Used by the files of this folder, and by the form that refuses what could not work.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from emailflow.sources.base import SourceError

CONNECT_SECONDS = 15
READ_SECONDS = 45
# A read times out when nothing comes at all; a server that sends a byte now and then must end too. Below the
# lease, so that nobody takes a mailbox over while its reader still works.
PIECE_SECONDS = 150
PIECE = 1024 * 1024


def is_loopback(host: str) -> bool:
    """True for an address that never leaves this machine. A name other than localhost is not looked up."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_clear_text(host: str, security: str) -> None:
    """Raises SourceError where a password would leave this machine unencrypted."""
    if security == "plain" and not is_loopback(host):
        raise SourceError(
            f"{host} is not this machine: without TLS the password could be read on the way. Choose TLS.",
            permanent=True,
        )


@contextmanager
def dialling(host: str, port: int, *, otherwise: str = "") -> Iterator[None]:
    """Turns what goes wrong between the first packet and the end of the TLS handshake into words.

    ``otherwise``: what is said of a connection that breaks, in place of "Nobody answers".
    """
    where = f"{host}:{port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise SourceError(
            f"No TLS certificate that fits {host}: {error.verify_message or error.reason}", permanent=True
        ) from error
    except ssl.SSLError as error:
        raise SourceError(f"What answers at {where} does not speak TLS", permanent=True) from error
    except (socket.gaierror, UnicodeError) as error:
        raise SourceError(f"There is no machine called {host}, or its name cannot be looked up") from error
    except OSError as error:
        raise SourceError(otherwise or f"Nobody answers at {where}") from error


def no_upgrade(reason: str) -> SourceError:
    """The server does not begin TLS on a connection in clear text: nothing secret has been said, nor will be."""
    return SourceError(f"{reason}, so the password was not sent. Choose TLS if the server has it.", permanent=True)


class Deadline:
    """Ends a connection that needs too long for one piece, however lively its drops are.

    A context manager around the reading of one piece. ``passed`` tells afterwards that it was us who hung up.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timer = threading.Timer(PIECE_SECONDS, self._hang_up)
        self._timer.daemon = True
        self.passed = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.passed = True
        with suppress(OSError):
            # Not the method of SSLSocket: that would take the TLS object away under the reader's hands.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
