"""Signed marks that lead a mail back to its ticket. A thread token finds a ticket and gives no right.

80 bits of HMAC-SHA256 in base32 under the first of TOKEN_KEYS; older keys still verify.
"""

import base64
import hashlib
import hmac
import re
from itertools import islice

from django.conf import settings

# Each look-alike costs a hash; an honest mail holds a few.
MAX_TOKENS = 50
_THREAD_SALT = b"hub.thread"
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(TKT-\d{8}-\d{3,9})(?:-([an]?\d{1,18}))?-([a-z2-7]{16})(?![A-Za-z0-9])",
    # ASCII: without it the long s is a letter of [a-z], and compare_digest raises on it.
    re.IGNORECASE | re.ASCII,
)


def _signature(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), _THREAD_SALT + b"\0" + text.upper().encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def thread_token(ticket_number: str) -> str:
    """``TKT-20251215-001-abcdefghijklmnop``: for plus-addresses, headers, links and the JSON attachment."""
    return f"{ticket_number}-{_signature(settings.TOKEN_KEYS[0], ticket_number)}"


def thread_message_id(ticket_number: str, key: str, domain: str) -> str:
    """``<TKT-…-{key}-{signature}@domain>``; ``key`` is a comment's id, or a{message} or n{outbox}."""
    signature = _signature(settings.TOKEN_KEYS[0], f"{ticket_number}-{key}")
    return f"<{ticket_number}-{key}-{signature}@{domain}>"


def verified_numbers(text: str) -> list[str]:
    """The ticket numbers of all tokens in ``text`` whose signature is ours, in order, each once."""
    found: list[str] = []
    for number, key, signature in islice((match.groups() for match in _TOKEN.finditer(text[:100_000])), MAX_TOKENS):
        signed = f"{number}-{key}" if key else number
        wanted = (_signature(secret, signed) for secret in settings.TOKEN_KEYS)
        if any(hmac.compare_digest(signature.lower(), each) for each in wanted):
            found.append(number.upper())
    return list(dict.fromkeys(found))
