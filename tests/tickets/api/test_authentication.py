"""Who may call: tokens, sessions, and what is said to those who may not."""

from datetime import timedelta

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from tests.rest import API, caller, fields_of, staff, ticket
from tickets.models import ApiToken, Attachment

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("word", ["Token", "token", "Bearer"])
def test_a_token_opens_the_api_under_both_names_of_the_scheme(word: str) -> None:
    client = caller(staff("ada", "Agents"))
    plain = client._credentials["HTTP_AUTHORIZATION"].split()[1]
    client.credentials(HTTP_AUTHORIZATION=f"{word} {plain}")
    assert client.get(f"{API}/tickets").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Token",
        "Token one two",
        "Token unknown",
        "Token æøå",
        "Basic YWRhOmFkYQ==",
        "Token " + "0" * 64,
        "Bearer \x80\xff",
    ],
)
def test_without_a_valid_token_it_is_401_with_the_way_to_log_in(header: str | None) -> None:
    client = APIClient()
    if header is not None:
        client.credentials(HTTP_AUTHORIZATION=header)
    response = client.get(f"{API}/tickets")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Token")
    assert fields_of(response) == ["Authorization"]


def test_an_expired_token_is_refused_and_kept() -> None:
    client = caller(staff("ada", "Agents"), expires_in=timedelta(days=1))
    assert client.get(f"{API}/tickets").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        response = client.get(f"{API}/tickets")
    assert response.status_code == 401
    assert "expired" in response.json()["detail"]
    assert ApiToken.objects.count() == 1


def test_a_token_without_expiry_works_after_years() -> None:
    client = caller(staff("ada", "Agents"))
    with time_machine.travel(timezone.now() + timedelta(days=3650)):
        assert client.get(f"{API}/tickets").status_code == 200


def test_the_token_of_an_inactive_user_is_refused() -> None:
    user = staff("ada", "Agents")
    client = caller(user)
    user.is_active = False
    user.save()
    response = client.get(f"{API}/tickets")
    assert response.status_code == 401
    assert "not active" in response.json()["detail"]


def test_the_last_use_is_noted_once_a_minute() -> None:
    client = caller(staff("ada", "Agents"))
    start = timezone.now()
    seen = []
    for seconds in (0, 30, 61):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            client.get(f"{API}/tickets")
        seen.append(ApiToken.objects.get().last_used_at)
    assert seen[0] == seen[1] == start
    assert seen[2] == start + timedelta(seconds=61)


def test_a_session_of_the_admin_reads_and_needs_the_csrf_token_to_write() -> None:
    user = staff("ada", "Agents")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    assert browser.get(f"{API}/tickets").status_code == 200
    body = '{"subject": "Printer"}'
    response = browser.post(f"{API}/tickets", body, content_type="application/json")
    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]
    browser.cookies["csrftoken"] = "a" * 32
    response = browser.post(f"{API}/tickets", body, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert response.status_code == 201


@pytest.mark.parametrize("by_header", [True, False])
def test_a_browser_form_with_a_file_and_its_csrf_token_is_taken(by_header: bool) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(staff("ada", "Agents"))
    browser.cookies["csrftoken"] = "a" * 32
    form = {"subject": "Printer", "attachments": SimpleUploadedFile("a.txt", b"text")}
    if by_header:
        response = browser.post(f"{API}/tickets", form, headers={"X-CSRFToken": "a" * 32})
    else:
        response = browser.post(f"{API}/tickets", {**form, "csrfmiddlewaretoken": "a" * 32})
    assert response.status_code == 201, response.content
    assert Attachment.objects.get().name == "a.txt"


def test_a_read_token_reads_and_writes_nothing() -> None:
    ticket()
    client = caller(staff("ada", "Agents"), "read")
    assert client.get(f"{API}/tickets").status_code == 200
    response = client.post(f"{API}/tickets", {"subject": "Printer"})
    assert response.status_code == 403
    assert fields_of(response) == ["Authorization"]


def test_a_write_token_reads_and_writes() -> None:
    client = caller(staff("ada", "Agents"), "write")
    assert client.post(f"{API}/tickets", {"subject": "Printer"}).status_code == 201
    assert client.get(f"{API}/tickets").status_code == 200


def test_an_inbound_token_reads_and_writes_no_tickets() -> None:
    client = caller(staff("ada", "Managers"), "inbound")
    assert client.get(f"{API}/tickets").status_code == 403
    assert client.post(f"{API}/tickets", {"subject": "Printer"}).status_code == 403
