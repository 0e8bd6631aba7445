"""The main job from end to end: delivered by LMTP, pulled over IMAP, read over HTTP."""

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from emailflow import tasks
from tests.dovecot import Account
from tests.mailboxes import imap_mailbox
from tests.mails import mail
from tests.rest import staff
from tickets.actors import Actor
from tickets.services.staff import make_token

pytestmark = [pytest.mark.dovecot, pytest.mark.django_db(transaction=True)]


def test_mail_and_its_reply_are_one_thread_that_a_client_reads(mail_account: Account, live_server: LiveServer) -> None:
    imap_mailbox(mail_account)
    _, token = make_token(
        actor=Actor.of_system("test"), user=staff("reader", "Read-only"), name="test", scopes=["read"], expires_in=None
    )
    first = mail(
        "Production server is down #critical #server",
        subject="URGENT: Server down!",
        message_id="<first@nordwind.example>",
        files={"trace.log": b"line 1\n"},
    )
    reply = mail("It is up again.", subject="Re: URGENT: Server down!", in_reply_to="<first@nordwind.example>")
    for raw in (first, reply):
        mail_account.deliver(raw)
        tasks.pull_due_mailboxes()
        tasks.sweep()
        imap_due_again()

    def get(path: str) -> requests.Response:
        answer = requests.get(
            f"{live_server.url}/api/v1/{path}", headers={"Authorization": f"Token {token}"}, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer

    (ticket,) = get("tickets").json()["results"]
    assert (ticket["priority"], ticket["tags"]) == ("critical", ["critical", "server"])
    assert ticket["custom_fields"]["created_from_email"] is True
    emails = get(f"tickets/{ticket['ticket_number']}/emails").json()["emails"]
    assert [row["is_reply"] for row in emails] == [False, True]
    comments = get(f"tickets/{ticket['id']}/comments").json()["results"]
    assert sorted(row["body_text"].strip() for row in comments) == [
        "It is up again.",
        "Production server is down #critical #server",
    ]
    (file,) = get(f"tickets/{ticket['id']}/attachments").json()["results"]
    assert get(f"attachments/{file['id']}/download").content == b"line 1\n"
    found = get("tickets/by-email/Mette@Nordwind.example").json()
    assert [row["ticket_number"] for row in found["tickets"]] == [ticket["ticket_number"]]


def imap_due_again() -> None:
    from emailflow.models import Mailbox

    Mailbox.objects.update(next_pull_at=None)
