"""What is deleted while somebody names it: the next try takes the new reference away too, or says so in words."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from tests.rest import API, caller, staff
from tests.threads import at_once
from tests.tickets.making import HUB, contact_of, entries, open_one, team_of
from tickets.errors import Conflict
from tickets.models import Contact, Customer, Team, Ticket
from tickets.services.customers import delete_contact, delete_customer, save_customer
from tickets.services.staff import delete_team

CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], None], str]] = {
    "contact": (contact_of, lambda row: delete_contact(actor=HUB, contact=row), "contact"),
    "customer": (
        lambda: save_customer(actor=HUB, customer=Customer(name="Nordwind")),
        lambda row: delete_customer(actor=HUB, customer=row),
        "customer",
    ),
    "team": (team_of, lambda row: delete_team(actor=HUB, team=row), "assigned_team"),
}


class Arriving:
    """Opens a ticket that names a row, just before the row itself is deleted: as often as it is told."""

    def __init__(self, row: Any, column: str, times: int) -> None:
        self.table, self.key, self.column, self.times = row._meta.db_table, row.pk, column, times

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(f'DELETE FROM "{self.table}"') and self.times:
            self.times -= 1
            at_once(lambda: Ticket.objects.filter(pk=self.new_ticket()).update(**{f"{self.column}_id": self.key}))
        return execute(sql, params, many, context)

    def new_ticket(self) -> int:
        return open_one("Just now").pk


@pytest.mark.parametrize("what", CASES)
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.django_db(transaction=True)
def test_a_ticket_that_arrives_meanwhile_loses_the_reference_too(what: str, inside: bool) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets nobody else write meanwhile")
    make, delete, column = CASES[what]
    row = make()
    with connection.execute_wrapper(Arriving(row, column, 1)):
        if inside:
            with transaction.atomic():
                delete(row)
        else:
            delete(row)
    assert getattr(Ticket.objects.get(), column) is None
    assert len(entries(f"{what}.deleted")) == 1


@pytest.mark.parametrize("what", CASES)
@pytest.mark.django_db(transaction=True)
def test_what_is_named_again_and_again_stays_and_it_is_said(what: str) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets nobody else write meanwhile")
    make, delete, column = CASES[what]
    row = make()
    with connection.execute_wrapper(Arriving(row, column, 2)), pytest.raises(Conflict, match="in use just now"):
        delete(row)
    assert type(row).objects.get() == row
    assert not entries(f"{what}.deleted")


@pytest.mark.parametrize("what", CASES)
@pytest.mark.django_db
def test_what_somebody_else_has_deleted_is_a_conflict(what: str) -> None:
    make, delete, _ = CASES[what]
    row = make()
    type(row).objects.all().delete()
    with pytest.raises(Conflict, match="not there any more"):
        delete(row)
    assert not entries(f"{what}.deleted")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_delete_at_once_one_is_told() -> None:
    client = caller(staff("mia", "Managers"))
    key = contact_of().pk
    said = at_once(*[lambda: client.delete(f"{API}/contacts/{key}").status_code] * 2)
    assert said in ([204, 409], [409, 204], [204, 404], [404, 204])
    assert len(entries("contact.deleted")) == 1
    assert not Contact.objects.exists()
    assert not Team.objects.exists()
