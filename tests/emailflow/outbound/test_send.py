"""What a sender promises: each mail once, tried again where that helps, and never silently gone."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail as django_mail
from django.db import connection
from django.utils import timezone

from emailflow.models import Mailbox, OutboxState, Outgoing, Suppression
from emailflow.outbound.claim import LEASE, claim_due
from emailflow.outbound.send import ENOUGH, PAUSES, Result, send_all, send_due, send_lapsed
from emailflow.outbound.smtp import HARD_SECONDS
from tests.outgoing import fresh, leases_run_out, outgoing, time_comes
from tests.scripted_smtp import STAGES, ScriptedSmtp
from tests.smtpsink import Sink, use_server
from tests.threads import at_once
from tests.tickets.making import comment_on, open_one
from tickets import blobs
from tickets.models import Comment, EmailLog

pytestmark = pytest.mark.django_db
with_threads = pytest.mark.django_db(transaction=True)


@pytest.fixture
def script(settings: LazySettings) -> Callable[..., ScriptedSmtp]:
    """Makes the server by script that EMAIL_URL names; use it as a context manager."""

    def make(on: Callable[[str, str], Any] = lambda stage, recipient: None, **options: Any) -> ScriptedSmtp:
        server = ScriptedSmtp(on, **options)
        use_server(settings, server.port)
        return server

    return make


def at(stage: str, what: bytes | str) -> Callable[[str, str], bytes | str | None]:
    """Does that at that stage, and else what is right."""
    return lambda now, recipient: what if now == stage else None


def test_a_lease_outlasts_the_longest_dialogue_of_the_last_mail_of_a_claim() -> None:
    assert timedelta(seconds=ENOUGH + HARD_SECONDS) < LEASE


def test_a_mail_arrives_as_it_was_written(sink: Sink) -> None:
    sha256 = blobs.put(b"%PDF-1.7 manual")
    row = outgoing(
        envelope_from="support+bounce@hub.example",
        attachments=[{"sha256": sha256, "name": "Vejledning.pdf", "mime_type": "application/pdf", "cid": ""}],
        headers={"In-Reply-To": "<a@b.example>", "X-Hub-Ticket": "TKT-20261122-001-abc"},
    )
    assert send_due() == 1

    (mail,) = sink.mails
    assert (sink.envelopes[0].mail_from, sink.recipients) == ("support+bounce@hub.example", ["mette@nordwind.example"])
    assert mail["Message-ID"] == row.header_message_id
    assert (mail["In-Reply-To"], mail["X-Hub-Ticket"]) == ("<a@b.example>", "TKT-20261122-001-abc")
    text = mail.get_body(("plain",))
    assert text is not None
    # Lines with single dots are what SMTP must not swallow.
    assert text.get_content().replace("\r\n", "\n").strip() == row.text
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Vejledning.pdf", b"%PDF-1.7 manual")
    row = fresh(row)
    assert (row.state, row.smtp_code, row.attempts, row.lease_token) == ("sent", 250, 1, "")
    assert row.sent_at is not None
    assert send_due() == 0


def test_a_batch_goes_over_one_connection(script: Callable[..., ScriptedSmtp]) -> None:
    for number in range(7):
        outgoing(f"r{number}@kunde.example")
    with script() as server:
        send_all()
        assert server.recipients == [f"r{number}@kunde.example" for number in range(7)]
        assert server.connections == 1


def test_what_is_not_due_yet_waits(sink: Sink) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    outgoing(not_before=soon)
    held = outgoing(state="held", not_before=soon)
    assert send_all() == 0
    time_comes()
    assert send_all() == 2
    assert fresh(held).state == "sent"


@pytest.mark.parametrize("state", ["sent", "failed", "bounced", "suppressed", "cancelled"])
def test_what_has_come_to_its_end_is_not_sent(sink: Sink, state: str) -> None:
    outgoing(state=state, reason="it is so")
    assert send_all() == 0
    assert sink.envelopes == []


def test_nothing_leaves_while_mail_is_held(sink: Sink, settings: LazySettings) -> None:
    settings.OUTGOING_MAIL = "hold"
    row = outgoing()
    assert (send_due(), send_lapsed(), send_all()) == (0, 0, 0)
    assert (fresh(row).state, fresh(row).attempts, sink.envelopes) == ("queued", 0, [])


def test_an_answer_is_in_the_log_of_its_ticket_once(sink: Sink) -> None:
    ticket = open_one()
    comment = comment_on(ticket)
    shared = {"ticket": ticket, "comment": comment, "header_message_id": "<TKT-1@hub.example>"}
    shared["headers"] = {"In-Reply-To": "<q@x.example>", "References": "<p@x.example> <q@x.example>"}
    outgoing("a@x.example", **shared)
    outgoing("b@x.example", **shared)
    send_all()

    log = EmailLog.objects.get(ticket=ticket)
    assert (log.source_key, log.direction, log.comment_id) == (f"out:{comment.pk}", "out", comment.pk)
    assert (log.email_message_id, log.email_from) == ("<TKT-1@hub.example>", "support@hub.example")
    assert log.thread_data["references"] == ["<p@x.example>", "<q@x.example>"]


def test_the_mailbox_sends_over_its_own_server(sink: Sink, make_sink: Callable[..., Sink]) -> None:
    own = make_sink()
    mailbox = Mailbox.objects.create(
        slug="own", name="Own", protocol="maildir", smtp_host="127.0.0.1", smtp_port=own.port, smtp_security="plain"
    )
    outgoing("a@x.example", mailbox=mailbox)
    outgoing("b@x.example")
    send_all()
    assert (own.recipients, sink.recipients) == (["a@x.example"], ["b@x.example"])


def test_where_no_server_is_named_django_takes_the_mail() -> None:
    outgoing()
    send_all()
    assert [one.to for one in django_mail.outbox] == [["mette@nordwind.example"]]
    assert Outgoing.objects.get().state == "sent"


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "dot"])
def test_a_final_no_stops_and_tells(script: Callable[..., ScriptedSmtp], stage: str) -> None:
    ticket = open_one()
    row = outgoing(ticket=ticket)
    with script(at(stage, b"550 5.1.1 No such user here\r\n")):
        send_all()
    row = fresh(row)
    assert (row.state, row.smtp_code, row.attempts) == ("failed", 550, 1)
    assert row.reason == "127.0.0.1 said: 550 5.1.1 No such user here."
    note = Comment.objects.get(ticket=ticket, system_code="mail_not_sent")
    assert note.is_internal
    assert note.system_params["recipients"] == ["mette@nordwind.example"]
    assert note.system_params["reason"] == row.reason


def test_one_who_is_refused_does_not_stop_the_others(script: Callable[..., ScriptedSmtp]) -> None:
    def on(stage: str, recipient: str) -> bytes | None:
        return b"550 no\r\n" if (stage, recipient) == ("RCPT", "b@x.example") else None

    for name in "abc":
        outgoing(f"{name}@x.example")
    with script(on) as server:
        send_all()
        assert server.recipients == ["a@x.example", "c@x.example"]
        assert server.connections == 1
    assert list(Outgoing.objects.order_by("id").values_list("state", flat=True)) == ["sent", "failed", "sent"]


@pytest.mark.parametrize(
    ("stage", "what"),
    [
        *[(stage, b"451 4.7.1 Greylisted\r\n") for stage in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")],
        *[(stage, "hang up") for stage in STAGES],
        ("greeting", b"554 we do not like you\r\n"),
        ("MAIL", b"530 5.7.0 Authentication required\r\n"),
        ("greeting", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("MAIL", b"421 4.3.2 shutting down\r\n"),
    ],
)
def test_trouble_that_passes_is_waited_for(script: Callable[..., ScriptedSmtp], stage: str, what: bytes | str) -> None:
    row = outgoing()
    with script(at(stage, what)) as server:
        send_all()
        row = fresh(row)
        assert (row.state, row.attempts, row.reason) == ("queued", 1, "")
        assert row.last_error
        assert timedelta(seconds=50) < row.not_before - timezone.now() < timedelta(seconds=61)
        assert send_all() == 0
        server.on = lambda stage, recipient: None
        time_comes()
        send_all()
        assert server.recipients == ["mette@nordwind.example"]
    row = fresh(row)
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, "")


def test_a_server_that_is_away_is_asked_once_not_for_every_mail(script: Callable[..., ScriptedSmtp]) -> None:
    for number in range(20):
        outgoing(f"r{number}@kunde.example")
    with script(at("greeting", b"421 too many\r\n")) as server:
        send_all()
        assert server.connections == 1
    assert set(Outgoing.objects.values_list("state", "attempts")) == {("queued", 1)}


def test_a_server_that_ends_connections_after_some_mails_gets_a_new_one(script: Callable[..., ScriptedSmtp]) -> None:
    count = 0

    def on(stage: str, recipient: str) -> bytes | None:
        nonlocal count
        count += stage == "MAIL"
        return b"421 4.7.0 Too many messages\r\n" if stage == "MAIL" and count % 3 == 0 else None

    for number in range(6):
        outgoing(f"r{number}@kunde.example")
    with script(on) as server:
        send_all()
        assert sorted(server.recipients) == [f"r{number}@kunde.example" for number in range(6)]


def test_the_pauses_grow_and_end_after_three_days(script: Callable[..., ScriptedSmtp]) -> None:
    row = outgoing()
    pauses = []
    with script(at("RCPT", b"450 4.2.2 mailbox full\r\n")):
        while fresh(row).state == "queued":
            time_comes()
            send_due()
            pauses.append((fresh(row).not_before - timezone.now()) / timedelta(minutes=1))
    assert [round(pause) for pause in pauses[:6]] == [1, 5, 15, 60, 240, 240]
    assert 68 * 60 < sum(PAUSES) <= 72 * 60
    row = fresh(row)
    assert (row.state, row.attempts) == ("failed", len(PAUSES) + 1)
    assert row.reason == "Given up after 22 tries. 127.0.0.1 said: 450 4.2.2 mailbox full."


def test_a_server_that_is_silent_at_the_end_may_have_the_mail_so_it_gets_no_second(
    script: Callable[..., ScriptedSmtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emailflow.outbound.smtp.HARD_SECONDS", 0.3)
    row = outgoing()
    with script(at("dot", "keep and hang")) as server:
        send_all()
        row = fresh(row)
        assert (row.state, row.smtp_code) == ("failed", 0)
        assert "may have arrived" in row.reason
        time_comes()
        assert send_all() == 0
        assert len(server.mails) == 1


def test_a_server_that_hangs_up_with_the_whole_mail_gets_it_once_more_and_no_third_time(
    script: Callable[..., ScriptedSmtp],
) -> None:
    row = outgoing()
    with script(at("dot", "keep and hang up")) as server:
        send_all()
        assert (fresh(row).state, fresh(row).smtp_code) == ("queued", 0)
        time_comes()
        send_all()
        assert len(server.mails) == 2
    assert fresh(row).state == "failed"
    assert "may have arrived" in fresh(row).reason


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "RCPT", "DATA"])
def test_a_server_that_hangs_is_given_up_at_the_hard_limit(
    script: Callable[..., ScriptedSmtp], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr("emailflow.outbound.smtp.HARD_SECONDS", 0.3)
    row = outgoing()
    with script(at(stage, "hang")):
        send_all()
    assert (fresh(row).state, fresh(row).smtp_code) == ("queued", None)
    assert "so slow that it was given up" in fresh(row).last_error


def test_an_address_that_bounced_meanwhile_gets_nothing(sink: Sink) -> None:
    row = outgoing()
    Suppression.objects.create(address=row.recipient, reason="No such user (5.1.1)", created_at=timezone.now())
    send_all()
    assert (fresh(row).state, fresh(row).reason, sink.envelopes) == ("suppressed", "No such user (5.1.1)", [])


def test_a_file_that_is_gone_fails_its_own_mail_only(sink: Sink) -> None:
    gone = [{"sha256": "ab" * 32, "name": "x.pdf", "mime_type": "application/pdf", "cid": ""}]
    broken, good = outgoing("a@x.example", attachments=gone), outgoing("b@x.example")
    send_all()
    assert (fresh(broken).state, fresh(good).state) == ("failed", "sent")
    assert "is not in the store any more" in fresh(broken).reason


def test_the_caller_hears_what_became_of_each(script: Callable[..., ScriptedSmtp]) -> None:
    def on(stage: str, recipient: str) -> bytes | None:
        return (
            {"b@x.example": b"550 no\r\n", "c@x.example": b"450 later\r\n"}.get(recipient) if stage == "RCPT" else None
        )

    for name in "abc":
        outgoing(f"{name}@x.example")
    told: list[Result] = []
    with script(on):
        send_all(tell=told.append)
    assert [one.state for one in told] == [OutboxState.SENT, OutboxState.FAILED, OutboxState.QUEUED]


@with_threads
def test_two_senders_at_once_send_nothing_twice(sink: Sink) -> None:
    wanted = [f"r{number}@kunde.example" for number in range(60)]
    for recipient in wanted:
        outgoing(recipient)

    def sender() -> None:
        while send_due(7):
            pass

    at_once(*[sender] * (4 if connection.vendor == "postgresql" else 2))
    assert sorted(sink.recipients) == sorted(wanted)
    assert set(Outgoing.objects.values_list("state", "attempts")) == {("sent", 1)}


@with_threads
def test_a_sender_that_lost_its_lease_hands_nothing_over(script: Callable[..., ScriptedSmtp]) -> None:
    row = outgoing()

    def taken_by_another(stage: str, recipient: str) -> None:
        # The row is in other hands before the mail is whole.
        if stage == "DATA" and not fresh(row).lease_token.startswith("other"):
            Outgoing.objects.filter(pk=row.pk).update(lease_token="other")
            connection.close()

    with script(taken_by_another) as server:
        send_due()
        assert server.mails == []
    assert (fresh(row).state, fresh(row).lease_token, fresh(row).smtp_code) == ("sending", "other", None)


StartSender = Callable[[int], subprocess.Popen[bytes]]
SENDER = """
import django
django.setup()
from emailflow.outbound.send import send_due
send_due()
"""


@pytest.fixture
def start_sender(
    process_environment: dict[str, str], settings: LazySettings
) -> Callable[[int], subprocess.Popen[bytes]]:
    """A sender in a process of its own, that uses the mail server at that port."""

    def start(port: int) -> subprocess.Popen[bytes]:
        environment = {
            **process_environment,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        }
        return subprocess.Popen([sys.executable, "-c", SENDER], env=environment)

    return start


@with_threads
@pytest.mark.parametrize("stage", STAGES)
def test_a_sender_that_is_killed_neither_loses_nor_doubles_a_mail(
    script: Callable[..., ScriptedSmtp], start_sender: StartSender, stage: str
) -> None:
    # Larger than what the line between the two holds: the body is still on its way when nobody reads it.
    sha256 = blobs.put(os.urandom(8_000_000 if stage == "body" else 10))
    file = {"sha256": sha256, "name": "x.bin", "mime_type": "application/octet-stream", "cid": ""}
    rows = [outgoing(f"{name}@x.example", attachments=[file]) for name in "ab"]

    def on(now: str, recipient: str) -> str | None:
        return ("keep and hang" if now == "dot" else "hang") if now == stage else None

    with script(on) as server:
        process = start_sender(server.port)
        assert server.hangs.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert set(Outgoing.objects.values_list("state", flat=True)) == {"sending"}
        server.on = lambda stage, recipient: None
        # Nobody takes them while the lease runs.
        assert send_all() == 0
        leases_run_out()
        send_all()
        sent = Counter(server.recipients)
    assert sent == {"a@x.example": 1, "b@x.example": 1}
    first = fresh(rows[0])
    if stage == "dot":
        assert (first.state, first.smtp_code) == ("failed", 0)
        assert "may have arrived" in first.reason
    else:
        assert (first.state, first.attempts) == ("sent", 2)
    assert fresh(rows[1]).state == "sent"


@with_threads
def test_senders_that_are_killed_again_and_again_lose_and_double_nothing(sink: Sink, start_sender: StartSender) -> None:
    wanted = [f"r{number}@kunde.example" for number in range(120)]
    for recipient in wanted:
        outgoing(recipient)
    for kill in range(3):
        enough = len(sink.envelopes) + 10 + kill
        process = start_sender(sink.port)
        deadline = time.monotonic() + 60
        while len(sink.envelopes) < enough:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        leases_run_out()
    send_all()
    states = Counter(Outgoing.objects.values_list("state", flat=True))
    assert set(states) <= {"sent", "failed"}
    # At most one a kill had been handed over without an answer written down; staff are told of each.
    assert states["failed"] <= 3
    doubled = [recipient for recipient, count in Counter(sink.recipients).items() if count > 1]
    assert doubled == []
    missing = set(wanted) - set(sink.recipients)
    told = set(Outgoing.objects.filter(state="failed").values_list("recipient", flat=True))
    assert missing <= told


def test_a_mail_that_ends_every_sender_is_failed_and_takes_no_other_with_it(sink: Sink) -> None:
    bad, good = outgoing("a@x.example"), outgoing("b@x.example")
    for _ in range(6):
        Outgoing.objects.filter(pk=bad.pk, state__in=["queued", "sending"]).update(
            state="sending", lease_token="dead", lease_until=timezone.now()
        )
        Outgoing.objects.filter(pk=bad.pk).update(attempts=fresh(bad).attempts + 1)
    leases_run_out()
    send_all()
    assert (fresh(bad).state, fresh(bad).reason) == ("failed", "It ended its sender 5 times.")
    assert fresh(good).state == "sent"


def test_a_claim_that_takes_too_long_gives_the_rest_back(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emailflow.outbound.send.ENOUGH", 0.0)
    row = outgoing()
    assert send_due() == 1
    assert (fresh(row).state, fresh(row).attempts, fresh(row).lease_token) == ("queued", 0, "")


def test_a_claim_takes_those_that_are_due_longest(sink: Sink) -> None:
    now = timezone.now()
    rows = [outgoing(f"r{age}@x.example", not_before=now - timedelta(minutes=age)) for age in (1, 3, 2)]
    assert [row.pk for row in claim_due(2).rows] == sorted([rows[1].pk, rows[2].pk])
