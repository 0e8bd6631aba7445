"""Hands the mails in, as a mail server does by LMTP and as a program does over HTTP: each until it was taken.

A conversation goes down one lane, a mail after the one that it answers was taken. So an answer never comes in before
its original, although it may be filed before it.
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

from tests.bench.chaos.mails import Letter
from tests.dovecot import Account

LANES = 3
PAUSE = 0.3
ANSWER_SECONDS = 30
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
        self, threads: Sequence[Sequence[Letter]], *, account: Account, addresses: Sequence[str], token: str, seed: int
    ) -> None:
        self.account = account
        self.addresses = addresses
        self.token = token
        self.counts = Counts()
        self.total = sum(len(thread) for thread in threads)
        self.finished = threading.Event()
        self._lock = threading.Condition()
        self._allowed = 0
        self._begun = 0
        self._ending = False
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
        for letter in letters:
            with self._lock:
                self._lock.wait_for(lambda: self._begun < self._allowed or self._ending)
                if self._ending:
                    return
                self._begun += 1
            self._until_taken(send, letter, number)
            if letter.twice:
                self._until_taken(other, letter, number)
            with self._lock:
                self.counts.delivered += 1
                if self.counts.delivered == self.total:
                    self.finished.set()

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
