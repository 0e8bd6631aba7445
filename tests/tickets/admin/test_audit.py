"""The audit log in the admin."""

import pytest

from tests.adminkit import agent, asked_by, browser, superuser, text_of
from tests.rest import SYSTEM, customer, ticket
from tickets.models import AuditEntry
from tickets.services.customers import save_customer
from tickets.services.tickets import change_ticket

pytestmark = pytest.mark.django_db
LOG = "/admin/tickets/auditentry/"


def test_entries_are_sentences_and_found_by_what_they_speak_of() -> None:
    row = ticket()
    change_ticket(actor=SYSTEM, ticket=row, changes={"status": "closed"})
    save_customer(actor=SYSTEM, customer=customer("Nordwind"))
    client = browser(superuser())
    assert "test changed the status from Open to Closed." in text_of(client.get(LOG))
    found = client.get(LOG, {"q": f"ticket {row.pk}"}).context["cl"].result_list
    assert {entry.entity_type for entry in found} == {"ticket"}


def test_nobody_changes_the_log() -> None:
    ticket()
    entry = AuditEntry.objects.first()
    assert entry is not None
    client = browser(superuser())
    for address in (f"{LOG}{entry.pk}/change/", f"{LOG}{entry.pk}/delete/", f"{LOG}add/"):
        assert client.post(address, {"post": "yes"}).status_code == 403


def test_agents_do_not_read_the_log() -> None:
    assert browser(agent()).get(LOG).status_code == 403


def test_history_of_a_row_is_the_audit_log() -> None:
    row = ticket()
    answer = browser(superuser()).get(f"/admin/tickets/ticket/{row.pk}/history/", follow=True)
    assert "opened the ticket" in text_of(answer)


def test_list_asks_the_same_with_one_entry_and_with_a_hundred() -> None:
    client = browser(superuser())
    ticket()
    few = asked_by(client, LOG)
    for n in range(50):
        ticket(f"T{n}")
    many = asked_by(client, LOG)
    assert few.number == many.number <= 8, many
