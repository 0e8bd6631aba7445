"""The count after the faults is worth something only if it finds what went wrong."""

from collections.abc import Callable

import pytest

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from tests.bench.chaos.counting import problems, unfinished
from tests.bench.chaos.mails import Letter, by_serial, conversations
from tests.flows.conftest import mailbox
from tickets.models import Comment, EmailLog, Ticket

pytestmark = pytest.mark.django_db
__all__ = ("mailbox",)
Letters = dict[int, Letter]


@pytest.fixture
def letters(mailbox: Mailbox) -> Letters:
    """Thirty mails, all of them stored and filed as they should be."""
    found = by_serial(conversations(30, seed=7))
    for serial in sorted(found):
        receive_bytes(found[serial].raw, mailbox=mailbox)
    while process_due():
        pass
    return found


def said(letters: Letters) -> str:
    return "\n".join(str(problem) for problem in problems(letters))


def test_where_all_is_well_it_finds_nothing(letters: Letters) -> None:
    assert any(letter.is_reply for letter in letters.values())
    assert unfinished(letter.message_id for letter in letters.values()) == ""
    assert said(letters) == ""


def lose_a_mail() -> None:
    row = Message.objects.latest("pk")
    EmailLog.objects.filter(source_key=f"in:{row.pk}").delete()
    row.delete()


def lose_a_comment() -> None:
    Comment.objects.latest("pk").delete()


def double_a_comment() -> None:
    comment = Comment.objects.latest("pk")
    comment.pk = None
    comment.save(force_insert=True)


def leave_a_row() -> None:
    Message.objects.filter(pk=Message.objects.latest("pk").pk).update(state="waiting", outcome="")


def move_an_answer() -> None:
    answer = Message.objects.filter(outcome="linked").latest("pk")
    other = Ticket.objects.exclude(pk=answer.ticket_id).earliest("pk")
    Message.objects.filter(pk=answer.pk).update(ticket=other)


def skip_a_number() -> None:
    Ticket.objects.filter(pk=Ticket.objects.latest("pk").pk).update(ticket_number="TKT-20260101-002")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_a_mail, "missing: no row in the ledger"),
        (lose_a_comment, "0 comments"),
        (double_a_comment, "2 comments"),
        (leave_a_row, "stuck: row"),
        (move_an_answer, "not on ticket"),
        (skip_a_number, "no tickets with these numbers of 20260101: [1]"),
    ],
)
def test_it_finds(letters: Letters, harm: Callable[[], None], words: str) -> None:
    harm()
    assert words in said(letters)


def test_a_mail_that_opened_two_tickets_is_found(letters: Letters, mailbox: Mailbox) -> None:
    first = letters[0]
    changed = first.raw.replace(b"This is", b"Really, this is")
    receive_bytes(changed, mailbox=mailbox)
    while process_due():
        pass
    assert "mail 000000: 2 originals" in said(letters)
    assert "instead of one" in said(letters)


def test_the_same_seed_is_the_same_plan() -> None:
    shape = [
        [(letter.serial, letter.root, letter.message_id, letter.twice) for letter in t] for t in conversations(50, 3)
    ]
    assert shape == [
        [(letter.serial, letter.root, letter.message_id, letter.twice) for letter in t] for t in conversations(50, 3)
    ]
