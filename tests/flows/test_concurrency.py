"""Several workers at once, and workers that die: one ticket a mail, whatever happens."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import Incoming, receive_bytes, receive_many
from emailflow.models import Mailbox, Message, Outcome
from tests.mails import mail
from tickets import numbering
from tickets.models import Comment, EmailLog, Ticket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mailboxes(transactional_db: None) -> Iterator[list[Mailbox]]:
    yield [Mailbox.objects.create(slug=f"box{index}", name=f"Box {index}", protocol="maildir") for index in range(2)]


def at_once(*jobs: Callable[[], object]) -> list[object]:
    """Run the jobs in threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


def work() -> None:
    """A worker: takes what is due until nothing is, retries included."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process_due():
            continue
        if not Message.objects.filter(state__in=["received", "waiting", "processing"]).exists():
            return
        time.sleep(0.02)


def test_same_mail_to_two_mailboxes_at_once_is_one_ticket(mailboxes: list[Mailbox]) -> None:
    runs = 200

    def deliver(mailbox: Mailbox, raws: list[bytes], barrier: threading.Barrier) -> Callable[[], None]:
        def run() -> None:
            for raw in raws:
                barrier.wait()
                receive_bytes(raw, mailbox=mailbox)
                process_due(1)
            work()

        return run

    raws = [mail(f"text {index}", subject=f"Twice {index}") for index in range(runs)]
    barrier = threading.Barrier(2)
    at_once(*(deliver(mailbox, raws, barrier) for mailbox in mailboxes))

    assert Message.objects.count() == 2 * runs
    assert sorted(set(Message.objects.values_list("outcome", flat=True))) == ["duplicate", "ticket_created"]
    assert Ticket.objects.count() == runs
    assert Message.objects.filter(outcome=Outcome.DUPLICATE, ticket__isnull=False).count() == runs


def test_two_workers_and_a_reply_that_overtakes_make_one_ticket(mailboxes: list[Mailbox]) -> None:
    for index in range(20):
        first = mail("one", subject="Chain", message_id=f"<a{index}@x.example>")
        second = mail("two", subject="Re: Chain", in_reply_to=f"<a{index}@x.example>")
        for raw in (second, first):
            receive_bytes(raw, mailbox=mailboxes[index % 2])

    def impatient() -> None:
        while Message.objects.filter(state__in=["received", "waiting", "processing"]).exists():
            past = timezone.now() - timedelta(seconds=1)
            if not process_due(1) and not Message.objects.filter(state="processing").exists():
                Message.objects.filter(state="waiting").update(next_attempt_at=past)

    at_once(impatient, impatient)

    assert Ticket.objects.count() == 20
    assert [ticket.comments.count() for ticket in Ticket.objects.all()] == [2] * 20
    assert set(Message.objects.values_list("outcome", flat=True)) == {"ticket_created", "linked"}


def test_numbers_have_neither_gap_nor_duplicate_under_concurrency(mailboxes: list[Mailbox]) -> None:
    receive_many([Incoming(mail(f"{index}"), mailboxes[0]) for index in range(120)])

    def worker() -> None:
        while process_due(7):
            pass

    at_once(*[worker] * (4 if connection.vendor == "postgresql" else 2))
    work()

    numbers = sorted(int(number[13:]) for number in Ticket.objects.values_list("ticket_number", flat=True))
    assert numbers == list(range(1, 121))


def test_rolled_back_ticket_gives_its_number_back(transactional_db: None) -> None:
    day = numbering.day_of(timezone.now())
    with pytest.raises(RuntimeError), transaction.atomic():
        numbering.take(day, 3)
        raise RuntimeError

    assert numbering.take(day, 1) == [numbering.format_number(day, 1)]


@given(day=st.dates(), count=st.integers(min_value=1, max_value=99_999_999))
def test_every_number_is_found_again_in_a_subject(day: object, count: int) -> None:
    number = numbering.format_number(day, count)  # type: ignore[arg-type]
    if getattr(day, "year", 0) >= 1000:
        assert numbering.find(f"Re: [{number}] hello") == [number]
        assert numbering.find(f"x{number}") == []


WORKER = """
import django, time
django.setup()
from emailflow.inbound.pipeline import process_due
print("ready", flush=True)
while True:
    if not process_due(20):
        time.sleep(0.02)
"""


def test_killed_worker_loses_and_doubles_nothing(mailboxes: list[Mailbox], process_environment: dict[str, str]) -> None:
    raws = [
        mail(f"text {index}", subject=f"Mail {index}", message_id=f"<k{index}@x.example>")
        if index % 3
        else mail(f"reply {index}", message_id=f"<k{index}@x.example>", in_reply_to=f"<k{index - 2}@x.example>")
        for index in range(500)
    ]
    for start in range(0, 500, 50):
        receive_many([Incoming(raw, mailboxes[0]) for raw in raws[start : start + 50]])
    environment = {**process_environment, "DJANGO_SETTINGS_MODULE": "hub.settings"}
    for kill in range(6):
        process = subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        # As if the leases of the killed worker had run out.
        past = timezone.now() - timedelta(seconds=1)
        Message.objects.filter(state__in=["processing", "waiting"]).update(next_attempt_at=past)
        if kill < 5:
            _until(lambda enough=60 * (kill + 1): Message.objects.filter(state="processed").count() >= enough)
            os.kill(process.pid, signal.SIGKILL)
        else:
            _until(lambda: _hurry() == 500)
            process.terminate()
        process.wait()
        process.stdout.close()

    assert Message.objects.filter(state="processed").count() == 500
    assert EmailLog.objects.count() == 500
    assert EmailLog.objects.values("source_key").distinct().count() == 500
    assert Comment.objects.count() == 500
    replies = Message.objects.filter(outcome=Outcome.LINKED).count()
    assert Ticket.objects.count() + replies == 500
    numbers = sorted(int(number[13:]) for number in Ticket.objects.values_list("ticket_number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def _hurry() -> int:
    """Waiting mails are due now; how many are done."""
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.filter(state="waiting").update(next_attempt_at=past)
    return Message.objects.filter(state="processed").count()


def _until(done: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, list(
            Message.objects.exclude(state="processed").values("state", "attempts", "last_error")[:5]
        )
        time.sleep(0.01)
    assert connection.is_usable()
