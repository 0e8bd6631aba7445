"""No loop, no storm, nothing to an address that takes no mail; and an ordinary customer is answered."""

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.mail import Kind, Verdict
from emailflow.models import OutboxKind, OutboxState, Outgoing
from emailflow.outbound.guard import (
    ALL_TIMES,
    DOMAIN_TIMES,
    PER_RECIPIENT,
    PERSON_TIMES,
    PERSONAL_KINDS,
    WINDOWS,
    Counts,
    Incoming,
    counts_of,
    may_acknowledge,
    may_send,
)
from tests.emailflow.inbound.mails import PLAIN, mail, multipart
from tests.emailflow.outbound.outgoing import NUMBER
from tickets.tokens import thread_message_id

OURS = frozenset({"support@helpdesk.example"})
OUR_IDS = frozenset({"helpdesk.example"})
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CUSTOMER = "anna@kunde.example"


def incoming(*headers: str, raw: bytes = b"", **changes: Any) -> Incoming:
    """A customer's mail as the steps before have named it."""
    parsed = parse(raw or mail(*headers))
    kind, reason = screen(parsed, OURS, OUR_IDS)
    facts = Incoming(
        mail=parsed,
        kind=kind,
        kind_reason=reason,
        verdict=Verdict.NONE,
        recipient=parsed.sender.key,
        our_addresses=OURS,
        mailbox="support",
        live=True,
        age=timedelta(minutes=1),
    )
    return dataclasses.replace(facts, **changes)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        "Precedence: list",
        "Precedence: junk",
        "Precedence: auto_reply",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "List-Id: <nyt.example.dk>",
        "List-Unsubscribe: <mailto:x@example.dk>",
        "Return-Path: <>",
        "From: MAILER-DAEMON@mx.example",
        "From: postmaster@mx.example",
        "From: no-reply@shop.example",
        "X-Autoreply: yes",
        "X-Autorespond: x",
        "X-Mail-Autoreply: yes",
        "X-Loop: x@example.dk",
        "X-Hub: helpdesk.example",
        "From: support@helpdesk.example",
        "Subject: Fravær: Hjælp",
        "Subject: Out of office: help",
        "Subject: Abwesenheitsnotiz",
        "Subject: Frånvaromeddelande",
        "Subject: Automatisk svar: Re: x",
    ],
)
def test_a_machine_a_list_and_our_own_mail_are_not_acknowledged(header: str) -> None:
    reason = may_acknowledge(incoming(header))
    assert reason.startswith("No machine is answered. ")
    assert len(reason) > len("No machine is answered. ")


@pytest.mark.parametrize(
    "header",
    [
        "X-Ordinary: x",
        "Auto-Submitted: no",
        "Precedence: normal",
        "X-Auto-Response-Suppress: None",
        "Return-Path: <kunde@example.dk>",
        "From: nora.reply@shop.example",
        "From: postmand@example.dk",
        "X-Autoreply: no",
        f"Message-ID: <{NUMBER}-a5-aaaaaaaaaaaaaaaa@helpdesk.example>",
        "X-Hub: another.example",
        "From: support@another.example",
        "Subject: Min ferie og mit fravær i uge 7",
        "Subject: Jeres automatiske svar er mærkeligt",
    ],
)
def test_a_person_is_acknowledged(header: str) -> None:
    assert may_acknowledge(incoming(header)) == ""


def test_a_mail_with_our_own_signed_message_id_is_not_acknowledged() -> None:
    assert may_acknowledge(incoming(f"Message-ID: {thread_message_id(NUMBER, 'a5', 'helpdesk.example')}"))


def test_a_delivery_report_is_not_acknowledged() -> None:
    report = multipart("report; report-type=delivery-status", [PLAIN], "From: Mail System <post@mx.example>")
    assert may_acknowledge(incoming(raw=report))


def test_every_kind_but_a_person_is_refused_even_without_words() -> None:
    for kind in Kind:
        assert bool(may_acknowledge(incoming(kind=kind, kind_reason=""))) is (kind is not Kind.PERSON)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"answers_us": True}, "answers a mail of ours"),
        ({"is_form": True}, "web form"),
        ({"run": 2}, "again"),
        ({"by_hand": True}, "person"),
        ({"live": False, "age": timedelta(hours=13)}, "13 hours old"),
        ({"live": False, "mailbox": "import"}, "imported"),
        ({"acknowledges": False}, "no acknowledgements"),
        ({"verdict": Verdict.FAIL}, "forged"),
        ({"recipient": "support@helpdesk.example"}, "our own"),
        ({"recipient": "Support+x@HelpDesk.example"}, "our own"),
        ({"recipient": "no-reply@shop.example"}, "machine"),
        ({"recipient": ""}, "not an address"),
        ({"recipient": "root"}, "not an address"),
    ],
)
def test_nobody_is_told_about_a_ticket_who_does_not_wait_for_it(changes: dict[str, Any], word: str) -> None:
    assert word in may_acknowledge(incoming(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"run": 1, "by_hand": False, "answers_us": False},
        # The pipe of a mail server says that its mail is live, however old.
        {"live": True, "age": timedelta(hours=13)},
        {"live": True, "mailbox": "import"},
        {"verdict": Verdict.PASS},
        {"recipient": "visitor@kunde.example"},
    ],
)
def test_who_waits_for_a_word_gets_one(changes: dict[str, Any]) -> None:
    assert may_acknowledge(incoming(**changes)) == ""


def test_a_mail_with_two_senders_is_answered_to_none() -> None:
    assert "several senders" in may_acknowledge(incoming("From: a@x.example, b@y.example"))


def send(recipient: str = CUSTOMER, *, counts: Counts | None = None, automatic: bool = True, **more: Any) -> str:
    given: dict[str, Any] = {"suppressed": {}, "ours": OURS} | more
    return may_send(recipient=recipient, counts=counts or Counts(), automatic=automatic, **given)


@pytest.mark.parametrize("automatic", [True, False])
def test_a_suppressed_address_gets_nothing_in_whatever_case(automatic: bool) -> None:
    suppressed = {CUSTOMER: "550 no such user"}
    assert "550 no such user" in send("Anna@Kunde.Example", automatic=automatic, suppressed=suppressed)
    assert send("bo@kunde.example", automatic=automatic, suppressed=suppressed) == ""


@pytest.mark.parametrize("automatic", [True, False])
def test_nothing_goes_to_our_own_mailboxes(automatic: bool) -> None:
    assert "our own" in send("support@helpdesk.example", automatic=automatic)
    assert "our own" in send("support+TKT-1@helpdesk.example", automatic=automatic)
    assert send("anna+support@helpdesk.example", automatic=automatic) == ""


def test_a_person_may_write_to_an_address_that_no_machine_writes_to() -> None:
    assert send("postmaster@kunde.example", automatic=False) == ""
    assert "machine" in send("postmaster@kunde.example", automatic=True)


@pytest.mark.parametrize("recipient", ["", "x", "@x.example", "x@", "a b@x.example"])
def test_what_is_no_address_gets_nothing(recipient: str) -> None:
    assert "not an address" in send(recipient, automatic=False)


def _used(window: int, number: int) -> tuple[int, int, int]:
    """So many mails, all of them older than the windows before this one."""
    counts = [number if index >= window else 0 for index in range(3)]
    return counts[0], counts[1], counts[2]


SCOPES = [(CUSTOMER, 1), ("@kunde.example", DOMAIN_TIMES), ("", ALL_TIMES)]


@pytest.mark.parametrize(("key", "times"), SCOPES)
@pytest.mark.parametrize("window", range(3))
def test_automatic_mail_stops_at_the_budget_of_each_window(key: str, times: int, window: int) -> None:
    most = PER_RECIPIENT[window] * times
    assert send(counts=Counts(automatic={key: _used(window, most - 1)})) == ""
    reason = send(counts=Counts(automatic={key: _used(window, most)}))
    assert f"at most {most}" in reason


@pytest.mark.parametrize(("key", "times"), SCOPES)
@pytest.mark.parametrize("window", range(3))
@pytest.mark.parametrize("automatic", [True, False])
def test_only_a_runaway_program_meets_the_budget_of_persons(key: str, times: int, window: int, automatic: bool) -> None:
    most = PER_RECIPIENT[window] * times * PERSON_TIMES
    assert send(counts=Counts(all_mail={key: _used(window, most - 1)}), automatic=automatic) == ""
    assert f"at most {most}" in send(counts=Counts(all_mail={key: _used(window, most)}), automatic=automatic)


def test_the_budget_of_machines_does_not_bind_a_person() -> None:
    full = {key: (10**6, 10**6, 10**6) for key, _ in SCOPES}
    assert send(counts=Counts(automatic=full), automatic=False) == ""


def test_customers_of_one_public_provider_do_not_share_a_budget() -> None:
    counts = Counts()
    for number in range(PER_RECIPIENT[0] * DOMAIN_TIMES):
        counts.add(f"kunde{number}@gmail.com", automatic=True)
    assert send("ny@gmail.com", counts=counts) == ""


def test_a_batch_counts_what_it_has_queued_itself() -> None:
    counts = Counts()
    sent = 0
    for number in itertools.count():
        if send(f"kunde{number}@kunde.example", counts=counts):
            break
        counts.add(f"Kunde{number}@kunde.example", automatic=True)
        sent += 1
    assert sent == PER_RECIPIENT[0] * DOMAIN_TIMES
    alone = Counts()
    while not send(counts=alone):
        alone.add(CUSTOMER, automatic=True)
    assert alone.automatic[CUSTOMER][0] == PER_RECIPIENT[0]
    alone.add(CUSTOMER, automatic=False)
    assert (alone.automatic[CUSTOMER][0], alone.all_mail[CUSTOMER][0]) == (PER_RECIPIENT[0], PER_RECIPIENT[0] + 1)


def _row(recipient: str, ago: timedelta, **changes: Any) -> Outgoing:
    moment = NOW - ago
    given: dict[str, Any] = {
        "kind": OutboxKind.ACKNOWLEDGEMENT,
        "recipient": recipient,
        "state": OutboxState.SENT,
        "dedupe_key": f"{Outgoing.objects.count()}",
        "not_before": moment,
        "created_at": moment,
    }
    return Outgoing.objects.create(**given | changes)


@pytest.mark.django_db
def test_the_outbox_is_counted_per_window_recipient_domain_and_in_all_in_one_statement() -> None:
    minute, second = timedelta(minutes=1), timedelta(seconds=1)
    _row(CUSTOMER, minute)
    _row(CUSTOMER, minute, kind=OutboxKind.REPLY)
    _row(CUSTOMER, 30 * minute, state=OutboxState.BOUNCED)
    _row(CUSTOMER, WINDOWS[2] - second, state=OutboxState.QUEUED)
    _row(CUSTOMER, WINDOWS[2] + second)
    _row(CUSTOMER, minute, state=OutboxState.SUPPRESSED, reason="budget")
    _row(CUSTOMER, minute, state=OutboxState.CANCELLED)
    _row(CUSTOMER, minute, channel="chat")
    _row("bo@kunde.example", minute)
    _row("ole@gmail.com", minute)
    _row("else@xkunde.example", minute)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        counts = counts_of(["Anna@kunde.example", "ole@gmail.com", "new@nobody.example"], NOW)
    assert len(queries) == 1
    assert counts.automatic == {
        CUSTOMER: (1, 2, 3),
        "ole@gmail.com": (1, 1, 1),
        "@kunde.example": (2, 3, 4),
        "": (4, 5, 6),
    }
    assert counts.all_mail[CUSTOMER] == (2, 3, 4)
    assert counts.all_mail[""] == (5, 6, 7)


@pytest.mark.django_db
def test_counting_for_public_providers_alone_and_for_nobody() -> None:
    _row("ole@gmail.com", timedelta(minutes=1))
    assert counts_of(["ole@gmail.com"], NOW).automatic == {"": (1, 1, 1), "ole@gmail.com": (1, 1, 1)}
    with CaptureQueriesContext(connection) as queries:
        assert counts_of([], NOW) == Counts()
    assert not queries


@pytest.mark.django_db
def test_an_empty_outbox_allows_everything() -> None:
    assert send(counts=counts_of([CUSTOMER], NOW)) == ""


def test_only_answers_of_staff_count_as_a_persons() -> None:
    assert set(PERSONAL_KINDS) == {OutboxKind.REPLY}
