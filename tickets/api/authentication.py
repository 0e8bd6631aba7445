"""Who calls the API: a program with a token, or a member of staff with the session of the admin.

``Authorization: Token <text>`` or ``Bearer <text>`` (RFC 6750, 2.1). Only a hash of the text is stored.
"""

from datetime import timedelta
from hmac import compare_digest
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from knox.crypto import hash_token
from knox.settings import CONSTANTS
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tickets.models import ApiToken, User

_SCHEMES = {b"token", b"bearer"}
# A busy program must not write a row with each request.
_USE_NOTED_EVERY = timedelta(minutes=1)


class ApiTokenAuthentication(BaseAuthentication):
    """Reads one row; writes ``last_used_at`` at most once a minute. ``request.auth`` becomes the ApiToken."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """None when the header is for somebody else. Raises AuthenticationFailed (401)."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() not in _SCHEMES:
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Write the header as: Authorization: Token <text of the token>.")
        try:
            plain = words[1].decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed("This token is not known.") from None
        token = _find(plain)
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Token realm="Hub API"'


def _find(plain: str) -> ApiToken:
    digest = hash_token(plain)
    candidates: QuerySet[ApiToken] = ApiToken.objects.filter(token_key=plain[: CONSTANTS.TOKEN_KEY_LENGTH])
    for token in candidates.select_related("user"):
        if not compare_digest(token.digest, digest):
            continue
        if token.expiry is not None and token.expiry <= timezone.now():
            raise AuthenticationFailed("This token has expired.")
        if not token.user.is_active:
            raise AuthenticationFailed("The user of this token is not active.")
        return token
    raise AuthenticationFailed("This token is not known.")


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    stale = now - _USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > stale:
        return
    unseen: Any = Q(last_used_at=None) | Q(last_used_at__lte=stale)
    ApiToken.objects.filter(unseen, pk=token.pk).update(last_used_at=now)
    token.last_used_at = now
