"""What opening and changing a ticket promises to staff, to the audit log and to the search."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from tests.threads import at_once
from tests.tickets.making import ADDRESS, HUB, audit_as_text, contact_of, counts, entries, open_one, team_of
from tickets import signals
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError, TicketsAreOff
from tickets.models import AuditEntry, Comment, Customer, Participant, SearchText, Ticket, TicketTag, User
from tickets.search import search
from tickets.services.files import Upload
from tickets.services.tickets import add_tags, change_ticket, clean_tags, open_ticket
from tickets.services.unit import UnitOfWork

pytestmark = pytest.mark.django_db


def change(ticket: Ticket, **changes: Any) -> Ticket:
    change_ticket(actor=HUB, ticket=ticket, changes=changes)
    return Ticket.objects.get(pk=ticket.pk)


def tags_of(ticket: Ticket) -> list[str]:
    return [tag.name for tag in ticket.tags.order_by("name")]


class TestOpening:
    def test_the_first_message_the_requester_and_the_number_are_there(self) -> None:
        customer = Customer.objects.create(name="Nordwind")
        contact = contact_of(name="Mette", customer=customer)

        ticket = open_one(contact=contact, tags=["#Printer", "toner", "printer"], source="phone")

        assert ticket.ticket_number.startswith("TKT-")
        assert (ticket.status, ticket.priority, ticket.source) == ("open", "normal", "phone")
        assert ticket.customer == customer
        assert [comment.body_text for comment in ticket.comments.all()] == ["It is out of toner."]
        who = Participant.objects.get(ticket=ticket)
        assert (who.address, who.role, who.state) == (ADDRESS, "requester", "confirmed")
        assert tags_of(ticket) == ["printer", "toner"]

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("priority", {"priority": "huge"}),
            ("source", {"source": "pigeon"}),
            ("subject", {"subject": 7}),
            ("category", {"category": None}),
            ("tags", {"tags": ["no!"]}),
            ("custom_fields", {"custom_fields": {"when": timezone.now()}}),
            ("custom_fields", {"custom_fields": {"much": float("inf")}}),
        ],
    )
    def test_a_wrong_value_names_its_field_and_leaves_nothing_behind(self, field: str, values: dict[str, Any]) -> None:
        before = counts()
        arguments: dict[str, Any] = {"subject": "S", "body_text": "B", "source": "manual"} | values
        with pytest.raises(ServiceError) as error:
            open_ticket(actor=HUB, **arguments)
        assert error.value.field == field
        assert error.value.message
        assert counts() == before

    def test_an_inactive_user_gets_no_ticket(self) -> None:
        gone = User.objects.create_user("gone", is_active=False)
        before = counts()
        with pytest.raises(ServiceError) as error:
            open_one(assigned_to_user=gone)
        assert error.value.field == "assigned_to_user"
        assert counts() == before

    def test_text_that_no_database_takes_is_mended(self) -> None:
        ticket = open_one("a\0b\n c", body_text="x\0y\ud800", custom_fields={"k\0": ["v\0", 1, None]}, category="c\0")
        assert (ticket.subject, ticket.category) == ("ab c", "c")
        assert ticket.custom_fields == {"k": ["v", 1, None]}
        assert ticket.description == ticket.comments.get().body_text == "xy\ufffd"

    def test_audit_names_what_was_set_and_holds_no_text_and_no_address(self) -> None:
        contact = contact_of(name="Mette Lund")
        ticket = open_one("Secret subject", body_text="secret words", contact=contact, tags=["a"], priority="high")

        [(old, new)] = entries("ticket.opened")
        assert old == {}
        assert (new["priority"], new["tags"], new["contact"], new["status"]) == ("high", ["a"], contact.pk, "open")
        assert AuditEntry.objects.filter(ticket_id=ticket.pk, actor_type="system", actor_name="tests").count() == 2
        for hidden in ("Secret", "secret", "Mette", "nordwind"):
            assert hidden not in audit_as_text()

    def test_audit_knows_a_contact_that_the_same_transaction_makes(self) -> None:
        from django.db import transaction

        from tickets.models import Contact

        with transaction.atomic():
            unit = UnitOfWork()
            contact = Contact(email=ADDRESS)
            unit.contact(contact)
            open_ticket(actor=HUB, subject="S", body_text="B", source="email", contact=contact, unit=unit)
            unit.flush()
        assert entries("ticket.opened")[0][1]["contact"] == Contact.objects.get().pk

    def test_files_belong_to_the_first_message(self) -> None:
        ticket = open_one(uploads=[Upload("../a.txt", b"hello")])
        assert [file.name for file in ticket.comments.get().attachments.all()] == ["a.txt"]

    def test_auto_assign_gives_it_to_the_active_user_of_the_setting_only(self, settings: Any) -> None:
        kim = User.objects.create_user("kim")
        ole = User.objects.create_user("ole")
        settings.TICKET_DEFAULT_ASSIGNEE_ID = kim.pk
        assert open_one().assigned_to_user is None
        settings.TICKET_AUTO_ASSIGN = True
        assert open_one().assigned_to_user == kim
        assert open_one(assigned_to_user=ole).assigned_to_user == ole
        User.objects.filter(pk=kim.pk).update(is_active=False)
        assert open_one().assigned_to_user is None
        settings.TICKET_DEFAULT_ASSIGNEE_ID = 0
        assert open_one().assigned_to_user is None

    def test_default_priority_is_a_setting(self, settings: Any) -> None:
        settings.TICKET_DEFAULT_PRIORITY = "low"
        assert open_one().priority == "low"
        assert open_one(priority="high").priority == "high"


class TestChanging:
    def test_only_what_differs_is_audited_with_old_and_new_values(self) -> None:
        kim = User.objects.create_user("kim")
        team = team_of(kim)
        ticket = open_one(tags=["a", "b"], custom_fields={"floor": "secret"})

        change(
            ticket, subject="Other", priority="high", status="open", assigned_to_user=kim, assigned_team=team.pk,
            tags=["b", "c"], custom_fields={"room": "secret"},
        )  # fmt: skip

        [(old, new)] = entries("ticket.changed")
        assert old == {
            "subject": "(text)", "priority": "normal", "assigned_to_user": None, "assigned_team": None,
            "tags": ["a", "b"], "custom_fields": ["floor"],
        }  # fmt: skip
        assert new == {
            "subject": "(text)", "priority": "high", "assigned_to_user": kim.pk, "assigned_team": team.pk,
            "tags": ["b", "c"], "custom_fields": ["room"],
        }  # fmt: skip
        assert "secret" not in audit_as_text()
        assert tags_of(ticket) == ["b", "c"]

    def test_what_is_equal_writes_nothing(self) -> None:
        ticket = open_one(tags=["a"], category="print")
        before = (counts(), ticket.updated_at)
        same = change(ticket, status="open", priority="normal", category="print", tags=["A"], customer=None)
        assert (counts(), same.updated_at) == before

    def test_a_row_can_be_taken_away_again(self) -> None:
        kim = User.objects.create_user("kim")
        ticket = open_one(assigned_to_user=kim, contact=contact_of())
        changed = change(ticket, assigned_to_user=None, contact=None)
        assert (changed.assigned_to_user, changed.contact) == (None, None)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("status", "gone"),
            ("priority", None),
            ("subject", None),
            ("customer", 987654),
            ("contact", "x"),
            ("assigned_team", 10**30),
            ("assigned_to_user", -1),
            ("custom_fields", []),
            ("tags", ["b c!"]),
            ("ticket_number", "TKT-20200101-001"),
            ("created_at", None),
        ],
    )
    def test_a_wrong_value_names_its_field_and_changes_nothing(self, field: str, value: Any) -> None:
        ticket = open_one(tags=["a"])
        before = counts()
        with pytest.raises(ServiceError) as error:
            change(ticket, **{"category": "new", "tags": ["z"], field: value})
        assert error.value.field == field
        assert counts() == before
        ticket.refresh_from_db()
        assert (ticket.category, tags_of(ticket)) == ("", ["a"])

    def test_a_ticket_of_somebody_who_left_can_be_changed_but_not_given_to_them(self) -> None:
        kim = User.objects.create_user("kim")
        mine, other = open_one(assigned_to_user=kim), open_one()
        User.objects.filter(pk=kim.pk).update(is_active=False)

        assert change(mine, assigned_to_user=kim.pk, priority="high").priority == "high"
        with pytest.raises(ServiceError) as error:
            change(other, assigned_to_user=kim.pk, tags=["a"])
        assert error.value.field == "assigned_to_user"
        assert tags_of(other) == []

    def test_dates_follow_the_status(self) -> None:
        ticket = open_one()
        start = timezone.now()
        with time_machine.travel(start + timedelta(hours=1), tick=False):
            resolved = change(ticket, status="resolved")
            assert (resolved.resolved_at, resolved.closed_at) == (timezone.now(), None)
        with time_machine.travel(start + timedelta(hours=2), tick=False):
            closed = change(ticket, status="closed")
            assert (closed.resolved_at, closed.closed_at) == (resolved.resolved_at, timezone.now())
        opened = change(ticket, status="in_progress")
        assert (opened.resolved_at, opened.closed_at) == (None, None)
        closed = change(ticket, status="closed")
        assert closed.resolved_at is not None
        assert closed.resolved_at == closed.closed_at

    def test_the_search_follows_a_changed_subject(self) -> None:
        ticket = open_one("Telephone")
        change(ticket, subject="Scanner")
        assert list(search(Ticket.objects.all(), "scanner")) == [ticket]
        assert not search(Ticket.objects.all(), "telephone")
        change(ticket, subject="")
        assert not SearchText.objects.filter(kind="subject").exists()
        assert list(search(Ticket.objects.all(), "toner")) == [ticket]

    def test_a_subject_changed_before_the_ticket_is_written_is_searched_by_the_last_one(self) -> None:
        from django.db import transaction

        with transaction.atomic():
            unit = UnitOfWork()
            ticket = open_ticket(actor=HUB, subject="First", body_text="b", source="manual", unit=unit)
            change_ticket(actor=HUB, ticket=ticket, changes={"subject": "Second"}, unit=unit)
            unit.flush()
        assert list(SearchText.objects.filter(kind="subject").values_list("text", flat=True)) == ["Second"]

    def test_a_ticket_that_is_gone_is_a_conflict(self) -> None:
        ticket = open_one()
        Ticket.objects.get(pk=ticket.pk).delete()
        with pytest.raises(Conflict):
            change(ticket, priority="high")


class TestTags:
    def test_added_tags_join_those_that_are_there(self) -> None:
        ticket = open_one(tags=["a"])
        add_tags(actor=Actor.of_rule(3, "Printers"), ticket=ticket, names=["B", "#a", ""])
        assert tags_of(ticket) == ["a", "b"]
        entry = AuditEntry.objects.get(action="ticket.tagged")
        assert (entry.actor_type, entry.actor_id, entry.actor_name) == ("rule", 3, "Printers")
        assert entry.new_values == {"tags": ["b"]}

    def test_only_a_new_tag_is_noted_dated_and_told(self) -> None:
        ticket = open_one(tags=["a"])
        told: list[dict[str, Any]] = []

        def listen(*, old: dict[str, Any], new: dict[str, Any], **_: Any) -> None:
            told.append({"old": old, "new": new})

        signals.ticket_changed.connect(listen)
        try:
            with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
                add_tags(actor=HUB, ticket=ticket, names=["A"])
                assert Ticket.objects.get(pk=ticket.pk).updated_at == ticket.updated_at
                assert told == []
                add_tags(actor=HUB, ticket=ticket, names=["a", "b"])
                assert Ticket.objects.get(pk=ticket.pk).updated_at == timezone.now()
        finally:
            signals.ticket_changed.disconnect(listen)
        assert told == [{"old": {"tags": ["a"]}, "new": {"tags": ["a", "b"]}}]
        assert entries("ticket.tagged") == [({}, {"tags": ["b"]})]

    def test_tags_of_a_ticket_that_is_being_opened_are_noted_once(self) -> None:
        with transaction.atomic():
            unit = UnitOfWork()
            ticket = open_ticket(actor=HUB, subject="New", source="manual", tags=["a"], unit=unit)
            add_tags(actor=HUB, ticket=ticket, names=["a", "b"], unit=unit)
            add_tags(actor=HUB, ticket=ticket, names=["b"], unit=unit)
            unit.flush()
        assert tags_of(ticket) == ["a", "b"]
        assert entries("ticket.tagged") == [({}, {"tags": ["b"]})]

    def test_nothing_to_add_writes_nothing(self) -> None:
        ticket = open_one()
        before = counts()
        add_tags(actor=HUB, ticket=ticket, names=["", " # "])
        assert counts() == before

    def test_tags_are_lower_case_without_spaces_and_each_once(self) -> None:
        assert clean_tags([" #Ny Printer", "ny-printer", "ÆØÅ", "c++"]) == ("ny-printer", "æøå", "c++")
        for wrong in ("a,b", "x" * 61, "<b>", "a'b"):
            with pytest.raises(ServiceError) as error:
                clean_tags([wrong])
            assert error.value.field == "tags"


def test_tickets_that_are_off_are_not_written(settings: Any) -> None:
    ticket = open_one()
    settings.TICKET_ENABLED = False
    before = counts()
    for job in (
        lambda: open_one(),
        lambda: change(ticket, priority="high"),
        lambda: add_tags(actor=HUB, ticket=ticket, names=["a"]),
    ):
        with pytest.raises(TicketsAreOff, match="TICKET_ENABLED"):
            job()
    assert counts() == before


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_different_fields_at_once_neither_is_lost() -> None:
    ticket = open_one()
    rounds = 15

    def work(field: str, values: list[Any]) -> None:
        # Each has read the ticket before the other one wrote, as a form in a browser has.
        stale = Ticket.objects.get(pk=ticket.pk)
        for value in values:
            change_ticket(actor=HUB, ticket=stale, changes={field: value})

    at_once(
        lambda: work("priority", ["high", "low"] * rounds),
        lambda: work("category", [str(number) for number in range(2 * rounds)]),
        lambda: work("tags", [[f"t{number}"] for number in range(2 * rounds)]),
    )

    ticket.refresh_from_db()
    assert (ticket.priority, ticket.category, tags_of(ticket)) == ("low", str(2 * rounds - 1), [f"t{2 * rounds - 1}"])
    assert len(entries("ticket.changed")) == 6 * rounds
    assert TicketTag.objects.count() == 1
    assert Comment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_tag_that_two_add_at_once_is_noted_once() -> None:
    ticket = open_one()
    at_once(*[lambda: add_tags(actor=HUB, ticket=ticket, names=["a"])] * 3)
    assert tags_of(ticket) == ["a"]
    assert len(entries("ticket.tagged")) == 1
