"""A mail that is made to hurt becomes a ticket like any other: in little time and little memory."""

import json
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from tests.corpus.folder import corpus_folder
from tests.hostile import HOSTILE
from tests.mails import mail
from tickets import blobs
from tickets.models import Attachment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SECONDS = 5.0
MEGABYTES = 200.0


@dataclass
class Worker:
    """A worker in a process of its own, idle after one ordinary mail."""

    process: "subprocess.Popen[str]"
    idle: dict[str, Any]

    def work(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture
def support() -> Mailbox:
    return Mailbox.objects.create(slug="support", name="Support", protocol="maildir", addresses=["support@hub.example"])


@pytest.fixture
def worker(process_environment: dict[str, str], support: Mailbox) -> Iterator[Worker]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.weigh"],
        env=process_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = Worker(process, {})
    receive_bytes(mail("hej\n\n> et citat\n", html="<p>hej</p>", files={"a.txt": b"x"}), mailbox=support)
    found.idle = found.work()
    yield found
    assert process.stdin and process.stdout
    process.stdin.close()
    process.wait(timeout=20)
    process.stdout.close()


def test_a_big_file_comes_out_as_it_went_in(worker: Worker, support: Mailbox) -> None:
    content = random.Random(9).randbytes(9_000_000)
    small = b"a small one beside it"
    message = receive_bytes(
        mail("see the files", files={"big.bin": content, "small.bin": small}), mailbox=support
    ).message
    worker.work()
    files = {row.name: row for row in Attachment.objects.filter(name__endswith=".bin")}
    assert {name: (row.size, blobs.read(row.sha256)) for name, row in files.items()} == {
        "big.bin": (len(content), content),
        "small.bin": (len(small), small),
    }
    assert Message.objects.get(pk=message.pk).state == "processed"


def test_every_hostile_mail_becomes_a_ticket_within_its_limits(worker: Worker, support: Mailbox) -> None:
    assert _too_much(worker, support, ((name, build()) for name, build in HOSTILE.items())) == []


@pytest.mark.corpus
def test_every_hard_case_of_the_corpus_stays_within_the_limits(worker: Worker, support: Mailbox) -> None:
    files = sorted((corpus_folder() / "edge_synthetic").glob("*.eml"))
    assert files
    assert _too_much(worker, support, ((file.name, file.read_bytes()) for file in files), tickets=False) == []


def _too_much(
    worker: Worker, mailbox: Mailbox, mails: Iterable[tuple[str, bytes]], *, tickets: bool = True
) -> list[str]:
    """What went beyond the limits, in words. The worker's figures are printed: ``pytest -s`` shows them."""
    found = []
    for name, raw in mails:
        stored = receive_bytes(raw, mailbox=mailbox)
        cost = worker.work()
        memory = cost["memory"] - worker.idle["memory"]
        figures = f"{name}: {cost['seconds']:.1f} s of work, {cost['elapsed']:.1f} s elapsed, {memory:.0f} MB over idle"
        print(f"{figures}, largest child so far {cost['children'] - worker.idle['children']:.0f} MB")
        row = Message.objects.get(pk=stored.message.pk)
        if tickets and (row.state != "processed" or row.ticket is None or row.attempts != 1):
            found.append(f"{name} is {row.state}, {row.outcome}: {row.last_error}")
        if cost["seconds"] > SECONDS or memory > MEGABYTES:
            found.append(figures)
    return found
