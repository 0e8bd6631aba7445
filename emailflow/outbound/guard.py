"""What must not be sent, and why: loops, storms, and addresses that take no mail. All of it in this file.

What a mail is by its form is told by ``inbound.screen``, which knows the signs of machines (RFC 3834 section 2).
Here stands what follows from it. Called by what writes rows of the outbox, which keep the reason. Pure, but for
``counts_of``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from emailflow.inbound.screen import takes_no_answers
from emailflow.mail import Address, Kind, ParsedMail, Verdict
from tickets.public_providers import is_public

IMPORT_MAILBOX = "import"

WINDOWS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=10))
_WINDOW_WORDS = ("10 minutes", "hour", "10 hours")
# How many automatic mails in each window.
PER_RECIPIENT = (10, 25, 100)
# A machine that no sign gives away opens a new ticket with each answer to an acknowledgement.
ACKNOWLEDGEMENTS = (3, 6, 12)
# A firm whose people all write at once, and all customers together on the day of a breakdown.
DOMAIN_TIMES = 10
ALL_TIMES = 200
# What staff write is bound too, but only against a program that writes in their name.
PERSON_TIMES = 20
# Rows of the last ten hours that are counted for domains and in all; of more, the oldest are not looked at.
MOST_COUNTED = 50_000
# Written by a person. Every other kind is a machine's.
PERSONAL_KINDS = ("reply",)

Used = tuple[int, int, int]
_NONE: Used = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail that has opened a ticket, and what the steps before found out about it."""

    mail: ParsedMail
    kind: Kind
    kind_reason: str
    verdict: Verdict
    recipient: str  # who would get the acknowledgement: the requester
    our_addresses: frozenset[str]  # lower case
    mailbox: str  # its slug
    live: bool  # neither old nor imported when it was stored
    age: timedelta  # when it was stored
    acknowledges: bool = True  # the mailbox's own switch
    answers_us: bool = False  # it bears a mark of ours, though it opened a ticket of its own
    is_form: bool = False  # the requester is not the sender, but a visitor of the sender's web form
    by_hand: bool = False
    run: int = 1


@dataclass(slots=True)
class Counts:
    """How many mails have gone, or will go, in each window. Of ``all_mail`` some are ``automatic``.

    Keys: an address, a domain with its ``@`` in front, or '' for everything.
    """

    all_mail: dict[str, Used] = field(default_factory=dict)
    automatic: dict[str, Used] = field(default_factory=dict)

    def add(self, recipient: str, *, automatic: bool) -> None:
        """One row more that the caller has just queued, so that a batch keeps to the budgets too."""
        for counted in (self.all_mail, self.automatic) if automatic else (self.all_mail,):
            for key in _keys(recipient):
                ten, hour, day = counted.get(key, _NONE)
                counted[key] = (ten + 1, hour + 1, day + 1)


def may_acknowledge(incoming: Incoming) -> str:
    """Why this mail is not acknowledged, in words, or ''. Budgets and suppressed addresses: ``may_send``."""
    if incoming.answers_us:
        return "It answers a mail of ours: whoever wrote it knows the number."
    if incoming.run > 1:
        return "The mail was processed again."
    if incoming.by_hand:
        return "A person opened the ticket from a mail that was set aside."
    if not incoming.live:
        return _why_not_live(incoming)
    if not incoming.acknowledges:
        return "The mailbox sends no acknowledgements."
    if incoming.kind != Kind.PERSON:
        return f"No machine is answered. {incoming.kind_reason}".strip()
    if incoming.verdict == Verdict.FAIL:
        return "The sender is forged: the answer would go to somebody who wrote nothing."
    if incoming.is_form and incoming.verdict != Verdict.PASS:
        return "Our mail server does not vouch for the web form: anybody could name anybody as its visitor."
    if len(incoming.mail.senders) > 1:
        return "The mail names several senders; none of them is believed."
    return _no_recipient(incoming.recipient, incoming.our_addresses, automatic=True)


def _why_not_live(incoming: Incoming) -> str:
    if incoming.mailbox == IMPORT_MAILBOX:
        return "The mail was imported: nobody waits for a word about it."
    hours = int(incoming.age.total_seconds() // 3600)
    return f"The mail was {hours} hours old when it came: nobody waits for a word about it."


def may_send(
    *,
    recipient: str,
    suppressed: Mapping[str, str],
    counts: Counts,
    automatic: bool,
    ours: frozenset[str],
    acknowledgement: bool = False,
) -> str:
    """Why nothing goes to ``recipient`` now, in words, or ''.

    ``suppressed``: address in lower case -> reason; ``ours``: all addresses of our mailboxes, lower case. A person's
    answer is bound by suppression and by the far higher budget only.
    """
    address = Address(recipient).key
    refused = _no_recipient(address, ours, automatic=automatic)
    if refused:
        return refused
    if address in suppressed:
        return f"{address} gets nothing until staff release it: {suppressed[address]}"
    if automatic:
        spent = _answered_often(address, counts) if acknowledgement else ""
        spent = spent or _spent(address, counts.automatic, "automatic mails", times=1)
        if spent:
            return spent
    return _spent(address, counts.all_mail, "mails", times=PERSON_TIMES)


def _no_recipient(recipient: str, ours: frozenset[str], *, automatic: bool) -> str:
    address = Address(recipient).key
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or any(char.isspace() for char in address):
        return f"{address or 'Nothing'} is not an address that mail can go to."
    # support+token@ is delivered to support@.
    if address in ours or f"{local.partition('+')[0]}@{domain}" in ours:
        return f"{address} is one of our own mailboxes."
    if automatic and takes_no_answers(address):
        return f"{address} is a machine that reads no answers."
    return ""


def _keys(recipient: str) -> list[str]:
    """What a mail to ``recipient`` counts for. A provider where anybody has an address is not one party."""
    address = Address(recipient).key
    domain = address.rpartition("@")[2]
    return [address, "", *([] if is_public(domain) else [f"@{domain}"])]


def _answered_often(address: str, counts: Counts) -> str:
    for used, most, words in zip(counts.automatic.get(address, _NONE), ACKNOWLEDGEMENTS, _WINDOW_WORDS, strict=True):
        if used >= most:
            return f"{address} has had {used} automatic mails in the last {words}: no acknowledgement after {most}."
    return ""


def _spent(address: str, counted: Mapping[str, Used], what: str, *, times: int) -> str:
    for key in _keys(address):
        factor = times * (ALL_TIMES if not key else DOMAIN_TIMES if key.startswith("@") else 1)
        for used, most, words in zip(counted.get(key, _NONE), PER_RECIPIENT, _WINDOW_WORDS, strict=True):
            if used >= most * factor:
                whom = f" to {key.removeprefix('@')}" if key else ""
                return f"The budget is spent: {used} {what}{whom} in the last {words} (at most {most * factor})."
    return ""


def counts_of(recipients: Collection[str], now: datetime) -> Counts:
    """What has gone to these recipients, to their domains and in all. One statement; what was suppressed or cancelled
    does not count. ``now`` is the database's."""
    addresses = sorted({Address(recipient).key for recipient in recipients})
    counts = Counts()
    if not addresses:
        return counts
    domains = sorted({key[1:] for address in addresses for key in _keys(address) if key.startswith("@")})
    since: list[Any] = [connection.ops.adapt_datetimefield_value(now - window) for window in WINDOWS]
    with connection.cursor() as cursor:
        cursor.execute(_statement(len(addresses), len(domains)), _values(addresses, domains, since))
        for key, *numbers in cursor.fetchall():
            counts.all_mail[key] = (numbers[0], numbers[1], numbers[2])
            counts.automatic[key] = (numbers[3], numbers[4], numbers[5])
    return counts


def _statement(addresses: int, domains: int) -> str:
    postgresql = connection.vendor == "postgresql"
    domain = "split_part(recipient, '@', 2)" if postgresql else "substr(recipient, instr(recipient, '@') + 1)"
    personal = ", ".join(f"'{kind}'" for kind in PERSONAL_KINDS)
    sums = ", ".join(
        f"COALESCE(SUM(CASE WHEN created_at > %s{also} THEN 1 ELSE 0 END), 0)"
        for also in ("", f" AND kind NOT IN ({personal})")
        for _ in WINDOWS
    )
    gone = "channel = 'mail' AND state NOT IN ('suppressed', 'cancelled') AND created_at > %s"
    statement = (
        f"WITH recent AS (SELECT {domain} AS domain, kind, created_at FROM email_outbox WHERE {gone} "
        "ORDER BY created_at DESC LIMIT %s) "
        f"SELECT '', {sums} FROM recent "
        f"UNION ALL SELECT recipient, {sums} FROM email_outbox WHERE {gone} "
        f"AND recipient IN ({_marks(addresses)}) GROUP BY recipient"
    )
    if domains:
        statement += (
            f" UNION ALL SELECT '@' || domain, {sums} FROM recent WHERE domain IN ({_marks(domains)}) GROUP BY domain"
        )
    return statement


def _values(addresses: list[str], domains: list[str], since: list[Any]) -> list[Any]:
    """In the order in which ``_statement`` asks for them."""
    both = [*since, *since]
    values: list[Any] = [since[-1], MOST_COUNTED, *both, *both, since[-1], *addresses]
    return [*values, *both, *domains] if domains else values


def _marks(number: int) -> str:
    return ", ".join(["%s"] * number)
