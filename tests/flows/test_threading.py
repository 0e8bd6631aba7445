"""A reply finds its ticket, by whatever its writer's program has kept."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from emailflow.inbound.claim import LEASE
from emailflow.inbound.settle import TROUBLE
from emailflow.models import Mailbox, Message, Outcome, State
from tests.flows.conftest import Deliver
from tests.mails import mail
from tickets import tokens
from tickets.models import EmailLog, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(deliver: Deliver) -> Message:
    return deliver(mail("This is a test #testing", subject="Test ticket", message_id="<first@nordwind.example>"))


@pytest.fixture
def ticket(first: Message) -> Ticket:
    assert first.ticket is not None
    return first.ticket


def test_reply_by_our_number_in_in_reply_to_is_a_comment(deliver: Deliver, ticket: Ticket) -> None:
    raw = mail(
        "It works again.",
        subject=f"Re: {ticket.ticket_number}",
        in_reply_to=f"<{ticket.ticket_number}@bmcnetworks.dk>",
    )

    message = deliver(raw)

    assert (message.ticket, message.outcome) == (ticket, Outcome.LINKED)
    assert ticket.comments.count() == 2
    assert EmailLog.objects.get(source_key=f"in:{message.pk}").is_reply is True
    assert Ticket.objects.count() == 1


def test_reply_with_nothing_but_the_number_in_in_reply_to_is_linked(deliver: Deliver, ticket: Ticket) -> None:
    assert [tag.name for tag in ticket.tags.all()] == ["testing"]

    message = deliver(mail("ok", subject="hello", in_reply_to=f"<{ticket.ticket_number}@bmcnetworks.dk>"))

    assert message.ticket == ticket


@pytest.mark.parametrize(
    "signal", ["signed", "signed_far", "plus", "header", "in_reply_to", "references", "subject", "link", "json"]
)
def test_each_signal_alone_threads_the_reply(deliver: Deliver, ticket: Ticket, signal: str) -> None:
    number = ticket.ticket_number
    token = tokens.thread_token(number)
    ours = tokens.thread_message_id(number, "17", "hub.example")
    extra: dict[str, dict[str, object]] = {
        "signed": {"in_reply_to": ours},
        "signed_far": {"references": f"<a@x.example> {ours} <b@x.example>"},
        "plus": {"to": f"support+{token}@hub.example"},
        "header": {"headers": {"X-Hub-Ticket": token}},
        "in_reply_to": {"in_reply_to": "<first@nordwind.example>"},
        "references": {"references": "<other@x.example> <first@nordwind.example>"},
        "subject": {"subject": f"SV: [{number}] Noget"},
        "link": {"text": f"Hej\n\n> https://hub.example/t/{token}\n"},
        "json": {"files": {"ticket.json": json.dumps({"ticket": token}).encode()}},
    }
    arguments: dict[str, object] = {"text": "Answer", "subject": "Something else"} | extra[signal]

    assert deliver(mail(**arguments)).ticket == ticket  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["in_reply_to", "plus", "header", "link"])
def test_forged_token_threads_nothing(deliver: Deliver, ticket: Ticket, where: str) -> None:
    forged = f"{ticket.ticket_number}-aaaaaaaaaaaaaaaa"
    extra: dict[str, dict[str, object]] = {
        "in_reply_to": {"in_reply_to": "<unknown-aaaaaaaaaaaaaaaa@hub.example>"},
        "plus": {"to": f"support+{forged}@hub.example"},
        "header": {"headers": {"X-Hub-Ticket": forged}},
        "link": {"text": f"see https://hub.example/t/{forged}"},
    }

    message = deliver(mail(**extra[where]))  # type: ignore[arg-type]

    assert message.ticket != ticket
    assert message.outcome == Outcome.TICKET_CREATED


def test_old_token_keys_still_verify(deliver: Deliver, ticket: Ticket, settings: pytest.FixtureRequest) -> None:
    token = tokens.thread_token(ticket.ticket_number)
    settings.TOKEN_KEYS = ["a-new-key", *settings.TOKEN_KEYS]  # type: ignore[attr-defined]

    assert deliver(mail(headers={"X-Hub-Ticket": token})).ticket == ticket


def test_stronger_signal_wins_and_the_other_is_a_hint(deliver: Deliver, ticket: Ticket) -> None:
    other = deliver(mail(subject="Other")).ticket
    assert other is not None

    message = deliver(mail("x", subject=f"[{other.ticket_number}]", in_reply_to="<first@nordwind.example>"))

    assert message.ticket == ticket
    assert any(other.ticket_number in remark for remark in ticket.comments.last().remarks)  # type: ignore[union-attr]


def test_unknown_number_opens_a_new_ticket(deliver: Deliver) -> None:
    message = deliver(mail(subject="Re: [TKT-20010101-001] old"))

    assert message.outcome == Outcome.TICKET_CREATED


def test_mail_for_a_merged_ticket_goes_to_its_target(deliver: Deliver, ticket: Ticket) -> None:
    target = deliver(mail(subject="Target")).ticket
    Ticket.objects.filter(pk=ticket.pk).update(merged_into=target)

    assert deliver(mail("again", in_reply_to="<first@nordwind.example>")).ticket == target


def test_reply_that_overtakes_waits_for_its_original(deliver: Deliver, mailbox: Mailbox) -> None:
    """The original is stored but not filed yet: another worker has it."""
    original = deliver(mail("first", message_id="<o@nordwind.example>"), process=False)
    Message.objects.filter(pk=original.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))

    reply = deliver(mail("second", in_reply_to="<o@nordwind.example>"))

    assert (reply.state, reply.attempts, reply.waits) == ("waiting", 0, 1)
    Message.objects.update(next_attempt_at=timezone.now())
    deliver(mail(subject="unrelated"))
    original.refresh_from_db()
    reply.refresh_from_db()
    assert original.ticket is not None
    assert (reply.ticket, reply.outcome) == (original.ticket, Outcome.LINKED)


def test_reply_whose_original_never_gets_through_is_a_ticket_in_the_end(deliver: Deliver) -> None:
    original = deliver(mail("first", message_id="<o@nordwind.example>"), process=False)
    Message.objects.filter(pk=original.pk).update(next_attempt_at=timezone.now() + timedelta(days=1))
    reply = deliver(mail("second", in_reply_to="<o@nordwind.example>"))
    for _ in range(12):
        Message.objects.filter(pk=reply.pk).update(next_attempt_at=timezone.now())
        deliver(mail())

    reply.refresh_from_db()
    assert (reply.waits, reply.outcome) == (12, Outcome.TICKET_CREATED)


def test_reply_waits_longer_than_a_dead_worker_keeps_its_original(deliver: Deliver) -> None:
    original = deliver(mail("first", message_id="<o@nordwind.example>"), process=False)
    Message.objects.filter(pk=original.pk).update(next_attempt_at=timezone.now() + timedelta(days=1))
    reply = deliver(mail("second", in_reply_to="<o@nordwind.example>"))
    waited = timedelta()
    while reply.state == State.WAITING:
        waited += reply.next_attempt_at - timezone.now()
        Message.objects.filter(pk=reply.pk).update(next_attempt_at=timezone.now())
        deliver(mail())
        reply.refresh_from_db()
    assert waited > LEASE + TROUBLE


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_thread_that_arrives_as_one_group_is_one_ticket(deliver: Deliver, order: tuple[int, ...]) -> None:
    chain = [
        mail("one", subject="Chain", message_id="<1@nordwind.example>"),
        mail("two", subject="Re: Chain", message_id="<2@nordwind.example>", in_reply_to="<1@nordwind.example>"),
        mail("three", subject="Re: Chain", message_id="<3@nordwind.example>", in_reply_to="<2@nordwind.example>"),
    ]
    for index in order[:-1]:
        deliver(chain[index], process=False)
    deliver(chain[order[-1]])

    ticket = Ticket.objects.get()
    assert [comment.reply_text.strip() for comment in ticket.comments.order_by("id")] == ["one", "two", "three"]
    assert sorted(Message.objects.values_list("outcome", flat=True)) == ["linked", "linked", "ticket_created"]
