"""Keyset pages: everything once, in order, whatever happens meanwhile."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from tests.rest import API, caller, staff, ticket
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


def walk(client: APIClient, address: str) -> list[list[Any]]:
    pages = []
    following: str | None = address
    while following:
        body = client.get(following).json()
        assert set(body) == {"next", "results"}
        pages.append(body["results"])
        following = body["next"]
    return pages


@pytest.fixture
def client() -> APIClient:
    return caller(staff("ada", "Agents"))


@pytest.mark.parametrize("sort", ["newest", "updated", "priority"])
def test_every_ticket_comes_once_and_in_order(client: APIClient, sort: str) -> None:
    for number in range(11):
        ticket(priority=["low", "normal", "critical"][number % 3])
    # Equal moments are what a keyset without the id stumbles over.
    moment = Ticket.objects.latest("id").created_at
    Ticket.objects.update(created_at=moment, updated_at=moment)
    pages = walk(client, f"{API}/tickets?sort={sort}&page_size=3")
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    seen = [row["id"] for page in pages for row in page]
    columns = {"newest": ["-id"], "updated": ["-id"], "priority": ["-priority_rank", "-id"]}[sort]
    assert seen == list(Ticket.objects.order_by(*columns).values_list("id", flat=True))


def test_a_ticket_opened_meanwhile_neither_repeats_nor_hides_another(client: APIClient) -> None:
    for _ in range(4):
        ticket()
    before = set(Ticket.objects.values_list("id", flat=True))
    first = client.get(f"{API}/tickets?page_size=2").json()
    ticket("A new one")
    second = client.get(first["next"]).json()
    assert second["next"] is None
    assert {row["id"] for row in first["results"] + second["results"]} == before


def test_the_next_page_keeps_filter_order_and_size(client: APIClient) -> None:
    for _ in range(3):
        ticket(priority="high")
        ticket(priority="low")
    pages = walk(client, f"{API}/tickets/?priority=high&sort=updated&page_size=2")
    assert [len(page) for page in pages] == [2, 1]
    assert {row["priority"] for page in pages for row in page} == {"high"}


def test_a_cursor_of_another_order_is_refused(client: APIClient) -> None:
    ticket()
    ticket()
    following = client.get(f"{API}/tickets?page_size=1").json()["next"]
    response = client.get(f"{API}/tickets?sort=updated&{urlsplit(following).query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "cursor"


def test_half_a_character_is_not_a_cursor_of_a_list_of_names(client: APIClient) -> None:
    ticket(tags=["apple"])
    response = client.get(f"{API}/tags?cursor=WyJuYW1lIiwgIlx1ZDgwMCIsIDFd")
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "cursor"


def test_a_thread_runs_from_the_oldest(client: APIClient) -> None:
    number = ticket().ticket_number
    for text in ("one", "two", "three"):
        client.post(f"{API}/tickets/{number}/comments", {"body_text": text})
    pages = walk(client, f"{API}/tickets/{number}/comments?page_size=2")
    assert [row["body_text"] for page in pages for row in page] == ["It is out of toner.", "one", "two", "three"]
