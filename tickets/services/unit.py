"""Rows that wait to be written together: one INSERT a table, just before the commit.

A service called alone opens a transaction and a unit of its own (``in_unit``). ``apply`` hands one unit to the
services for a whole group of mails. Until ``flush`` everything is in memory: cutting back to a mark undoes what
came after it, without a savepoint.

Order inside ``flush`` is the order of locks: contacts and tags sorted, the number counter, then inserts.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from django.db import models, transaction

from tickets import audit, numbering, signals
from tickets.actors import Actor
from tickets.errors import Conflict
from tickets.models import (
    Attachment,
    AuditEntry,
    Comment,
    Contact,
    EmailLog,
    Participant,
    SearchText,
    Tag,
    Ticket,
    TicketTag,
)
from tickets.sql.insert import STAYS, OnConflict, insert, insert_together


class Collector:
    """Something outside ``tickets`` that adds rows at the end of a unit of work."""

    def rows(self, unit: "UnitOfWork") -> Iterable[models.Model]:
        """Called once, when all ids are known, inside the transaction."""
        raise NotImplementedError


Collects = TypeVar("Collects", bound=Collector)
Row = TypeVar("Row", bound=models.Model)


class UnitOfWork:
    """See the module. Not thread-safe; lives as long as one transaction."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self._contacts: list[Contact] = []
        self._opened: list[Ticket] = []
        self._changed: dict[int, tuple[Ticket, set[str]]] = {}
        self._tags: list[tuple[Ticket, tuple[str, ...]]] = []
        self._comments: list[Comment] = []
        self._rows: dict[type[models.Model], list[models.Model]] = defaultdict(list)
        # A participant or tag that is there already keeps its state: refused stays refused.
        self._conflicts: dict[type[models.Model], OnConflict] = {Participant: STAYS, TicketTag: STAYS}
        self._late: list[Callable[[], models.Model]] = []
        self._signals: list[Callable[[], None]] = []
        self._collectors: dict[type[Collector], Collector] = {}

    def mark(self) -> int:
        return len(self._undo)

    def cut(self, mark: int) -> None:
        """Forget everything that was added, and put back every field that was set, after ``mark``."""
        while len(self._undo) > mark:
            self._undo.pop()()

    def _append(self, rows: list[Any], row: Any) -> None:
        rows.append(row)
        self._undo.append(rows.pop)

    def contact(self, contact: Contact) -> None:
        """Somebody who writes for the first time; one that another worker makes meanwhile is taken instead."""
        self._append(self._contacts, contact)

    def open(self, ticket: Ticket) -> None:
        """A new ticket; it gets its number and id at ``flush``."""
        self._append(self._opened, ticket)

    def change(self, ticket: Ticket, values: Mapping[str, Any]) -> None:
        """Set fields of a ticket: one that the caller has locked, or one opened in this unit."""
        self._set(ticket, values)
        if ticket.pk is None:
            return
        written, fields = self._changed.setdefault(ticket.pk, (ticket, set()))
        if written is not ticket:
            # Two objects of one row: the one that came first is the one that is written.
            self._set(written, values)
        added = set(values) - fields
        fields |= added
        self._undo.append(lambda: fields.difference_update(added))

    def _set(self, ticket: Ticket, values: Mapping[str, Any]) -> None:
        before = {name: getattr(ticket, name) for name in values}
        _set(ticket, values)
        self._undo.append(lambda: _set(ticket, before))

    def tag(self, ticket: Ticket, names: tuple[str, ...]) -> None:
        self._append(self._tags, (ticket, names))

    def tags_of(self, ticket: Ticket) -> set[str]:
        """The tags that wait here for this ticket."""
        return {name for other, names in self._tags if _same(other, ticket) for name in names}

    def comment(self, comment: Comment) -> None:
        self._append(self._comments, comment)

    def add(self, row: models.Model) -> None:
        """A leaf row of any table; a relation to an unsaved ticket or comment is filled at ``flush``."""
        self._append(self._rows[type(row)], row)

    def queued(self, model: type[Row]) -> list[Row]:
        """The leaf rows of a model that wait here."""
        return [row for row in self._rows.get(model, []) if isinstance(row, model)]

    def forget(self, which: Callable[[models.Model], bool]) -> None:
        """Leave out queued leaf rows after all."""
        for rows in self._rows.values():
            for index in reversed(range(len(rows))):
                if which(rows[index]):
                    self._undo.append(partial(rows.insert, index, rows.pop(index)))

    def add_late(self, make: Callable[[], models.Model]) -> None:
        """A leaf row that needs ids or numbers as plain values: made when they are known."""
        self._append(self._late, make)

    def replace(self, model: type[models.Model], *, unique: tuple[str, ...], update: tuple[str, ...]) -> None:
        """Rows of this model take the place of those with the same ``unique`` fields."""
        self._conflicts[model] = OnConflict(unique=unique, update=update)

    def keep_first(self, model: type[models.Model]) -> None:
        """Rows of this model give way to those that are there already."""
        self._conflicts[model] = STAYS

    def collector(self, kind: type[Collects]) -> Collects:
        """The one of its kind in this unit: it hears of many things and makes its rows once, for all of them."""
        found = self._collectors.setdefault(kind, kind())
        assert isinstance(found, kind)
        return found

    def audit(self, *, actor: Actor, action: str, entity: models.Model, ticket: Ticket, **values: Any) -> None:
        self.add_late(lambda: audit.entry(actor=actor, action=action, entity=entity, ticket_id=ticket.pk, **values))

    def on_cut(self, undo: Callable[[], object]) -> None:
        """Something outside that must be undone together with what is added now."""
        self._undo.append(undo)

    def last_comment_of(self, ticket: Ticket) -> Comment:
        """The comment that was queued last for this ticket."""
        return next(comment for comment in reversed(self._comments) if comment.ticket is ticket)

    def signal(self, send: Callable[[], None]) -> None:
        self._append(self._signals, send)

    def flush(self) -> None:
        """Write everything. Call it once, inside the transaction, after the locks were taken."""
        self._upsert_contacts()
        tags = self._upsert_tags()
        self._insert_tickets()
        self._update_tickets()
        insert(self._comments)
        for ticket, names in self._tags:
            for name in names:
                self._rows[TicketTag].append(TicketTag(ticket=ticket, tag_id=tags[name]))
        for send in self._signals:
            send()
        for collector in self._collectors.values():
            for late in collector.rows(self):
                self._rows[type(late)].append(late)
        for make in self._late:
            row = make()
            self._rows[type(row)].append(row)
        insert_together(
            [(self._rows[model], self._conflicts.get(model)) for model in sorted(self._rows, key=_table_order)]
        )
        self.__init__()  # type: ignore[misc]

    def _upsert_contacts(self) -> None:
        if self._contacts:
            insert(
                sorted(self._contacts, key=attrgetter("email")),
                OnConflict(unique=("email",), update=("email",)),
            )

    def _upsert_tags(self) -> dict[str, int]:
        names = sorted({name for _, names in self._tags for name in names})
        if not names:
            return {}
        rows = Tag.objects.bulk_create(
            [Tag(name=name) for name in names],
            update_conflicts=True,
            update_fields=["name"],
            unique_fields=["name"],
        )
        return {row.name: row.pk for row in rows}

    def _insert_tickets(self) -> None:
        if not self._opened:
            return
        days = Counter(numbering.day_of(ticket.created_at) for ticket in self._opened)
        numbers = {day: iter(numbering.take(day, days[day])) for day in sorted(days)}
        for ticket in self._opened:
            ticket.ticket_number = next(numbers[numbering.day_of(ticket.created_at)])
        insert(self._opened)

    def _update_tickets(self) -> None:
        changed = [(ticket, sorted(fields)) for ticket, fields in self._changed.values() if fields]
        if len(changed) == 1:
            ticket, fields = changed[0]
            ticket.save(update_fields=fields, force_update=True)
        elif changed:
            fields = sorted({field for _, names in changed for field in names})
            Ticket.objects.bulk_update([ticket for ticket, _ in changed], fields)


def _same(one: Ticket, other: Ticket) -> bool:
    return one is other or (one.pk is not None and one.pk == other.pk)


def _set(ticket: Ticket, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(ticket, name, value)


_ORDER: tuple[type[models.Model], ...] = (
    TicketTag, Participant, Attachment, EmailLog, SearchText, AuditEntry,
)  # fmt: skip


def _table_order(model: type[models.Model]) -> tuple[int, str]:
    return (_ORDER.index(model) if model in _ORDER else len(_ORDER), model._meta.db_table)


@contextmanager
def in_unit(unit: UnitOfWork | None) -> Iterator[UnitOfWork]:
    """The caller's unit, or one of our own in a transaction of its own that is flushed at the end."""
    if unit is not None:
        yield unit
        return
    # Closes the race between the change, its audit row and its log rows: all of them, or none.
    with transaction.atomic():
        own = UnitOfWork()
        yield own
        own.flush()


def locked(ticket: Ticket) -> Ticket:
    """The ticket as it is now, locked until the transaction ends. Raises Conflict when it is gone."""
    row = Ticket.objects.select_for_update(no_key=True).filter(pk=ticket.pk).first()
    if row is None:
        raise Conflict("This ticket is not there any more.")
    return row


def send_opened(unit: UnitOfWork, ticket: Ticket, comment: Comment | None, actor: Actor) -> None:
    unit.signal(lambda: _send(signals.ticket_opened, ticket=ticket, comment=comment, actor=actor, unit=unit))


def send_comment(unit: UnitOfWork, ticket: Ticket, comment: Comment, actor: Actor) -> None:
    unit.signal(lambda: _send(signals.comment_added, ticket=ticket, comment=comment, actor=actor, unit=unit))


def send_changed(
    unit: UnitOfWork, ticket: Ticket, old: Mapping[str, Any], new: Mapping[str, Any], actor: Actor
) -> None:
    unit.signal(lambda: _send(signals.ticket_changed, ticket=ticket, old=old, new=new, actor=actor, unit=unit))


def _send(signal: Any, **values: Any) -> None:
    signal.send(sender=Ticket, **values)
