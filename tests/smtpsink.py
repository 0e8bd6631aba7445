"""A real SMTP server (aiosmtpd) that takes what Hub sends. A pytest plugin."""

import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import LazySettings


class Sink:
    """Keeps the envelopes that it takes, in order."""

    def __init__(self, **options: Any) -> None:
        self.envelopes: list[Envelope] = []
        # aiosmtpd cannot be told to take any free port.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=port, **options)
        self.port: int = port

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 taken"

    @property
    def recipients(self) -> list[str]:
        return [recipient for envelope in self.envelopes for recipient in envelope.rcpt_tos]

    @property
    def mails(self) -> list[EmailMessage]:
        found = [
            email.message_from_bytes(self.raw(at), policy=email.policy.default) for at in range(len(self.envelopes))
        ]
        return cast(list[EmailMessage], found)

    def raw(self, at: int) -> bytes:
        content = self.envelopes[at].content
        return content if isinstance(content, bytes) else str(content).encode()


def use_server(settings: LazySettings, port: int, **changes: Any) -> None:
    """As EMAIL_URL would set it: mail goes to that port of this machine."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    for name, value in changes.items():
        setattr(settings, name, value)


@pytest.fixture
def make_sink() -> Iterator[Callable[..., Sink]]:
    """Starts a server; ``options`` are those of aiosmtpd."""
    made: list[Sink] = []

    def make(**options: Any) -> Sink:
        sink = Sink(**options)
        sink.controller.start()
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.controller.stop()


@pytest.fixture
def sink(make_sink: Callable[..., Sink], settings: LazySettings) -> Sink:
    """The server that EMAIL_URL names."""
    made = make_sink()
    use_server(settings, made.port)
    return made
