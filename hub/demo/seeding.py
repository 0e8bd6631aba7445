"""Sends the mails of the demo through the real pipeline, each as if a mail server had just delivered it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import Incoming, receive_many
from emailflow.models import DUE_STATES, Mailbox, Message
from hub.demo.letter import Letter, build, message_id
from hub.demo.letters import FIRST, WITH_NUMBER

# A mail may wait a minute for the one that it answers; here they arrive in order, so nothing waits that long.
_DEADLINE_SECONDS = 90


def send_mails(mailbox: Mailbox, now: datetime) -> int:
    """Stores and processes what is not there yet. Returns how many mails were new."""
    by_key = {letter.key: letter for letter in FIRST}
    new = _send(_missing(mailbox, FIRST), mailbox, now, by_key, {})
    process_all(mailbox)
    numbers = _numbers(mailbox, (letter.names for letter in WITH_NUMBER), by_key)
    # Without its ticket the letter that names it would make no sense: rules may have been changed.
    ready = [letter for letter in _missing(mailbox, WITH_NUMBER) if letter.names in numbers]
    new += _send(ready, mailbox, now, by_key, numbers)
    process_all(mailbox)
    return new


def process_all(mailbox: Mailbox) -> None:
    """Until nothing of this mailbox is due; the worker of a running installation may do part of it."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if not process_due():
            if not Message.objects.filter(mailbox=mailbox, state__in=DUE_STATES).exists():
                return
            time.sleep(0.2)


def _send(
    letters: Sequence[Letter],
    mailbox: Mailbox,
    now: datetime,
    by_key: dict[str, Letter],
    numbers: dict[str, str],
) -> int:
    ordered = sorted(letters, key=lambda letter: letter.hours_ago, reverse=True)
    incoming = [
        Incoming(
            build(letter, now, answered=by_key.get(letter.answers), number=numbers.get(letter.names, "")),
            mailbox,
            letter.moment(now),
            # Nobody of these exists: no automatic mail, however young the letter is.
            live=False,
        )
        for letter in ordered
    ]
    return sum(stored.new for stored in receive_many(incoming))


def _missing(mailbox: Mailbox, letters: Sequence[Letter]) -> list[Letter]:
    ids = {message_id(letter): letter for letter in letters}
    known = set(Message.objects.filter(mailbox=mailbox, message_id__in=ids).values_list("message_id", flat=True))
    return [letter for key, letter in ids.items() if key not in known]


def _numbers(mailbox: Mailbox, keys: Iterable[str], by_key: dict[str, Letter]) -> dict[str, str]:
    """Ticket numbers by the key of the letter that opened them."""
    wanted: Iterator[tuple[str, str]] = ((message_id(by_key[key]), key) for key in sorted(set(keys)))
    names = dict(wanted)
    rows = Message.objects.filter(mailbox=mailbox, message_id__in=names, ticket__isnull=False).values_list(
        "message_id", "ticket__ticket_number"
    )
    return {names[row_id]: number for row_id, number in rows}
