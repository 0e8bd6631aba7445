"""Mail from an IMAP server (RFC 3501), with IMAPClient. Used through ``emailflow.sources.base.Source``."""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from imapclient import DELETED, FLAGGED, SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

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
# RFC 5530, 3: the password may be right, the server just does not want us now.
_NOT_NOW = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")
_NO_SUCH_FOLDER = (
    "[NONEXISTENT]",
    "[TRYCREATE]",
    "doesn't exist",
    "does not exist",
    "unknown mailbox",
    "not found",
)


class ImapSource:
    """One folder of one account. Not safe for threads."""

    ordered = True
    lease_seconds = 180
    tells_last = False
    may_rename = False

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        username: str,
        password: str,
        folder: str = "INBOX",
        after: AfterReading | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.security = security
        self.folder = folder
        self.after = after or AfterReading()
        self._username = username
        self._password = password
        self._client: IMAPClient | None = None
        self._selected: dict[bytes, Any] = {}

    def connect(self) -> None:
        self.close()
        refuse_clear_text(self.host, self.security)
        client = self._dial()
        self._client = client
        try:
            if self.security == "starttls":
                self._upgrade(client)
            self._login(client)
            self._select(client)
        except SourceError:
            self.close()
            raise

    def uidvalidity(self) -> str:
        return str(self._selected.get(b"UIDVALIDITY", 0))

    def last_uid(self) -> int:
        following = self._selected.get(b"UIDNEXT")
        if following is not None:
            return int(following) - 1
        # RFC 3501 only recommends UIDNEXT in the answer to SELECT.
        with self._trouble("list its mails"):
            return max(self._open().search("ALL"), default=0)

    def count(self) -> int:
        return int(self._selected.get(b"EXISTS", 0))

    def offers(self, position: Position) -> Iterator[list[Offer]]:
        with self._trouble("list its mails"):
            uids = self._new_uids(position)
        for start in range(0, len(uids), PORTION):
            with self._trouble("list its mails"):
                answer = self._open().fetch(uids[start : start + PORTION], ["RFC822.SIZE", "INTERNALDATE", "FLAGS"])
            offers = [_offer(uid, answer[uid]) for uid in uids[start : start + PORTION] if uid in answer]
            yield [offer for offer in offers if _wanted(offer, position)]

    def fetch(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        client = self._open()
        with self._giving(client):
            answer = client.fetch([int(uid) for uid in uids], ["BODY.PEEK[]"])
        bodies = {str(uid): data[b"BODY[]"] for uid, data in answer.items() if b"BODY[]" in data}
        if any(body is None for body in bodies.values()):
            raise SourceError("The server answers without the mail itself", uid_only=True)
        return bodies

    def save(self, uid: str, stream: BinaryIO, alive: Callable[[], None]) -> bool:
        """In pieces (RFC 3501, 6.4.5: ``BODY.PEEK[]<first.length>``), until the server has no more.

        A piece that is shorter than asked for need not be the last one: some servers give less than one asks.
        """
        client = self._open()
        done = 0
        while True:
            alive()
            with self._giving(client):
                answer = client.fetch([int(uid)], [f"BODY.PEEK[]<{done}.{PIECE}>"]).get(int(uid), {})
            piece = answer.get(b"BODY[]<%d>" % done)
            if not piece:
                break
            # Our own disk's errors are not the server's: outside of the block above.
            stream.write(piece)
            done += len(piece)
        if b"BODY[]<%d>" % done not in answer and done:
            raise SourceError("The server gave only a part of the mail", uid_only=True)
        return done > 0

    def headers(self, uids: Sequence[str]) -> Mapping[str, bytes]:
        with self._trouble("give the headers of its mails"):
            answer = self._open().fetch([int(uid) for uid in uids], ["BODY.PEEK[HEADER]"]) if uids else {}
        return {str(uid): data[b"BODY[HEADER]"] or b"" for uid, data in answer.items() if b"BODY[HEADER]" in data}

    def present(self, uids: Sequence[str]) -> set[str]:
        with self._trouble("list its mails"):
            found = self._open().search(["UID", ",".join(uids)]) if uids else []
        return set(uids).intersection(map(str, found))

    def after_read(self, uids: Sequence[str]) -> None:
        numbers = [int(uid) for uid in uids]
        client = self._open()
        with self._trouble(_REFUSED.get(self.after.action, "mark the mail")):
            if self.after.action == "seen":
                client.add_flags(numbers, [SEEN], silent=True)
            elif self.after.action == "flag":
                client.add_flags(numbers, [FLAGGED], silent=True)
            elif self.after.action == "move":
                self._move(client, numbers)

    def check_target(self) -> None:
        if self.after.action != "move":
            return
        with self._trouble("tell about its folders"):
            found = self._open().folder_exists(self.after.move_to)
        if not found:
            raise SourceError(f"The folder {self.after.move_to} does not exist on the server", permanent=True)

    def close(self) -> None:
        client, self._client = self._client, None
        self._selected = {}
        if client is None:
            return
        # A server that has gone away cannot be told goodbye.
        with suppress(IMAPClientError, OSError):
            client.socket().settimeout(2)
            client.logout()
        with suppress(OSError):
            client.shutdown()

    def _open(self) -> IMAPClient:
        if self._client is None:
            raise SourceError("The connection to the mail server was lost")
        return self._client

    def _dial(self) -> IMAPClient:
        tls = self.security == "tls"
        try:
            with dialling(self.host, self.port):
                client = IMAPClient(
                    self.host,
                    self.port,
                    ssl=tls,
                    ssl_context=ssl.create_default_context() if tls else None,
                    timeout=SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                )
        except IMAPClientError as error:
            raise SourceError(f"What answers at {self.host}:{self.port} is not an IMAP server") from error
        client.normalise_times = False
        return client

    def _upgrade(self, client: IMAPClient) -> None:
        """STARTTLS (RFC 3501, 6.2.1), or no login. Whoever sits on the line can hide the offer (RFC 8314, 5.1)."""
        # Logged in before a word is said (RFC 3501, 7.1.4): there, STARTTLS is not allowed any more.
        if client.welcome.lstrip(b"* ").upper().startswith(b"PREAUTH"):
            raise no_upgrade(f"{self.host} lets everybody in without encryption")
        try:
            if not client.has_capability("STARTTLS"):
                raise no_upgrade(f"{self.host} offers no encryption (STARTTLS)")
            with dialling(self.host, self.port, otherwise=f"{self.host} hung up when encryption was to begin"):
                client.starttls(ssl.create_default_context())
        except IMAPClientAbortError as error:
            raise self._lost(error) from error
        except IMAPClientError as error:
            raise no_upgrade(f"{self.host} refuses to begin encryption: {_words(error)}") from error

    def _login(self, client: IMAPClient) -> None:
        try:
            if client.has_capability("LOGINDISABLED"):
                raise SourceError("The server accepts no password on this connection", permanent=True)
            if self._username.isascii() and self._password.isascii():
                client.login(self._username, self._password)
            else:
                # LOGIN knows only ASCII; SASL PLAIN is UTF-8 (RFC 4616, 2).
                client.plain_login(self._username, self._password)
        except LoginError as error:
            if any(code in str(error).upper() for code in _NOT_NOW):
                raise SourceError("The server lets nobody in right now") from error
            if isinstance(error.__context__, IMAPClientAbortError):
                raise SourceError("The server closed the connection during the login") from error
            raise SourceError("The server did not accept the password", permanent=True) from error
        except (IMAPClientError, OSError) as error:
            raise self._lost(error) from error

    def _select(self, client: IMAPClient) -> None:
        try:
            # Read only where nothing will be changed: SELECT alone takes the \Recent flag off every mail.
            untouched = self.after.action == "nothing"
            self._selected = dict(client.select_folder(self.folder, readonly=untouched))
        except (IMAPClientAbortError, OSError) as error:
            raise self._lost(error) from error
        except IMAPClientError as error:
            if _means_no_folder(error):
                raise SourceError(f"The folder {self.folder} does not exist on the server", permanent=True) from error
            raise SourceError(f"The server does not open the folder {self.folder}: {_words(error)}") from error

    def _new_uids(self, position: Position) -> list[int]:
        """``UID n:*`` always names the last message, however small its UID: what is known is filtered out."""
        client = self._open()
        found: set[int] = set()
        first = position.watermark + 1
        if first <= position.start_uid:
            old: list[Any] = ["UID", f"{first}:{position.start_uid}"]
            if position.start_after is not None:
                # SINCE compares days without a time zone: one day more, the exact time is compared later.
                old += ["SINCE", (position.start_after.astimezone(UTC) - timedelta(days=1)).date()]
            found.update(uid for uid in client.search(old) if first <= uid <= position.start_uid)
            first = position.start_uid + 1
        found.update(uid for uid in client.search(["UID", f"{first}:*"]) if uid >= first)
        return sorted(found)

    def _move(self, client: IMAPClient, numbers: list[int]) -> None:
        target = self.after.move_to
        try:
            if client.has_capability("MOVE"):
                client.move(numbers, target)
                return
            # What already carries \Deleted was copied by an earlier try that was cut off.
            flags = client.get_flags(numbers)
            uncopied = [uid for uid in numbers if uid in flags and DELETED not in flags[uid]]
            if uncopied:
                client.copy(uncopied, target)
                client.add_flags(uncopied, [DELETED], silent=True)
            # Without UIDPLUS (RFC 4315) only a plain EXPUNGE is left, and that would take other people's
            # deletions along: the mail stays marked as deleted.
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(numbers)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            if _means_no_folder(error):
                raise SourceError(f"The folder {target} does not exist on the server", permanent=True) from error
            raise

    @contextmanager
    def _giving(self, client: IMAPClient) -> Iterator[None]:
        """The fetch of mails: a refusal is about the mail, all else about the connection."""
        deadline = Deadline(client.socket())
        try:
            with deadline:
                yield
        except (IMAPClientAbortError, OSError) as error:
            raise self._lost(error, too_slow=deadline.passed) from error
        except IMAPClientError as error:
            raise SourceError(f"The server does not give the mail: {_words(error)}", uid_only=True) from error

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        try:
            yield
        except (IMAPClientAbortError, OSError) as error:
            raise self._lost(error) from error
        except IMAPClientError as error:
            raise SourceError(f"The server refuses to {what}: {_words(error)}") from error

    def _lost(self, error: Exception, *, too_slow: bool = False) -> SourceError:
        self.close()
        if too_slow:
            return SourceError(f"{self.host}:{self.port} sends so slowly that it was given up")
        if isinstance(error, TimeoutError):
            return SourceError(f"{self.host}:{self.port} stopped answering")
        return SourceError(f"The connection to {self.host}:{self.port} was lost")


_REFUSED = {"seen": "mark the mail as read", "flag": "flag the mail", "move": "move the mail"}


def _offer(uid: int, data: Mapping[bytes, Any]) -> Offer:
    received_at = data.get(b"INTERNALDATE")
    return Offer(
        uid=str(uid),
        size=int(data.get(b"RFC822.SIZE") or 0),
        received_at=received_at if isinstance(received_at, datetime) and received_at.tzinfo else None,
        flags=tuple(flag.decode("ascii", "replace") for flag in data.get(b"FLAGS", ())),
    )


def _wanted(offer: Offer, position: Position) -> bool:
    if int(offer.uid) > position.start_uid or position.start_after is None:
        return True
    return offer.received_at is None or offer.received_at >= position.start_after


def _means_no_folder(error: IMAPClientError) -> bool:
    text = str(error)
    return any(sign.lower() in text.lower() for sign in _NO_SUCH_FOLDER)


def _words(error: Exception) -> str:
    """The server's own sentence, on one line. Our commands, and so the password, are never part of it."""
    return " ".join(str(error).split())[:200]
