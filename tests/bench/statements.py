"""How many SQL statements Hub needs for a mail, counted as the budgets of the design are: with warm caches.

What Hub knows of its own side (mailboxes, labels, rules) it looks at again once a second; those looks belong to the
second, not to the mail. So a mail goes before that warms the caches, and they are held until all is counted, however
slow the machine. The tests of the budgets do the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.bench.letters import letters
from tests.bench.ways import GROUP, grouped, store
from tests.mails import mail

_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")
_SENDER = "warm@customer1.example"


def statements(seed: int) -> tuple[int, int, int]:
    """To file one new mail, to file one reply (neither stored here), and to store, claim and file a mixed fifty."""
    from emailflow.inbound.pipeline import process_due

    original = f"<warm-{seed}@customer1.example>"
    group = list(letters(GROUP, seed + 4))
    counts: list[int] = []
    with _held_caches():
        grouped([_mail(message_id=original)])
        store([_mail()])
        with _counting(counts):
            process_due()
        store([_mail(in_reply_to=original)])
        with _counting(counts):
            process_due()
        with _counting(counts):
            grouped(group)
    return counts[0], counts[1], counts[2]


def _mail(message_id: str | None = None, in_reply_to: str = "") -> bytes:
    return mail(sender=_SENDER, message_id=message_id, in_reply_to=in_reply_to)


@contextmanager
def _held_caches() -> Iterator[None]:
    from emailflow.inbound import house
    from emailflow.workflow import store as workflows

    with (
        mock.patch.object(house, "SECONDS_BETWEEN_LOOKS", 3600.0),
        mock.patch.object(workflows, "SECONDS_BETWEEN_LOOKS", 3600.0),
    ):
        yield


@contextmanager
def _counting(counts: list[int]) -> Iterator[None]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        yield
    counts.append(sum(not query["sql"].startswith(_NOT_COUNTED) for query in queries))
