"""What is handed to a mail server, to which one, and the one error that comes back. Opens nothing, reads no table."""

from dataclasses import dataclass, field


class SendError(Exception):
    """A mail was not handed over, in a sentence for staff that never holds a secret.

    ``code``: the server's answer, None without one. ``permanent``: trying the same again does not help.
    ``whole_server``: the trouble is with the server, not with this mail: no other mail would get through now.
    ``hung_up``, ``silent``: the server had the whole mail and hung up, or said nothing: it may have been delivered.
    """

    def __init__(
        self,
        message: str,
        code: int | None = None,
        permanent: bool = False,
        *,
        whole_server: bool = False,
        hung_up: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.permanent = permanent
        self.whole_server = whole_server
        self.hung_up = hung_up
        self.silent = silent


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. ``security``: tls, starttls or plain. ``our_name``: what we call ourselves there."""

    host: str
    port: int
    security: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    our_name: str = "localhost"

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one recipient. ``content``: the whole mail, 7-bit but for SMTPUTF8, lines ended by CRLF."""

    envelope_from: str
    recipient: str
    content: bytes
