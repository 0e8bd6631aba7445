"""One lease per mailbox: whoever holds it pulls, everybody else walks away. Used by ``pull`` only.

All times are those of the database, so that two hosts with different clocks agree.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from emailflow.models import Mailbox


class LeaseLost(Exception):
    """The lease ran out and somebody else has taken the mailbox over."""


class Lease:
    """The right to pull one mailbox for ``seconds``, extended while the work goes on."""

    def __init__(self, mailbox_pk: int, token: str, seconds: int) -> None:
        self.mailbox_pk = mailbox_pk
        self.token = token
        self.seconds = seconds

    def extend(self) -> None:
        """Raises LeaseLost when somebody else holds the mailbox now."""
        if not self._own().update(lease_until=_in(self.seconds)):
            raise LeaseLost

    def finish(self, **fields: Any) -> bool:
        """Give the mailbox back and write ``fields`` with it. False: it was lost, and nothing is written."""
        return bool(self._own().update(lease_token="", lease_until=None, **fields))

    def _own(self) -> Any:
        return Mailbox.objects.filter(pk=self.mailbox_pk, lease_token=self.token)


def claim(mailbox_pk: int, seconds: int) -> Lease | None:
    """Take the mailbox, or None when it is taken. One UPDATE: the row count says who was first."""
    token = secrets.token_hex(16)
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    taken = Mailbox.objects.filter(free, pk=mailbox_pk).update(lease_token=token, lease_until=_in(seconds))
    return Lease(mailbox_pk, token, seconds) if taken else None


def _in(seconds: int) -> Combinable:
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
