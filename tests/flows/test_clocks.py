"""Hosts whose clocks differ: what one puts off is due for the other when the database says so, not hours later."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from emailflow.inbound.due import due
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.pull import pull
from emailflow.models import Mailbox, Message, State
from hub.heartbeat import beat, heartbeat_age
from tests.dovecot import Account
from tests.flows.conftest import Deliver
from tests.mailboxes import imap_mailbox
from tests.mails import mail

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is for one host, which has one clock"),
]
SHIFTS = [timedelta(hours=2), timedelta(hours=-2)]


def wrong_by(shift: timedelta) -> time_machine.travel:
    return time_machine.travel(timezone.now() + shift, tick=True)


@pytest.mark.parametrize("shift", SHIFTS, ids=["fast", "slow"])
def test_an_answer_waits_seconds_for_its_original_whatever_the_host_believes(
    deliver: Deliver, mailbox: Mailbox, shift: timedelta
) -> None:
    original = deliver(mail(message_id="<first@kunde.example>"), process=False)
    Message.objects.filter(pk=original.pk).update(next_attempt_at=timezone.now() + timedelta(minutes=3))
    answer = deliver(mail(in_reply_to="<first@kunde.example>"), process=False)
    with wrong_by(shift):
        process_due()
    answer.refresh_from_db()
    assert answer.state == State.WAITING
    assert timedelta(seconds=3) < answer.next_attempt_at - timezone.now() < timedelta(seconds=6)


@pytest.mark.dovecot
@pytest.mark.parametrize("shift", SHIFTS, ids=["fast", "slow"])
def test_a_mailbox_that_another_host_has_looked_into_has_its_turn_in_time(
    mail_account: Account, shift: timedelta
) -> None:
    mailbox = imap_mailbox(mail_account)
    with wrong_by(shift):
        assert pull(mailbox).ok
        assert mailbox not in due()
    mailbox.refresh_from_db()
    assert mailbox.next_pull_at
    assert timedelta(seconds=50) < mailbox.next_pull_at - timezone.now() <= timedelta(seconds=60)


@pytest.mark.parametrize("shift", SHIFTS, ids=["fast", "slow"])
def test_the_heart_of_a_host_with_a_wrong_clock_beats_for_the_others(shift: timedelta) -> None:
    with wrong_by(shift):
        beat()
        inside = heartbeat_age()
    outside = heartbeat_age()
    assert inside is not None and inside < 5
    assert outside is not None and outside < 5
