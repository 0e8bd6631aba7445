"""Trouble while a mail is filed: it waits, comes to its end, and nothing is done twice."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from emailflow import tasks
from emailflow.inbound.claim import claim_group, claim_lapsed
from emailflow.inbound.pipeline import process_due
from emailflow.models import Message, Outcome, State, Workflow
from tests.flows.conftest import Deliver
from tests.flows.test_ledger import drain, lapse, trap
from tests.mails import mail
from tickets.models import EmailLog, Ticket

pytestmark = pytest.mark.django_db

SetTrap = Callable[[Callable[[Any], None]], None]
__all__ = ["trap"]


def failing(times: int, error: Exception) -> Callable[[Any], None]:
    left = iter(range(times))

    def act(context: Any) -> None:
        if next(left, None) is not None:
            raise error

    return act


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), IntegrityError("somebody was faster")])
def test_lock_trouble_is_tried_again_at_once_and_costs_no_attempt(
    deliver: Deliver, trap: SetTrap, error: Exception
) -> None:
    trap(failing(2, error))

    message = deliver(mail(subject="trap"))

    assert (message.outcome, message.attempts, message.last_error) == (Outcome.TICKET_CREATED, 1, "")


def test_database_trouble_waits_and_gives_the_attempt_back(deliver: Deliver, trap: SetTrap) -> None:
    trap(failing(3, OperationalError("server closed the connection")))

    message = deliver(mail(subject="trap"))

    assert (message.state, message.attempts, Ticket.objects.count()) == (State.WAITING, 0, 0)
    assert message.trouble_since is not None
    lapse()
    drain()
    message.refresh_from_db()
    assert message.outcome == Outcome.TICKET_CREATED


@pytest.mark.django_db(transaction=True)
def test_connection_that_breaks_in_the_middle_costs_no_mail(deliver: Deliver, trap: SetTrap) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection that could break")

    def cut(context: Any) -> None:
        if Workflow.objects.filter(name="cut").exists():
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    trap(cut)
    message = deliver(mail(subject="trap"))
    Workflow.objects.create(name="cut", enabled=False)
    lapse()
    drain()

    message.refresh_from_db()
    assert message.outcome == Outcome.TICKET_CREATED
    assert (Ticket.objects.count(), EmailLog.objects.count()) == (1, 1)


def test_mails_that_a_dead_worker_left_are_taken_one_by_one_and_never_in_a_group(deliver: Deliver) -> None:
    left = {deliver(mail(), process=False).pk for _ in range(2)}
    claim_group(50)
    lapse()
    fresh = deliver(mail(), process=False)

    group = claim_group(50)
    first, second = claim_lapsed(), claim_lapsed()

    assert [row.pk for row in group.messages] == [fresh.pk]
    assert {first.messages[0].pk, second.messages[0].pk} == left
    assert (len(first.messages), first.alone, second.alone) == (1, True, True)
    # Alone for good: also when it has waited in between.
    Message.objects.filter(pk__in=left).update(state="waiting", next_attempt_at=timezone.now() - timedelta(hours=1))
    assert claim_group(50).messages == []


def test_sweep_comes_to_what_was_left_behind_even_while_new_mail_is_due(deliver: Deliver) -> None:
    left = deliver(mail(), process=False)
    claim_group(50)
    lapse()
    deliver(mail(), process=False)

    assert tasks.sweep() == 2

    left.refresh_from_db()
    assert left.outcome == Outcome.TICKET_CREATED


def test_original_that_is_filed_between_two_looks_is_found(deliver: Deliver) -> None:
    ticket = deliver(mail(message_id="<other@nordwind.example>")).ticket
    assert ticket is not None
    filed = iter([True])

    def meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Another worker files the original while this one looks for unfinished mail."""
        if "email_messages" in sql and '"message_id" IN' in sql and next(filed, False):
            log = EmailLog.objects.get(ticket=ticket)
            log.pk, log.email_message_id, log.source_key = None, "<late@nordwind.example>", "in:0"
            log.save(force_insert=True)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        message = deliver(mail(in_reply_to="<late@nordwind.example>"))

    assert message.ticket == ticket


def test_answer_to_a_mail_that_waits_waits_with_it(deliver: Deliver) -> None:
    root = deliver(mail("one", message_id="<1@nordwind.example>"), process=False)
    Message.objects.filter(pk=root.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    deliver(mail("two", message_id="<2@nordwind.example>", in_reply_to="<1@nordwind.example>"), process=False)
    third = deliver(mail("three", in_reply_to="<2@nordwind.example>"))

    assert (third.state, Ticket.objects.count()) == (State.WAITING, 0)
    for _ in range(3):
        lapse()
        drain()
    assert Ticket.objects.get().comments.count() == 3


@pytest.fixture
def failed(deliver: Deliver, trap: SetTrap) -> Iterator[Message]:
    Workflow.objects.exclude(name="Trap").delete()
    trap(failing(1, RuntimeError("boom")))
    message = deliver(mail(subject="trap"))
    assert message.state == State.FAILED
    yield message


def test_reprocess_command_runs_failed_mail_again(
    failed: Message, capsys: pytest.CaptureFixture[str], deliver: Deliver
) -> None:
    deliver(mail(subject="unrouted"))
    today = timezone.localdate().isoformat()

    call_command("reprocess_mail", "--state", "failed", "--since", today)

    told = capsys.readouterr().out.splitlines()
    failed.refresh_from_db()
    assert (len(told), failed.outcome, failed.run) == (1, Outcome.UNROUTED, 2)
    call_command("reprocess_mail", "--state", "failed", "--since", today)
    assert "No mail fits" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not a date"):
        call_command("reprocess_mail", "--state", "failed", "--since", "yesterday")


def test_nothing_is_due_when_everything_is_done(deliver: Deliver) -> None:
    deliver(mail())

    assert process_due() == 0
