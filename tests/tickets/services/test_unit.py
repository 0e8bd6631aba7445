"""The unit of work: all of it or none, and cut back to a mark as if what came after had never been."""

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.tickets.making import ADDRESS, HUB, comment_on, contact_of, counts, open_one
from tickets import signals
from tickets.models import AuditEntry, Contact, Customer, Participant, SearchText, Tag, Ticket, User
from tickets.services.comments import add_comment
from tickets.services.tickets import add_tags, change_ticket, open_ticket
from tickets.services.unit import UnitOfWork

pytestmark = pytest.mark.django_db


def opened(unit: UnitOfWork, subject: str, *tags: str) -> Ticket:
    return open_ticket(actor=HUB, subject=subject, body_text=subject, source="email", tags=tags, unit=unit)


def in_one(*steps: Callable[[UnitOfWork], object]) -> None:
    with transaction.atomic():
        unit = UnitOfWork()
        for step in steps:
            step(unit)
        unit.flush()


def test_what_was_added_after_the_mark_is_never_written_and_fields_are_put_back() -> None:
    kim = User.objects.create_user("kim")
    old = open_one("Old", priority="low")
    changes = {"priority": "high", "subject": "New", "assigned_to_user": kim}
    with transaction.atomic():
        unit = UnitOfWork()
        kept = opened(unit, "kept", "a")
        change_ticket(actor=HUB, ticket=kept, changes={"priority": "low"}, unit=unit)
        mark = unit.mark()

        opened(unit, "forgotten", "b")
        unit.contact(Contact(email=ADDRESS))
        change_ticket(actor=HUB, ticket=kept, changes={"priority": "critical", "subject": "renamed"}, unit=unit)
        add_tags(actor=HUB, ticket=kept, names=["c"], unit=unit)
        inner = transaction.savepoint()
        change_ticket(actor=HUB, ticket=old, changes=changes, unit=unit)
        transaction.savepoint_rollback(inner)
        add_comment(actor=HUB, ticket=old, body_text="forgotten words", source="email", unit=unit)
        unit.cut(mark)

        add_comment(actor=HUB, ticket=kept, body_text="after", source="email", unit=unit)
        unit.flush()

    assert set(Ticket.objects.values_list("subject", "priority")) == {("Old", "low"), ("kept", "low")}
    old.refresh_from_db()
    assert old.assigned_to_user is None
    assert not Contact.objects.exists()
    assert set(Tag.objects.values_list("name", flat=True)) == {"a"}
    texts = set(SearchText.objects.values_list("text", flat=True))
    assert texts == {"Old", "It is out of toner.", "kept", "after"}
    actions = list(AuditEntry.objects.filter(ticket_id=kept.pk).order_by("id").values_list("action", flat=True))
    assert sorted(actions) == ["comment.added", "comment.added", "ticket.changed", "ticket.opened"]


def test_cut_takes_back_what_was_put_outside() -> None:
    cache = {"a": 1}
    unit = UnitOfWork()
    mark = unit.mark()
    unit.on_cut(lambda: cache.pop("b"))
    cache["b"] = 2
    unit.cut(mark)
    assert cache == {"a": 1}


def test_signals_of_what_was_cut_are_not_sent() -> None:
    heard: list[str] = []

    def hear(ticket: Ticket, **_: object) -> None:
        heard.append(ticket.subject)

    signals.ticket_opened.connect(hear)
    try:
        with transaction.atomic():
            unit = UnitOfWork()
            opened(unit, "one")
            mark = unit.mark()
            opened(unit, "two")
            unit.cut(mark)
            assert heard == []
            unit.flush()
    finally:
        signals.ticket_opened.disconnect(hear)
    assert heard == ["one"]


def test_a_receiver_that_fails_undoes_the_whole_change() -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("broken")

    before = counts()
    signals.ticket_opened.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            open_one(tags=["a"], contact=None)
    finally:
        signals.ticket_opened.disconnect(fail)
    assert counts() == before


def test_two_objects_of_one_ticket_lose_no_field() -> None:
    ticket = open_one()
    first, second = Ticket.objects.get(pk=ticket.pk), Ticket.objects.get(pk=ticket.pk)
    in_one(
        lambda unit: change_ticket(actor=HUB, ticket=first, changes={"priority": "high"}, unit=unit),
        lambda unit: change_ticket(actor=HUB, ticket=second, changes={"category": "print"}, unit=unit),
    )
    ticket.refresh_from_db()
    assert (ticket.priority, ticket.category) == ("high", "print")


def test_many_changed_tickets_keep_the_fields_that_nobody_changed() -> None:
    tickets = [open_one(f"T{number}", category=f"c{number}") for number in range(3)]
    in_one(
        lambda unit: change_ticket(actor=HUB, ticket=tickets[0], changes={"priority": "high"}, unit=unit),
        lambda unit: change_ticket(actor=HUB, ticket=tickets[1], changes={"category": "x"}, unit=unit),
    )
    rows = list(Ticket.objects.order_by("id").values_list("subject", "priority", "category"))
    assert rows == [("T0", "high", "c0"), ("T1", "normal", "x"), ("T2", "normal", "c2")]


def test_a_contact_that_another_worker_made_meanwhile_is_taken() -> None:
    customer = Customer.objects.create(name="Nordwind")
    theirs = contact_of(name="Mette", customer=customer)
    ours = Contact(email=ADDRESS, name="M. L.")
    in_one(
        lambda unit: unit.contact(ours),
        lambda unit: open_ticket(actor=HUB, subject="S", body_text="b", source="email", contact=ours, unit=unit),
    )
    assert Ticket.objects.get().contact == theirs
    theirs.refresh_from_db()
    assert (theirs.name, theirs.customer) == ("Mette", customer)


def test_who_was_refused_stays_refused_when_a_mail_names_them_again() -> None:
    ticket = open_one()
    values = {"ticket": ticket, "address": "ole@x.example", "role": "cc", "created_at": timezone.now()}
    Participant.objects.create(**values, state="refused")
    in_one(lambda unit: unit.add(Participant(**values, state="confirmed")))
    assert Participant.objects.get().state == "refused"


def test_a_group_costs_as_many_statements_as_one_ticket() -> None:
    def statements(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            in_one(*[lambda unit, n=n: opened(unit, f"T{n}", "a", f"tag{n}") for n in range(number)])
        return len(queries)

    statements(1)
    assert statements(1) == statements(20)


def test_numbers_follow_the_order_of_opening_and_the_last_comment_is_known() -> None:
    with transaction.atomic():
        unit = UnitOfWork()
        first, second = opened(unit, "one"), opened(unit, "two")
        assert unit.last_comment_of(first).body_text == "one"
        assert unit.last_comment_of(second).body_text == "two"
        unit.flush()
    assert first.ticket_number < second.ticket_number
    assert comment_on(first).ticket.pk == first.pk
