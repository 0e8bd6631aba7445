"""Hands the mails in, as a mail server does by LMTP and as a program does over HTTP: each until it was taken.

An answer is written when its original is in the ledger of Hub, filed or not: Dovecot may number two mails of the same
second in either order, and who answers a mail that nobody has yet, opens a ticket of its own.
"""

import http.client
import random
import smtplib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from tests.bench.chaos.mails import Letter
from tests.dovecot import Account

LANES = 3
PAUSE = 0.3
ANSWER_SECONDS = 30
LOOK_SECONDS = 0.2
_TRY_AGAIN = {408, 425, 429}


@dataclass
class Counts:
    """What the senders met. ``refused``: answers that say that a mail will never be taken."""

    delivered: int = 0
    tries_in_vain: dict[str, int] = field(default_factory=dict)
    known: int = 0
    refused: list[str] = field(default_factory=list)


class Delivery:
    """``allow`` opens the gate up to so many mails; ``finished`` is set when all of them were taken."""

    def __init__(
        self,
        threads: Sequence[Sequence[Letter]],
        *,
        account: Account,
        addresses: Sequence[str],
        token: str,
        database: str,
        seed: int,
    ) -> None:
        self.account = account
        self.addresses = addresses
        self.token = token
        self.database = database
        self.counts = Counts()
        self.total = sum(len(thread) for thread in threads)
        self.finished = threading.Event()
        self._lock = threading.Condition()
        self._allowed = 0
        self._begun = 0
        self._ending = False
        self._stored: set[str] = set()
        chance = random.Random(seed + 1)
        self._lanes: list[tuple[Callable[[Letter, int], None], list[Letter]]] = [
            (self._by_lmtp if number % 2 else self._by_http, []) for number in range(2 * LANES)
        ]
        for thread in threads:
            chance.choice(self._lanes)[1].extend(thread)
        for _, letters in self._lanes:
            letters.sort(key=lambda letter: letter.serial)
        self._running = [
            threading.Thread(target=self._run, args=(number,), daemon=True, name=f"lane {number}")
            for number in range(len(self._lanes))
        ]
        self._running.append(threading.Thread(target=self._look, daemon=True, name="look"))

    def start(self) -> None:
        for thread in self._running:
            thread.start()

    def stop(self) -> None:
        with self._lock:
            self._ending = True
            self._lock.notify_all()
        for thread in self._running:
            thread.join(ANSWER_SECONDS + 5)

    def allow(self, count: int) -> None:
        with self._lock:
            self._allowed = max(self._allowed, count)
            self._lock.notify_all()

    def _run(self, number: int) -> None:
        send, letters = self._lanes[number]
        other = self._by_http if send == self._by_lmtp else self._by_lmtp
        while letters:
            with self._lock:
                self._lock.wait_for(lambda: self._ending or self._next(letters) is not None)
                letter = self._next(letters)
                if self._ending or letter is None:
                    return
                letters.remove(letter)
                self._begun += 1
            self._until_taken(send, letter, number)
            if letter.twice:
                self._until_taken(other, letter, number)
            with self._lock:
                self.counts.delivered += 1
                if self.counts.delivered == self.total:
                    self.finished.set()

    def _next(self, letters: Sequence[Letter]) -> Letter | None:
        if self._begun >= self._allowed:
            return None
        return next((one for one in letters if not one.references or one.references[-1] in self._stored), None)

    def _look(self) -> None:
        """What is in the ledger: asked without the line that is cut."""
        while not self._ending and not self.finished.wait(LOOK_SECONDS):
            try:
                with psycopg.connect(self.database, connect_timeout=5) as connection:
                    rows = connection.execute("SELECT message_id FROM email_messages").fetchall()
            except psycopg.Error:
                # It was just killed.
                continue
            with self._lock:
                self._stored = {row[0] for row in rows}
                self._lock.notify_all()

    def _until_taken(self, send: Callable[[Letter, int], None], letter: Letter, number: int) -> None:
        attempt = number
        while not self._ending:
            try:
                send(letter, attempt)
                return
            except Refused as error:
                with self._lock:
                    self.counts.refused.append(f"mail {letter.serial}: {error}")
                return
            except NotTaken as error:
                with self._lock:
                    self.counts.tries_in_vain[str(error)] = self.counts.tries_in_vain.get(str(error), 0) + 1
                attempt += 1
                time.sleep(PAUSE)

    def _by_lmtp(self, letter: Letter, attempt: int) -> None:
        try:
            self.account.deliver(letter.raw)
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= 500:
                raise Refused(f"LMTP {error.smtp_code}") from error
            raise NotTaken(f"LMTP {error.smtp_code}") from error
        except (OSError, smtplib.SMTPException) as error:
            # Also when the answer was lost: the mail may come twice then, as everywhere on the net.
            raise NotTaken(f"LMTP {type(error).__name__}") from error

    def _by_http(self, letter: Letter, attempt: int) -> None:
        request = urllib.request.Request(
            f"{self.addresses[attempt % len(self.addresses)]}/api/v1/inbound/raw",
            data=letter.raw,
            headers={"Content-Type": "message/rfc822", "Authorization": f"Token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                if answer.status == 200:
                    with self._lock:
                        self.counts.known += 1
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300)
            if error.code < 500 and error.code not in _TRY_AGAIN:
                raise Refused(f"HTTP {error.code} {said.decode(errors='replace')}") from error
            raise NotTaken(f"HTTP {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NotTaken(f"HTTP {type(reason).__name__}") from error


class NotTaken(Exception):
    """Not yet: to be tried again."""


class Refused(Exception):
    """Never: the sender would hand it back to the writer."""
