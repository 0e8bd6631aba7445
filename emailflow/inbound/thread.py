"""Finds the ticket that a mail belongs to, and by which signal. Reads only; finding is not joining.

Signals, strongest first: 1 our own signed Message-ID in In-Reply-To, then References, nearest first; 2 the
plus-address of a recipient; 3 the X-Hub-Ticket header; 4 a Message-ID that is in the e-mail log; 5 a ticket
number in In-Reply-To, then References, then subject; 6 a token in the text or in an attached JSON. The first
that names a ticket wins, all go into the trace.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emailflow.inbound.work import Signal, Work
from emailflow.mail import ParsedMail
from emailflow.models import DUE_STATES, Message
from tickets import numbering, tokens
from tickets.models import EmailLog, Ticket

MAX_WAITS = 12
MAX_JSON = 100_000
MAX_JSON_FILES = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """A signal before anybody has looked whether its ticket exists. ``key``: a number, or a Message-ID."""

    rank: int
    name: str
    key: str
    value: str


def own_key(message_pk: int) -> str:
    """The e-mail log's ``source_key`` of a mail that came in."""
    return f"in:{message_pk}"


def find_threads(works: Sequence[Work]) -> None:
    """Fill in ``signals``, ``own_ticket_id``, ``parent`` and ``wait_for``. Two statements, four for stray replies."""
    _look_up(works)
    lost = [work for work in works if not work.signals and work.own_ticket_id is None]
    strays = [work for work in lost if nearest_first(work.mail)]
    if not strays:
        return
    _find_parents(works, strays)
    # Closes the race with a worker that files the original between the two looks: what was not in the log at
    # the first look and is not unfinished now is in the log by now, if it came at all.
    _look_up([work for work in strays if work.parent is None and work.wait_for is None])


def _look_up(works: Sequence[Work]) -> None:
    marks = {work.message.pk: marks_of(work.mail) for work in works}
    logged, own = _logged(works, marks)
    tickets = _tickets(mark.key for each in marks.values() for mark in each if mark.rank != 4)
    for work in works:
        work.own_ticket_id, work.own_is_reply = own.get(own_key(work.message.pk), (None, False))
        work.signals = tuple(_named(work.mail.sender.key, marks[work.message.pk], logged, tickets))


def marks_of(mail: ParsedMail) -> list[Mark]:
    """Every mark in the mail, strongest first. Pure."""
    ids = nearest_first(mail)
    marks = [
        Mark(1, "the signed Message-ID", number, value) for value in ids for number in tokens.verified_numbers(value)
    ]
    for address in mail.recipients:
        plus = address.address.partition("@")[0].partition("+")[2]
        marks += [Mark(2, "the plus-address", number, address.address) for number in tokens.verified_numbers(plus)]
    for value in mail.header_values("X-Hub-Ticket"):
        marks += [Mark(3, "the X-Hub-Ticket header", number, value) for number in tokens.verified_numbers(value)]
    marks += [Mark(4, "the Message-ID", value, value) for value in ids]
    for where, value in [*(("the reference", value) for value in ids), ("the subject", mail.subject)]:
        marks += [Mark(5, f"the number in {where}", number, value) for number in numbering.find(value)]
    marks += [Mark(6, "the token in the text", number, number) for number in tokens.verified_numbers(mail.text)]
    files = [file for file in mail.attachments if file.mime_type == "application/json" or file.name.endswith(".json")]
    for file in files[:MAX_JSON_FILES]:
        text = file.content[:MAX_JSON].decode("utf-8", "replace")
        marks += [
            Mark(6, "the token in an attached file", number, file.name) for number in tokens.verified_numbers(text)
        ]
    return marks


def nearest_first(mail: ParsedMail) -> list[str]:
    """In-Reply-To, then References from the last (nearest) to the first, each once; of a report, its original."""
    original = [mail.bounce.original_message_id] if mail.bounce and mail.bounce.original_message_id else []
    return list(dict.fromkeys([*original, *mail.in_reply_to, *reversed(mail.references)]))


@dataclass(frozen=True, slots=True)
class Logged:
    """A ticket that knows a Message-ID, and whose it is."""

    ticket_id: int
    number: str
    requester: str


def _logged(
    works: Sequence[Work], marks: dict[int, list[Mark]]
) -> tuple[dict[str, list[Logged]], dict[str, tuple[int, bool]]]:
    """One SELECT: Message-ID -> tickets, oldest first, and the mails' own rows of an earlier run."""
    wanted = {mark.key for each in marks.values() for mark in each if mark.rank == 4}
    again = [own_key(work.message.pk) for work in works if _filed_before(work)]
    if not wanted and not again:
        return {}, {}
    columns = (
        *("email_message_id", "ticket_id", "ticket__ticket_number", "ticket__contact__email"),
        *("source_key", "is_reply"),
    )
    rows = EmailLog.objects.filter(email_message_id__in=wanted).values_list(*columns)
    if again:
        rows = rows.union(EmailLog.objects.filter(source_key__in=again).values_list(*columns))
    logged: dict[str, list[Logged]] = {}
    own: dict[str, tuple[int, bool]] = {}
    for message_id, ticket_id, number, requester, source_key, is_reply in rows:
        if source_key in again:
            own[source_key] = (ticket_id, is_reply)
        logged.setdefault(message_id, []).append(Logged(ticket_id, number, requester or ""))
    for tickets in logged.values():
        tickets.sort(key=lambda ticket: ticket.ticket_id)
    return logged, own


def _filed_before(work: Work) -> bool:
    message = work.message
    return message.attempts > 1 or message.run > 1 or message.ticket_id is not None


def _tickets(numbers: Iterable[str]) -> dict[str, int]:
    wanted = set(numbers)
    if not wanted:
        return {}
    return dict(Ticket.objects.filter(ticket_number__in=wanted).values_list("ticket_number", "pk"))


def _named(
    sender: str, marks: Sequence[Mark], logged: dict[str, list[Logged]], tickets: dict[str, int]
) -> Iterable[Signal]:
    for mark in marks:
        if mark.rank == 4 and mark.key in logged:
            # A Message-ID can be copied: the sender's own ticket before any other, then the oldest.
            known = logged[mark.key]
            ticket = next((ticket for ticket in known if ticket.requester == sender), known[0])
            yield Signal(mark.rank, mark.name, mark.value, ticket.ticket_id, ticket.number)
        elif mark.rank != 4 and mark.key in tickets:
            yield Signal(mark.rank, mark.name, mark.value, tickets[mark.key], mark.key)


def _find_parents(works: Sequence[Work], lost: Sequence[Work]) -> None:
    """A reply may come before, or together with, the mail that it answers."""
    here: dict[str, list[Work]] = {}
    for work in works:
        if work.mail.message_id:
            here.setdefault(work.mail.message_id, []).append(work)
    missing: dict[str, list[Work]] = {}
    for work in lost:
        for value in nearest_first(work.mail):
            candidates = [other for other in here.get(value, []) if not _descends(other, work)]
            candidates.sort(key=lambda other: other.mail.sender.key != work.mail.sender.key)
            if candidates:
                work.parent = candidates[0]
                break
            missing.setdefault(value, []).append(work)
    _find_unfinished({value: [w for w in each if w.parent is None] for value, each in missing.items()})


def _descends(work: Work, ancestor: Work) -> bool:
    step: Work | None = work
    while step is not None:
        if step is ancestor:
            return True
        step = step.parent
    return False


def _find_unfinished(missing: dict[str, list[Work]]) -> None:
    wanted = {value: each for value, each in missing.items() if any(work.message.waits < MAX_WAITS for work in each)}
    if not wanted:
        return
    rows = Message.objects.filter(message_id__in=wanted, state__in=DUE_STATES).values_list("message_id", "pk")
    for value, pk in rows:
        for work in wanted[value]:
            if pk != work.message.pk and work.message.waits < MAX_WAITS:
                work.wait_for = pk


def in_order(works: Sequence[Work]) -> list[Work]:
    """Parents before the mails that answer them; otherwise as given."""
    ordered: dict[int, Work] = {}

    seen: set[int] = set()  # two mails may name each other

    def place(work: Work) -> None:
        if work.message.pk not in seen:
            seen.add(work.message.pk)
            if work.parent is not None:
                place(work.parent)
            ordered[work.message.pk] = work

    for work in works:
        place(work)
    return list(ordered.values())
