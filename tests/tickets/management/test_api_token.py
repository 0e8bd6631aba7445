"""``api_token``: prints a token that works, once; mistakes are one clear line."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from tests.rest import API, staff
from tickets.models import ApiToken, AuditEntry

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("api_token", *words, stdout=out)
    return out.getvalue()


def test_the_printed_token_opens_the_api_and_is_stored_nowhere() -> None:
    staff("ada", "Agents")
    printed = run("ada", "--name", "the shop")
    assert printed.count("\n") == 1
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {printed.strip()}")
    assert client.get(f"{API}/tickets").status_code == 200
    token = ApiToken.objects.get()
    assert (token.name, token.scopes, token.expiry) == ("the shop", [], None)
    assert printed.strip() not in str(ApiToken.objects.values()) + str(AuditEntry.objects.values())


def test_scopes_and_expiry_are_kept() -> None:
    staff("ada", "Agents")
    run("ada", "--scope", "read", "--scope", "inbound", "--expires", "90d")
    token = ApiToken.objects.get()
    assert token.scopes == ["read", "inbound"]
    assert token.expiry is not None
    assert abs(token.expiry - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nobody",), "no user 'nobody'"),
        (("ada", "--scope", "everything"), "no scope everything"),
        (("ada", "--expires", "soon"), "--expires 'soon'"),
        (("ada", "--expires", "0d"), "--expires '0d'"),
        (("ada", "--expires", "999999999w"), "--expires"),
        (("gone",), "not an active user"),
    ],
)
def test_a_mistake_is_one_clear_line(words: tuple[str, ...], message: str) -> None:
    staff("ada", "Agents")
    gone = staff("gone")
    gone.is_active = False
    gone.save()
    with pytest.raises(CommandError) as error:
        run(*words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not ApiToken.objects.exists()
