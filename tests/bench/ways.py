"""The ways in which Hub files the mail of a benchmark, and the clock that times each way.

Call ``tests.bench.installation`` first: what is imported here needs Django.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emailflow.models import Mailbox

GROUP = 50

Way = Callable[[Sequence[bytes]], object]


@dataclass
class Clock:
    """Seconds and mails of one way of doing it."""

    seconds: float = 0.0
    mails: int = 0

    def time(self, way: Way, mails: Sequence[bytes]) -> None:
        begun = time.perf_counter()
        way(mails)
        self.seconds += time.perf_counter() - begun
        self.mails += len(mails)

    @property
    def rate(self) -> float:
        return self.mails / self.seconds if self.seconds else 0.0


def mailbox() -> "Mailbox":
    """It acknowledges no mail: what is measured is ingest, without notify."""
    from emailflow.models import Mailbox

    values = {"name": "Bench", "protocol": "maildir", "addresses": ["support@hub.example"], "acknowledge": False}
    return Mailbox.objects.get_or_create(slug="bench", defaults=values)[0]


def store(mails: Sequence[bytes]) -> None:
    from emailflow.inbound.receive import Incoming, receive_many

    into = mailbox()
    for start in range(0, len(mails), GROUP):
        receive_many([Incoming(raw, into) for raw in mails[start : start + GROUP]])


def single(mails: Sequence[bytes]) -> None:
    """Stored and claimed by fifty, as a source delivers them; filed in one transaction a mail."""
    from emailflow.inbound.claim import Claim, claim_group
    from emailflow.inbound.pipeline import process_claim

    store(mails)
    while (claim := claim_group(GROUP)).messages:
        for message in claim.messages:
            process_claim(Claim(claim.token, [message]))


def grouped(mails: Sequence[bytes]) -> None:
    """A backlog: stored, claimed and filed by fifty."""
    from emailflow.inbound.pipeline import process_due

    store(mails)
    while process_due(GROUP):
        pass
