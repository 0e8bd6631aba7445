"""The verdict: is every mail in exactly one place, and is nothing left half done?

It looks at mails, comments and tickets each by itself, by the serials in their texts: what the ledger says of itself
is not believed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Count, Min

from emailflow.models import DUE_STATES, Delivery, DeliveryState, Message, Outcome, State
from tests.bench.chaos.mails import MARK, Letter
from tickets.models import Comment, EmailLog, Ticket

_CASE = re.compile(r"\bcase-(\d{6})\b")
_NUMBER = re.compile(r"TKT-(\d{8})-(\d+)")
_ORIGINAL = {False: Outcome.TICKET_CREATED, True: Outcome.LINKED}


@dataclass(frozen=True, slots=True)
class Problem:
    """``serial`` None: not about one mail."""

    serial: int | None
    words: str

    def __str__(self) -> str:
        return self.words if self.serial is None else f"mail {self.serial:06d}: {self.words}"


def unfinished(wanted: Iterable[str]) -> str:
    """What is still on its way, in words; '' when all mails have arrived and nothing is due."""
    known = set(Message.objects.values_list("message_id", flat=True))
    missing = sum(message_id not in known for message_id in wanted)
    states = Counter(Message.objects.filter(state__in=DUE_STATES).values_list("state", flat=True))
    seen = Delivery.objects.filter(state=DeliveryState.SEEN).count()
    untold = Delivery.objects.filter(state=DeliveryState.STORED, after_read_done=False).count()
    parts = {"not there": missing, **{str(name): count for name, count in states.items()}, "seen": seen}
    parts["not told"] = untold
    return ", ".join(f"{count} {name}" for name, count in parts.items() if count)


def problems(letters: Mapping[int, Letter]) -> list[Problem]:
    """Everything that is wrong, after the trial has settled."""
    found = [*_stuck(), *_numbers()]
    tickets, comments = _tickets(), _comments()
    rows: dict[str, list[Message]] = defaultdict(list)
    for row in Message.objects.order_by("pk"):
        rows[row.message_id].append(row)
    logged = dict(
        EmailLog.objects.values("source_key")
        .annotate(times=Count("id"), where=Min("ticket"))
        .values_list("source_key", "times")
    )
    for letter in letters.values():
        ticket = tickets.get(letter.root, [None])[0]
        found += _of_mail(letter, rows.pop(letter.message_id, []), ticket, logged)
        found += _of_comments(letter, comments.pop(letter.serial, []), ticket)
        if not letter.is_reply and len(tickets.get(letter.serial, [])) != 1:
            found.append(Problem(letter.serial, f"tickets {tickets.get(letter.serial, [])} instead of one"))
    found += [Problem(None, f"a mail that nobody wrote: {message_id}") for message_id in rows]
    found += [Problem(serial, "a comment of a mail that nobody wrote") for serial in comments]
    roots = {letter.root for letter in letters.values()}
    found += [
        Problem(None, f"tickets {pks} of a case that nobody wrote of") for r, pks in tickets.items() if r not in roots
    ]
    return found


def _of_mail(letter: Letter, rows: list[Message], ticket: int | None, logged: Mapping[str, int]) -> Iterator[Problem]:
    if not rows:
        yield Problem(letter.serial, "missing: no row in the ledger")
        return
    originals = [row for row in rows if row.outcome != Outcome.DUPLICATE]
    if len(originals) != 1:
        yield Problem(letter.serial, f"{len(originals)} originals: {_shown(rows)}")
        return
    original = originals[0]
    if original.outcome != _ORIGINAL[letter.is_reply]:
        yield Problem(letter.serial, f"not {_ORIGINAL[letter.is_reply]}: {_shown(rows)}")
    if original.ticket_id != ticket:
        yield Problem(letter.serial, f"not on ticket {ticket}: {_shown(rows)}")
    if logged.get(f"in:{original.pk}", 0) != 1:
        yield Problem(letter.serial, f"{logged.get(f'in:{original.pk}', 0)} rows in the e-mail log: {_shown(rows)}")
    for row in rows:
        if row is not original and row.duplicate_of_id != original.pk:
            yield Problem(letter.serial, f"a duplicate of something else: {_shown(rows)}")


def _of_comments(letter: Letter, where: list[int], ticket: int | None) -> Iterator[Problem]:
    if len(where) != 1:
        yield Problem(letter.serial, f"{len(where)} comments, on tickets {where}")
    elif where[0] != ticket:
        yield Problem(letter.serial, f"its comment is on ticket {where[0]} instead of {ticket}")


def _tickets() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for pk, subject in Ticket.objects.order_by("pk").values_list("pk", "subject"):
        case = _CASE.search(subject)
        found[int(case[1]) if case else -1].append(pk)
    return found


def _comments() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for ticket, text in Comment.objects.order_by("pk").values_list("ticket_id", "body_text"):
        for serial in MARK.findall(text):
            found[int(serial)].append(ticket)
    return found


def _stuck() -> Iterator[Problem]:
    for row in Message.objects.exclude(state=State.PROCESSED).order_by("pk"):
        yield Problem(None, f"stuck: {_shown([row])}")
    for delivery in Delivery.objects.exclude(state=DeliveryState.STORED).order_by("pk"):
        yield Problem(None, f"delivery {delivery.uid} is {delivery.state}: {delivery.last_error}")


def _numbers() -> Iterator[Problem]:
    """Ticket numbers of a day have no gap: a number is taken in the transaction that needs it."""
    days: dict[str, set[int]] = defaultdict(set)
    for number in Ticket.objects.values_list("ticket_number", flat=True):
        found = _NUMBER.fullmatch(number)
        if found is None:
            yield Problem(None, f"{number} is no ticket number")
        else:
            days[found[1]].add(int(found[2]))
    for day, numbers in days.items():
        if missing := sorted(set(range(1, max(numbers) + 1)) - numbers):
            yield Problem(None, f"no tickets with these numbers of {day}: {missing[:20]}")


def _shown(rows: Iterable[Message]) -> str:
    return "; ".join(
        f"row {row.pk} {row.state} {row.outcome or '-'} ticket {row.ticket_id} attempts {row.attempts} "
        f"waits {row.waits} {row.last_error}".strip()
        for row in rows
    )
