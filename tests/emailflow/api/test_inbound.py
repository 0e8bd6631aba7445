"""A program hands in raw mail: what it hears is true, whatever happens in between."""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from emailflow.inbound.pipeline import process_due
from emailflow.models import Delivery, Mailbox, Message
from tests.mailboxes import commits_fail, mail
from tests.rest import API, SYSTEM, caller, fields_of, staff
from tickets import blobs
from tickets.models import Ticket, Visibility
from tickets.services.staff import make_token

ADDRESS = f"{API}/inbound/raw"
RFC822 = "message/rfc822"


@pytest.fixture
def client(db: None) -> APIClient:
    return caller(staff("gateway", "Agents"), "inbound")


def hand_in(client: APIClient, raw: bytes, query: str = "", content_type: str = RFC822) -> Any:
    return client.generic("POST", ADDRESS + query, raw, content_type=content_type)


def spooled() -> list[Path]:
    folder = Path(settings.SPOOL_DIR)
    return list(folder.iterdir()) if folder.exists() else []


def test_a_mail_that_is_handed_in_becomes_a_ticket(client: APIClient) -> None:
    raw = mail("Ingen internet", text="blåbærgrød")
    response = hand_in(client, raw)
    assert response.status_code == 201
    row = Message.objects.get()
    assert response.json() == {
        "id": row.pk, "new": True, "mailbox": "api", "message_id": row.message_id, "size": len(raw),
        "state": "received",
    }  # fmt: skip
    assert blobs.read(row.sha256) == raw
    process_due()
    assert Ticket.objects.get().subject == "Ingen internet"
    assert spooled() == []


@pytest.mark.parametrize("content_type", [RFC822, "application/octet-stream", "message/rfc822; charset=utf-8"])
def test_the_same_bytes_again_are_the_same_mail(client: APIClient, content_type: str) -> None:
    raw = mail()
    first = hand_in(client, raw, content_type=content_type)
    second = hand_in(client, raw)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["new"] is False
    assert Message.objects.count() == 1


def test_another_mailbox_can_be_named(client: APIClient) -> None:
    Mailbox.objects.create(slug="support", name="Support", protocol="maildir")
    assert hand_in(client, mail(), "?mailbox=support").json()["mailbox"] == "support"
    assert Message.objects.get().mailbox.slug == "support"


def test_a_mailbox_that_is_unknown_archived_or_not_visible_takes_nothing(client: APIClient) -> None:
    Mailbox.objects.create(slug="old", name="Old", protocol="maildir", archived_at=timezone.now())
    Mailbox.objects.create(slug="theirs", name="Theirs", protocol="maildir")
    limited = caller(staff("eve", "Agents", visibility=Visibility.OWN_TEAMS), "inbound")
    for who, slug, status in ((client, "nowhere", 404), (client, "old", 409), (limited, "theirs", 404)):
        response = hand_in(who, mail(), f"?mailbox={slug}")
        assert response.status_code == status
        assert fields_of(response) == ["mailbox"]
    assert Message.objects.count() == 0
    assert hand_in(limited, mail()).status_code == 201


@pytest.mark.django_db
def test_only_inbound_and_write_tokens_open_it() -> None:
    user = staff("bo", "Agents")
    assert hand_in(caller(user, "write"), mail()).status_code == 201
    assert hand_in(caller(user, "read"), mail()).status_code == 403
    assert hand_in(caller(staff("eve", "Read-only"), "inbound"), mail()).status_code == 403
    assert hand_in(APIClient(), mail()).status_code == 401
    assert caller(user, "inbound").get(f"{API}/messages").status_code == 403


def test_what_is_larger_than_the_limit_is_413_and_not_stored(client: APIClient, settings: Any) -> None:
    settings.MAIL_MAX_BYTES = 2000
    assert hand_in(client, mail(text="x" * 1000)).status_code == 201
    response = hand_in(client, mail(text="x" * 2000))
    assert (response.status_code, fields_of(response)) == (413, ["body"])
    assert Message.objects.count() == 1


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b" " * 5000])
def test_no_mail_is_400(client: APIClient, raw: bytes) -> None:
    response = hand_in(client, raw)
    assert (response.status_code, fields_of(response)) == (400, ["body"])


def test_other_bodies_and_parameters_are_refused(client: APIClient) -> None:
    assert hand_in(client, b"{}", content_type="application/json").status_code == 415
    response = hand_in(client, mail(), "?mailbx=support")
    assert (response.status_code, fields_of(response)) == (400, ["mailbx"])
    assert client.generic("GET", ADDRESS).status_code == 405
    chunked = client.generic("POST", ADDRESS, b"", content_type=RFC822, HTTP_TRANSFER_ENCODING="chunked")
    assert chunked.status_code == 411
    assert Message.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_what_the_database_refuses_is_503_and_can_be_sent_again(client: APIClient) -> None:
    raw = mail()
    with commits_fail():
        response = hand_in(client, raw)
    assert response.status_code == 503
    assert response["Retry-After"] == "30"
    assert Message.objects.count() == 0
    assert spooled() == []
    assert hand_in(client, raw).status_code == 201


def test_what_the_disk_refuses_is_503(client: APIClient, settings: Any, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path / "file"
    settings.SPOOL_DIR.write_bytes(b"")
    assert hand_in(client, mail()).status_code == 503
    assert Message.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_half_a_mail_of_a_sender_who_hung_up_is_not_stored(live_server: Any) -> None:
    _, plain = make_token(actor=SYSTEM, user=staff("ada", "Agents"), name="client", scopes=["inbound"])
    raw = mail(text="x" * 600_000)
    place = urlsplit(live_server.url)
    head = (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Token {plain}\r\n"
        f"Content-Type: {RFC822}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=30) as line:
        line.sendall(head.encode() + raw[:300_000])
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"before the whole mail had come" in answer
    assert Message.objects.count() == 0
    assert spooled() == []


@pytest.mark.django_db
def test_mails_that_were_set_aside_are_listed_with_the_reason() -> None:
    mailbox = Mailbox.objects.create(slug="support", name="Support")
    for uid, state in (("1", "stored"), ("2", "unfetchable"), ("3", "seen")):
        Delivery.objects.create(mailbox=mailbox, source="s", uid=uid, state=state, last_error="cannot open the mail")
    client = caller(staff("mo", "Managers"))
    [row] = client.get(f"{API}/deliveries?state=unfetchable").json()["results"]
    assert (row["mailbox_slug"], row["uid"], row["last_error"]) == ("support", "2", "cannot open the mail")
    assert client.get(f"{API}/deliveries/{row['id']}").json() == row
    assert [row["uid"] for row in client.get(f"{API}/deliveries").json()["results"]] == ["3", "2", "1"]
    assert caller(staff("ada", "Agents")).get(f"{API}/deliveries").status_code == 403
    limited = staff("eve", "Managers", visibility=Visibility.OWN_TEAMS)
    assert caller(limited).get(f"{API}/deliveries").json()["results"] == []
