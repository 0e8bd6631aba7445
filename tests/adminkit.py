"""What the tests of the admin share: logged-in staff, pages as text, and what a page asks of the database."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from selectolax.lexbor import LexborHTMLParser

from tests.rest import staff
from tickets.models import User

# Who asks and what they may, and transaction control: not part of a budget.
_NOT_COUNTED = re.compile(
    r'(?i)^(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|PRAGMA)|FROM "(django_session|auth_\w+|django_content_type)"'
    r'|FROM "users" WHERE "users"."id" = |"django_session"'
)


def agent(name: str = "agent", *groups: str, **options: Any) -> User:
    """A member of staff who may open the admin, by default in the group Agents."""
    user = staff(name, *(groups or ("Agents",)), **options)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.refresh_from_db()
    return user


def superuser(name: str = "root") -> User:
    return User.objects.create_superuser(name, password="a long enough one")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    """The page as a person reads it: without tags, spaces folded."""
    plain = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", plain)))


def told(response: Any) -> list[str]:
    """The messages that the next page shows, after following redirects."""
    return [str(message) for message in response.context["messages"]]


@dataclass
class Asked:
    """The statements of one page."""

    statements: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return len(self.statements)

    def __str__(self) -> str:
        return "\n".join(statement[:200] for statement in self.statements)


def asked_by(client: Client, address: str) -> Asked:
    """What a page asks when the process is warm."""
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return Asked([q["sql"] for q in queries.captured_queries if not _NOT_COUNTED.search(q["sql"])])


def form_values(response: Any, form: str = "#content-main form") -> dict[str, Any]:
    """What a browser would send of a page's form, untouched."""
    page = LexborHTMLParser(response.content.decode())
    values: dict[str, Any] = {}
    for node in page.css(f"{form} input, {form} select, {form} textarea"):
        name = node.attributes.get("name")
        kind = (node.attributes.get("type") or "").lower()
        if not name or "__prefix__" in name or kind in ("submit", "file", "button"):
            continue
        if node.tag == "select":
            chosen = [option.attributes.get("value") or "" for option in node.css("option[selected]")]
            first = node.css_first("option")
            if "multiple" not in node.attributes and not chosen and first is not None:
                chosen = [first.attributes.get("value") or ""]
            values[name] = chosen if "multiple" in node.attributes else chosen[-1] if chosen else ""
        elif node.tag == "textarea":
            values[name] = node.text().removeprefix("\n")
        elif kind in ("checkbox", "radio"):
            if "checked" in node.attributes:
                values.setdefault(name, []).append(node.attributes.get("value") or "on")
        else:
            values[name] = node.attributes.get("value") or ""
    return values
