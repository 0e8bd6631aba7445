"""What the tests of the REST API share: staff with their groups, callers with tokens, counted statements."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tickets.actors import Actor
from tickets.models import Customer, Source, Ticket, User, Visibility
from tickets.services.staff import make_token
from tickets.services.tickets import open_ticket

API = "/api/v1"
SYSTEM = Actor.of_system("test")

# Who asks and what they may: not part of a budget.
_NOT_COUNTED = re.compile(
    r'(?i)^(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT)|FROM "(users|django_session|auth_\w+|tticket_api_tokens|'
    r'django_content_type|users_\w+)"|^UPDATE "tticket_api_tokens"'
)


def staff(name: str, *groups: str, visibility: str = Visibility.ALL, rights: tuple[str, ...] = ()) -> User:
    """A user in the installed groups, with single permissions (``app.codename``) beside them."""
    user = User.objects.create_user(name, visibility=visibility)
    user.groups.set(Group.objects.filter(name__in=groups))
    assert user.groups.count() == len(groups)
    for right in rights:
        app, _, codename = right.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def caller(user: User, *scopes: str, expires_in: timedelta | None = None) -> APIClient:
    """A client that sends a token of ``user``."""
    _, plain = make_token(actor=SYSTEM, user=user, name="test", scopes=scopes, expires_in=expires_in)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {plain}")
    return client


def ticket(subject: str = "The printer", **fields: Any) -> Ticket:
    return open_ticket(
        actor=SYSTEM, subject=subject, body_text=fields.pop("body_text", "It is out of toner."),
        source=fields.pop("source", Source.MANUAL), **fields,
    )  # fmt: skip


def customer(name: str = "Example Ltd") -> Customer:
    return Customer.objects.create(name=name)


def fields_of(response: Any) -> list[str]:
    """The fields that an error answer names; also checks that it has the one form of all errors."""
    body = response.json()
    assert set(body) == {"detail", "errors"}, body
    assert body["detail"] and isinstance(body["detail"], str)
    assert body["errors"]
    for entry in body["errors"]:
        assert set(entry) == {"field", "message"}
        assert entry["message"]
    return [entry["field"] for entry in body["errors"]]


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of the block, without transaction control, session, user, permissions and token."""
    statements: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield statements
    statements += [row["sql"] for row in captured.captured_queries if not _counts_not(row["sql"])]


def _counts_not(sql: str) -> bool:
    first = re.search(r'FROM "\w+"', sql)
    return bool(_NOT_COUNTED.match(sql) or (first and _NOT_COUNTED.search(first[0])))
