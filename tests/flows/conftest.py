"""The gate of the flows: bytes go in, and what staff would see is looked at."""

from collections.abc import Callable

import pytest

from emailflow.inbound import house
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from emailflow.workflow import store

Deliver = Callable[..., Message]


@pytest.fixture
def mailbox(db: None) -> Mailbox:
    house.forget()
    store.forget()
    return Mailbox.objects.create(slug="support", name="Support", protocol="maildir", addresses=["support@hub.example"])


@pytest.fixture
def deliver(mailbox: Mailbox) -> Deliver:
    """Store a mail, let a worker empty the queue, and return its row in the ledger."""

    def run(raw: bytes, *, into: Mailbox | None = None, process: bool = True) -> Message:
        message = receive_bytes(raw, mailbox=into or mailbox).message
        while process and process_due():
            pass
        return Message.objects.select_related("ticket").get(pk=message.pk)

    return run
