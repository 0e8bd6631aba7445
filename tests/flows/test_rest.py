"""A mail comes in and a client reads its ticket over real HTTP, as a program outside does."""

from typing import Any

import pytest
import requests

from tests.rest import SYSTEM, staff
from tickets.services.staff import make_token

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(live_server: Any, settings: Any) -> tuple[str, requests.Session]:
    settings.TICKET_TEST_API = True
    session = requests.Session()
    session.trust_env = False
    _, plain = make_token(actor=SYSTEM, user=staff("ada", "Agents"), name="client")
    session.headers["Authorization"] = f"Bearer {plain}"
    return f"{live_server.url}/api/v1", session


def test_a_mail_is_sent_in_read_answered_and_followed_up(api: tuple[str, requests.Session]) -> None:
    base, session = api
    mail = {
        "message_id": "<first@example.com>", "subject": "URGENT: Server down!",
        "from_address": "Kim Holm <kim@example.com>",
        "body": "Production server is down #critical #server",
        "received_at": "2025-12-15T09:12:31+01:00",
    }  # fmt: skip
    made = session.post(f"{base}/test/email-to-ticket", json={"email_data": mail}).json()
    assert made["outcome"] == "ticket_created"
    number = made["ticket_number"]
    ticket = session.get(f"{base}/tickets/{number}").json()
    assert (ticket["priority"], ticket["tags"]) == ("critical", ["critical", "server"])
    assert ticket["custom_fields"]["created_from_email"] is True
    assert ticket["contact_detail"]["email"] == "kim@example.com"
    reply = {
        **mail, "message_id": "<second@example.com>", "subject": f"Re: {number}", "body": "It is up again.",
        "in_reply_to": "<first@example.com>",
    }  # fmt: skip
    linked = session.post(f"{base}/test/email-to-ticket", json={"email_data": reply}).json()
    assert (linked["ticket_number"], linked["created"], linked["linked"]) == (number, False, True)
    note = session.post(
        f"{base}/tickets/{number}/comments",
        data={"body_text": "See the log.", "is_internal": "true"},
        files=[("attachments", ("fejl.log", b"trace", "text/plain"))],
    )
    assert note.status_code == 201, note.text
    thread = session.get(f"{base}/tickets/{number}/comments").json()["results"]
    assert [row["is_internal"] for row in thread] == [False, False, True]
    [file] = thread[2]["attachments"]
    assert session.get(file["url"]).content == b"trace"
    emails = session.get(f"{base}/tickets/{number}/emails").json()["emails"]
    assert [(row["email_message_id"], row["is_reply"]) for row in emails] == [
        ("<first@example.com>", False),
        ("<second@example.com>", True),
    ]
    by_email = session.get(f"{base}/tickets/by-email/KIM@example.com").json()
    assert [row["ticket_number"] for row in by_email["tickets"]] == [number]
    mails = session.get(f"{base}/messages?outcome=linked").json()["results"]
    assert [row["ticket_number"] for row in mails] == [number]
    closed = session.patch(f"{base}/tickets/{number}", json={"status": "closed"})
    assert closed.json()["closed_at"] is not None


def test_errors_over_the_wire_are_json_with_their_headers(api: tuple[str, requests.Session]) -> None:
    base, session = api
    without = requests.get(f"{base}/tickets", headers={"Accept": "text/html,*/*"}, timeout=10)
    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"].startswith("Token")
    assert without.headers["Content-Type"] == "application/json"
    large = session.post(
        f"{base}/tickets", data=b"x" * (11 * 1024 * 1024), headers={"Content-Type": "application/json"}
    )
    assert large.status_code == 413
    assert large.json()["errors"][0]["field"] == "body"
    nowhere = session.get(f"{base}/no/such/thing/")
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/json")
