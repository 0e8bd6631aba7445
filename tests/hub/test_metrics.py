"""What ``/metrics`` tells, to whom, and that asking costs nothing however much mail there is."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import receive_bytes
from emailflow.measures import measure
from emailflow.models import Delivery, Mailbox, Message
from hub.heartbeat import beat
from tests.mailboxes import maildir_mailbox
from tests.mails import mail
from tests.outgoing import outgoing

pytestmark = pytest.mark.django_db

TOKEN = "a token that is long enough".replace(" ", "-")
BIG = (
    *("email_messages", "email_deliveries", "email_workflow_executions", "tticket_tickets", "tticket_comments"),
    "email_outbox",
)


def values(client: Client, **headers: Any) -> dict[str, float]:
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200
    lines = answer.content.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_it_tells_of_mail_mailboxes_worker_and_disk(client: Client, tmp_path: Path) -> None:
    beat()
    mailbox = maildir_mailbox(tmp_path, slug="drop")
    for _ in range(2):
        receive_bytes(mail(), mailbox=mailbox)
    process_due()
    receive_bytes(mail(), mailbox=mailbox)
    Message.objects.filter(state="received").update(stored_at=timezone.now() - timedelta(minutes=2))
    Delivery.objects.create(mailbox=mailbox, source="s", uid="1", state="unfetchable")
    Mailbox.objects.filter(pk=mailbox.pk).update(last_success_at=timezone.now() - timedelta(hours=1), failures=3)
    found = values(client)
    assert found["hub_heartbeat_age_seconds"] < 60
    assert found['hub_mails{state="received"}'] == 1
    assert found['hub_mails_last_hour{outcome="ticket_created"}'] == 2
    assert found['hub_mails_last_hour{outcome="bounce"}'] == 0
    assert found["hub_tickets_made_total"] >= 2
    assert 3600 <= found['hub_mailbox_last_success_age_seconds{mailbox="drop"}'] < 3700
    assert found['hub_mailbox_failures{mailbox="drop"}'] == 3
    assert found['hub_mailbox_waiting_mails{mailbox="drop"}'] == 1
    assert 120 <= found['hub_mailbox_oldest_waiting_seconds{mailbox="drop"}'] < 180
    assert found['hub_mailbox_set_aside_mails{mailbox="drop"}'] == 1
    assert found["hub_data_free_bytes"] > 0


def test_it_tells_of_mail_that_goes_out(client: Client) -> None:
    outgoing(not_before=timezone.now() - timedelta(minutes=2))
    outgoing(state="failed", reason="no")
    outgoing(state="sent")
    found = values(client)
    assert found['hub_outgoing_mails{state="queued"}'] == 1
    assert found['hub_outgoing_mails{state="sending"}'] == 0
    assert found['hub_outgoing_mails{state="failed"}'] == 1
    assert 120 <= found["hub_outgoing_oldest_due_seconds"] < 180
    assert found["hub_outgoing_mails_made_total"] >= 3


def test_every_line_is_in_the_form_that_prometheus_reads(client: Client, tmp_path: Path) -> None:
    maildir_mailbox(tmp_path)
    answer = client.get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"\})? (-?[0-9.]+|NaN)')
    for line in answer.content.decode().splitlines():
        assert line.startswith(("# HELP hub_", "# TYPE hub_")) or sample.fullmatch(line), line


def test_with_a_token_only_who_shows_it_may_read(client: Client, settings: LazySettings) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics").status_code == 403
    for wrong in ("Bearer nothing", f"Token {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer æøå"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403
    assert values(client, headers={"Authorization": f"Bearer {TOKEN}"}, REMOTE_ADDR="192.0.2.7")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_may_read(client: Client, address: str) -> None:
    assert values(client, REMOTE_ADDR=address)


@pytest.mark.parametrize(
    "headers",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
    ],
)
def test_without_a_token_nobody_else_may_and_no_proxy_lends_its_address(
    client: Client, headers: dict[str, str]
) -> None:
    assert client.get("/metrics", **headers).status_code == 403  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("TRUSTED_PROXIES", ["10.0.0.2"]), ("SITE_URL", "https://help.example")])
def test_where_a_proxy_is_in_front_a_token_is_needed(
    client: Client, settings: LazySettings, name: str, value: object
) -> None:
    setattr(settings, name, value)
    assert client.get("/metrics").status_code == 403


def test_no_address_subject_or_number_is_told(client: Client) -> None:
    receive_bytes(mail(subject="Hemmelig"), mailbox=Mailbox.objects.get(slug="test"))
    process_due()
    text = client.get("/metrics").content.decode()
    assert not re.search(r"@|Hemmelig|TKT-", text)


def test_asking_reads_a_bounded_part_of_an_index(tmp_path: Path) -> None:
    """No statement walks a whole table of those that grow: the plan says so, whatever their size is now."""
    maildir_mailbox(tmp_path)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        measure()
    statements = [query["sql"] for query in asked if any(table in query["sql"] for table in BIG)]
    assert len(asked) == 15
    assert len(statements) == 14
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{statement}")
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
            walks = rf"Seq Scan on ({'|'.join(BIG)})|SCAN ({'|'.join(BIG)})(?! USING (COVERING )?INDEX)"
            assert not re.search(walks, plan), f"{statement}\n{plan}"
            assert "LIMIT" in statement or "max(id)" in statement
