"""The ledger over REST: lists, traces, raw source, another run, executions, mailboxes and labels."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from emailflow.fields import seal
from emailflow.inbound.pipeline import process_message
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Execution, Mailbox, Message, Protocol, State
from tests.rest import API, caller, fields_of, staff
from tickets import blobs

pytestmark = pytest.mark.django_db


def bytes_of(name: str, subject: str = "Help with the printer", body: str = "Can you help?") -> bytes:
    return (
        f"From: Kim Holm <kim@example.com>\r\nTo: support@hub.example\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name}@example.com>\r\n\r\n{body}\r\n"
    ).encode()


def stored(name: str, mailbox: str = "test", **fields: str) -> Message:
    return receive_bytes(bytes_of(name, **fields), mailbox=Mailbox.objects.get(slug=mailbox)).message


def filed(name: str, mailbox: str = "test", **fields: str) -> Message:
    return process_message(stored(name, mailbox, **fields).pk)


@pytest.fixture
def client() -> APIClient:
    return caller(staff("mia", "Managers"))


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_the_ledger_is_listed_and_filtered(client: APIClient) -> None:
    done, waiting = filed("one"), stored("two", "api")
    assert ids(client.get(f"{API}/messages")) == [waiting.pk, done.pk]
    assert ids(client.get(f"{API}/messages?sort=oldest")) == [done.pk, waiting.pk]
    assert done.ticket is not None
    only_done = {
        "state": "processed", "outcome": "ticket_created,linked", "mailbox": "test", "kind": "person",
        "label": done.label, "ticket": done.ticket.pk, "message_id": "one@example.com",
    }  # fmt: skip
    for name, value in only_done.items():
        assert ids(client.get(f"{API}/messages", {name: value})) == [done.pk], name
    assert ids(client.get(f"{API}/messages", {"mailbox": waiting.mailbox_id})) == [waiting.pk]
    assert ids(client.get(f"{API}/messages?ticket=none")) == [waiting.pk]
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    assert ids(client.get(f"{API}/messages", {"received_after": soon})) == []
    assert ids(client.get(f"{API}/messages", {"received_before": soon})) == [waiting.pk, done.pk]


def test_a_mail_is_shown_with_the_trace_that_explains_it(client: APIClient) -> None:
    message = filed("one")
    row = client.get(f"{API}/messages/{message.pk}").json()
    assert message.ticket is not None
    assert (row["state"], row["outcome"]) == ("processed", "ticket_created")
    assert (row["ticket"], row["ticket_number"]) == (message.ticket.pk, message.ticket.ticket_number)
    assert row["mailbox_slug"] == "test"
    assert row["trace"]["facts"]["kind"] == "person"
    assert any(rule["fired"] for rule in row["trace"]["rules"])
    assert row["explanation"][-1] == f"It opened {message.ticket.ticket_number}."


def test_a_mail_without_a_trace_is_shown_too(client: APIClient) -> None:
    row = client.get(f"{API}/messages/{stored('one').pk}").json()
    assert (row["trace"], row["ticket"], row["outcome"]) == (None, None, "")


def test_a_mail_is_run_again_and_opens_no_second_ticket(client: APIClient) -> None:
    message = filed("one")
    response = client.post(f"{API}/messages/{message.pk}/reprocess")
    assert response.status_code == 202, response.content
    assert (response.json()["state"], response.json()["run"]) == ("received", 2)
    again = process_message(message.pk)
    assert again.ticket_id == message.ticket_id
    assert ids(client.get(f"{API}/tickets")) == [message.ticket_id]


def test_a_mail_that_a_worker_has_now_is_409(client: APIClient) -> None:
    message = stored("one")
    Message.objects.filter(pk=message.pk).update(state=State.PROCESSING)
    response = client.post(f"{API}/messages/{message.pk}/reprocess/")
    assert response.status_code == 409
    assert "right now" in response.json()["detail"]
    fields_of(response)


def test_the_raw_source_comes_as_it_arrived(client: APIClient) -> None:
    message = filed("one")
    response = client.get(f"{API}/messages/{message.pk}/raw")
    assert b"".join(response.streaming_content) == bytes_of("one")
    assert response["Content-Type"] == "message/rfc822"
    assert response["Content-Disposition"].startswith("attachment;")


def test_a_raw_source_that_is_no_longer_kept_is_404_and_cannot_be_run(client: APIClient) -> None:
    message = filed("one")
    Message.objects.filter(pk=message.pk).update(raw_kept=False)
    response = client.get(f"{API}/messages/{message.pk}/raw")
    assert response.status_code == 404
    assert "no longer kept" in response.json()["detail"]
    assert client.post(f"{API}/messages/{message.pk}/reprocess").status_code == 400


def test_a_raw_source_that_was_lost_is_404(client: APIClient) -> None:
    message = filed("one")
    blobs.path_of(message.sha256).unlink()
    response = client.get(f"{API}/messages/{message.pk}/raw")
    assert response.status_code == 404
    assert fields_of(response) == ["message_id"]


def test_replay_and_raw_source_need_rights_of_their_own() -> None:
    agent = caller(staff("ada", "Agents"))
    message = filed("one")
    assert agent.get(f"{API}/messages/{message.pk}").status_code == 200
    raw = agent.get(f"{API}/messages/{message.pk}/raw")
    replay = agent.post(f"{API}/messages/{message.pk}/reprocess")
    assert (raw.status_code, replay.status_code) == (403, 403)
    assert "emailflow.view_raw_message" in raw.json()["detail"]
    assert "emailflow.replay_message" in replay.json()["detail"]


def test_executions_tell_what_each_rule_did(client: APIClient) -> None:
    message = filed("one")
    execution = Execution.objects.get(message=message)
    [row] = client.get(f"{API}/executions?message={message.pk}&status=success&dry_run=false").json()["results"]
    assert (row["id"], row["workflow_name"]) == (execution.pk, execution.workflow_name)
    assert row["results"][0]["ticket_id"] == message.ticket_id or message.ticket_id in row["results"][0].values()
    assert client.get(f"{API}/executions/{execution.pk}").json() == row
    assert ids(client.get(f"{API}/executions?status=failed")) == []
    assert ids(client.get(f"{API}/executions?workflow={execution.workflow_id}")) == [execution.pk]


def test_mailboxes_tell_no_secrets(client: APIClient) -> None:
    made = Mailbox.objects.create(
        slug="support", name="Support", protocol=Protocol.IMAP, host="imap.hidden.example", username="hidden-user",
        secret=seal("hidden-password"), addresses=["support@hub.example"],
    )  # fmt: skip
    for address in (f"{API}/mailboxes", f"{API}/mailboxes?slug=support", f"{API}/mailboxes/{made.pk}"):
        response = client.get(address)
        assert response.status_code == 200
        assert b"Support" in response.content
        assert b"hidden" not in response.content
        assert made.secret.encode() not in response.content
    assert client.post(f"{API}/mailboxes", {"slug": "x"}).status_code == 405


def test_labels_are_listed(client: APIClient) -> None:
    slugs = [row["slug"] for row in client.get(f"{API}/labels").json()["results"]]
    assert {"support_request", "invoice", "order", "newsletter", "spam", "general"} <= set(slugs)
    assert slugs == sorted(slugs)
