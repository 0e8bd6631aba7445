"""Every error has one form and names the field at fault."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from tests.rest import API, caller, fields_of, staff, ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> APIClient:
    return caller(staff("ada", "Agents"))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["subject"]),
        ({"subject": "  "}, ["subject"]),
        ({"subject": "x", "priority": "soon"}, ["priority"]),
        ({"subject": "x", "colour": "red"}, ["colour"]),
        ({"subject": "x", "id": 5}, ["id"]),
        ({"subject": "x", "status": "closed"}, ["status"]),
        ({"subject": "x", "customer": 4711}, ["customer"]),
        ({"subject": "x", "customer": True}, ["customer"]),
        ({"subject": "x", "customer": 10**30}, ["customer"]),
        ({"subject": "x", "tags": "urgent"}, ["tags"]),
        ({"subject": "x", "tags": ["ok", 5, {}]}, ["tags[2]"]),
        ({"subject": "x", "tags": ["no good!"]}, ["tags"]),
        ({"subject": "x", "custom_fields": [1]}, ["custom_fields"]),
        ({"subject": "x", "custom_fields": {"a": "\x00"}}, ["custom_fields"]),
        ({"subject": "x", "custom_fields": {"a": "\ud800"}}, ["custom_fields"]),
        ({"subject": "x\x00"}, ["subject"]),
        ({"subject": "x\ud800"}, ["subject"]),
        ({"subject": "x", "attachments": ["text"]}, ["attachments[0]"]),
        ({"subject": "x", "priority": "soon", "source": "dream"}, ["priority", "source"]),
        (["a", "list"], [""]),
        ("a text", [""]),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(agent: APIClient, body: Any, fields: list[str]) -> None:
    response = agent.post(f"{API}/tickets", json.dumps(body), content_type="application/json")
    assert response.status_code == 400, response.content
    assert fields_of(response) == fields


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"subject": ', b"\xff\xfe{}", b"[" * 100_000, b'{"subject": NaN}', b'{"a": 1e999, "subject": Infinity}'],
)
def test_json_that_cannot_be_read_is_400(agent: APIClient, body: bytes) -> None:
    response = agent.post(f"{API}/tickets", body, content_type="application/json")
    assert response.status_code == 400
    assert fields_of(response) == ["body"]


def test_a_number_without_end_is_400(agent: APIClient) -> None:
    body = b'{"subject": "x", "custom_fields": {"a": 1e999}}'
    response = agent.post(f"{API}/tickets", body, content_type="application/json")
    assert response.status_code == 400
    assert fields_of(response) == ["custom_fields"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=æ", "cursor"),
        ("cursor=WyJuZXdlc3QiXQ", "cursor"),
        ("cursor=WyJuZXdlc3QiLCAieCIsIDFd", "cursor"),
        ("cursor=WyJuZXdlc3QiLCAiMDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCIsIDFd", "cursor"),
        ("cursor=WyJuZXdlc3QiLCAiMjAyNi0wMS0wMVQwMDowMDowMCIsIDFd", "cursor"),
        # Numbers for a date, and half a character.
        ("cursor=WyJuZXdlc3QiLCA0MDAwMCwgMV0", "cursor"),
        ("cursor=WyJuZXdlc3QiLCAxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLCAxXQ", "cursor"),
        ("cursor=WyJuZXdlc3QiLCAiXHVkODAwIiwgMV0", "cursor"),
        ("sort=colour", "sort"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("page_size=many", "page_size"),
        ("page_size=²", "page_size"),
        ("status=opne", "status"),
        ("priority=high,sooner", "priority"),
        ("assignee=ada", "assignee"),
        ("customer=99999999999999999999", "customer"),
        ("created_after=yesterday", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
        ("updated_before=9999-12-31T23:59:59-14:00", "updated_before"),
        ("tag=a&tag=b", "tag"),
        ("statuss=open", "statuss"),
        ("search=a%00b", "search"),
        ("tag=%00", "tag"),
        ("status=%00", "status"),
        ("cursor=%00", "cursor"),
    ],
)
def test_a_wrong_parameter_is_400_and_names_it(agent: APIClient, query: str, field: str) -> None:
    ticket()
    response = agent.get(f"{API}/tickets?{query}")
    assert response.status_code == 400, response.content
    assert fields_of(response) == [field]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/tickets/4711", "ticket_id"),
        ("/tickets/TKT-20200101-001", "ticket_id"),
        ("/tickets/999999999999999999", "ticket_id"),
        ("/tickets/99999999999999999999", "path"),
        ("/tickets/nonsense", "path"),
        ("/tickets/4711/comments", "ticket_id"),
        ("/tickets/4711/emails", "ticket_id"),
        ("/customers/4711", "customer_id"),
        ("/attachments/4711/download", "attachment_id"),
        ("/nothing/here", "path"),
    ],
)
def test_what_is_not_there_is_404_as_json(agent: APIClient, path: str, field: str) -> None:
    response = agent.get(f"{API}{path}")
    assert response.status_code == 404
    assert fields_of(response) == [field]


def test_a_method_that_a_route_does_not_have_is_405(agent: APIClient) -> None:
    number = ticket().ticket_number
    response = agent.put(f"{API}/tickets/{number}", {"subject": "x"})
    assert response.status_code == 405
    assert fields_of(response) == [""]
    assert agent.delete(f"{API}/tickets/{number}").status_code == 405
    assert agent.options(f"{API}/tickets/{number}").status_code == 200


def test_a_body_in_another_form_is_415(agent: APIClient) -> None:
    response = agent.post(f"{API}/customers", "name=x", content_type="text/plain")
    assert response.status_code == 415
    assert fields_of(response) == ["Content-Type"]


def test_a_body_above_the_limit_is_413(agent: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
    response = agent.post(f"{API}/tickets", {"subject": "x", "description": "y" * 3000})
    assert response.status_code == 413
    assert fields_of(response) == ["body"]


def test_a_body_in_chunks_is_411_and_not_taken_for_an_empty_one(agent: APIClient) -> None:
    response = agent.generic(
        "POST", f"{API}/tickets", b"", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )
    assert response.status_code == 411
    assert fields_of(response) == ["Content-Length"]


def test_too_many_form_fields_are_an_error_of_the_caller(agent: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 5
    body = {"subject": "x", "tags": ["a-tag"] * 10}
    response = agent.post(f"{API}/tickets", body, format="multipart")
    assert response.status_code == 400
    assert fields_of(response) == ["body"]


def test_switched_off_tickets_can_be_read_and_writing_is_409_with_words(agent: APIClient, settings: Any) -> None:
    number = ticket().ticket_number
    settings.TICKET_ENABLED = False
    assert agent.get(f"{API}/tickets/{number}").status_code == 200
    answers = [
        agent.post(f"{API}/tickets", {"subject": "x"}),
        agent.patch(f"{API}/tickets/{number}", {"status": "closed"}),
        agent.post(f"{API}/tickets/{number}/comments", {"body_text": "x"}),
    ]
    for response in answers:
        assert response.status_code == 409
        assert fields_of(response) == [""]
        assert "TICKET_ENABLED" in response.json()["detail"]


def test_too_many_requests_are_429_and_say_how_long_to_wait(agent: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})
    answers = [agent.get(f"{API}/tags") for _ in range(3)]
    assert [response.status_code for response in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert fields_of(answers[2]) == [""]
    cache.clear()
