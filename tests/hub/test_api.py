"""The description of the API and its page: complete, without warnings, open to all, under the strict CSP."""

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def test_the_schema_is_made_without_a_warning() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null", stderr=StringIO())


@pytest.fixture(scope="module")
def schema() -> Any:
    response = APIClient().get("/api/v1/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert response.status_code == 200
    return json.loads(response.content)


def test_every_route_is_described_without_a_last_slash(schema: Any) -> None:
    paths = set(schema["paths"])
    assert {
        "/api/v1/tickets", "/api/v1/tickets/{ticket_id}", "/api/v1/tickets/{ticket_id}/comments",
        "/api/v1/tickets/{ticket_id}/attachments", "/api/v1/tickets/{ticket_id}/emails",
        "/api/v1/tickets/by-email/{email_address}", "/api/v1/attachments/{attachment_id}/download",
        "/api/v1/customers", "/api/v1/contacts", "/api/v1/messages", "/api/v1/messages/{message_id}/reprocess",
        "/api/v1/messages/{message_id}/raw", "/api/v1/workflows", "/api/v1/executions", "/api/v1/mailboxes",
        "/api/v1/test/email-to-ticket", "/api/v1/outbox", "/api/v1/outbox/{outgoing_id}",
        "/api/v1/outbox/{outgoing_id}/retry", "/api/v1/outbox/{outgoing_id}/cancel",
    } <= paths  # fmt: skip
    assert not any(path.endswith("/") for path in paths)


def test_every_operation_says_how_to_log_in_and_what_can_go_wrong(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert {"token": []} in operation["security"], (method, path)
            assert {"400", "401", "403", "404", "409", "413", "429"} <= set(operation["responses"]), (method, path)
            assert operation["summary"], (method, path)


def test_the_beginning_lists_every_address() -> None:
    answer = APIClient().get("/api/v1/")
    assert answer.status_code == 200
    assert answer.json()["tickets"] == "http://testserver/api/v1/tickets"
    assert {"customers", "messages", "workflows", "inbound/raw", "schema", "docs"} <= set(answer.json())
    assert APIClient().get("/api/v1/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/schema", "/api/v1/schema/", "/api/v1/docs", "/api/v1/docs/"])
def test_schema_and_page_need_no_login(path: str) -> None:
    assert Client().get(path).status_code == 200


def test_the_page_runs_under_the_strict_policy() -> None:
    response = Client().get("/api/v1/docs")
    page = response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)
    assert len(scripts) == 3
    assert not any(text.strip() for text in scripts)
    assert "<style" not in page
    assert " style=" not in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)
    script = Client().get(next(source for source in sources if "script=" in source).replace("&amp;", "&"))
    assert script["Content-Type"].startswith("application/javascript")
    assert b"SwaggerUIBundle" in script.content


def test_routes_have_names_that_other_pages_use() -> None:
    assert reverse("api:docs") == "/api/v1/docs"
