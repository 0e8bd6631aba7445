"""Every real mail is stored and comes to an end: a ticket, a note, or a reason."""

import hashlib
import time

import pytest

from emailflow.inbound.pipeline import dry_run, process_due
from emailflow.inbound.receive import Incoming, receive_many
from emailflow.models import Mailbox, Message
from tests.corpus.folder import all_mails
from tickets.models import Ticket

pytestmark = [pytest.mark.django_db, pytest.mark.corpus, pytest.mark.slow]

LIMIT = 5.0  # seconds a mail, the promise of the project for any mail


def test_every_mail_of_the_corpus_has_an_outcome() -> None:
    mailbox = Mailbox.objects.create(slug="corpus", name="Corpus", protocol="maildir")
    raws = [(path, path.read_bytes()) for path in all_mails()]
    assert len(raws) > 5000
    slow: list[object] = []
    for start in range(0, len(raws), 50):
        group = raws[start : start + 50]
        receive_many([Incoming(raw, mailbox) for _, raw in group])
        begun = time.monotonic()
        while process_due():
            pass
        if time.monotonic() - begun > LIMIT:
            slow += [path for path, raw in group if _seconds_alone(raw) > LIMIT]
    # Those that answer a mail still to come have waited; their time is over now.
    for _ in range(13):
        Message.objects.filter(state="waiting").update(next_attempt_at="2000-01-01T00:00Z")
        while process_due():
            pass

    assert Message.objects.count() == len({raw for _, raw in raws})
    left = Message.objects.exclude(state="processed").values("pk", "state", "subject", "last_error")
    assert not left, list(left[:20])
    assert not Message.objects.exclude(attempts=1, waits=0).filter(waits=0).exists(), "a mail needed a second try"
    assert Ticket.objects.count() > 3000
    assert not slow, slow


def _seconds_alone(raw: bytes) -> float:
    """How long one mail of a slow group takes by itself."""
    message = Message.objects.get(sha256=hashlib.sha256(raw).hexdigest())
    begun = time.monotonic()
    dry_run(message)
    return time.monotonic() - begun
