"""Lists and buttons of the admin keep to what they offer, whatever an address or a form made by hand asks."""

import base64
import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from emailflow.models import Mailbox
from tests.adminkit import agent, browser, superuser, told
from tests.rest import customer, ticket
from tickets.models import Contact, Team, User

pytestmark = pytest.mark.django_db
TICKETS, MESSAGES = "/admin/tickets/ticket/", "/admin/emailflow/message/"


def packed(*values: Any) -> str:
    return "after." + base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("address", "lookup"),
    [
        ("/admin/emailflow/mailbox/", "secret__startswith=a"),
        ("/admin/tickets/user/", "password__startswith=p"),
        ("/admin/tickets/apitoken/", "digest__startswith=a"),
        ("/admin/tickets/apitoken/", "user__password__startswith=p"),
        (TICKETS, "subject__regex=(a%2B)%2B$"),
        (TICKETS, "customer__notes__icontains=secret"),
        ("/admin/tickets/customer/", "lower_name__regex=a"),
        (MESSAGES, "received_at__year=2025"),
    ],
)
def test_a_list_answers_no_question_that_it_does_not_offer(address: str, lookup: str) -> None:
    assert browser(superuser()).get(f"{address}?{lookup}").status_code == 400


def test_what_lists_offer_and_pages_link_to_is_answered() -> None:
    firm = customer()
    row = ticket(contact=Contact.objects.create(email="kim@example.com", customer=firm), customer=firm)
    ticket("Other")
    client = browser(superuser())
    for address, number in (
        (f"{TICKETS}?customer__id__exact={firm.pk}&priority__exact=normal", 1),
        (f"{TICKETS}?contact__id__exact={row.contact_id}&source__exact=manual&status=unsolved", 1),
        (f"/admin/tickets/contact/?customer__id__exact={firm.pk}", 1),
        (f"/admin/tickets/auditentry/?entity_type__exact=ticket&entity_id__exact={row.pk}", 1),
        ("/admin/tickets/user/?is_active__exact=1&groups__isnull=True&teams__isnull=True", 1),
        ("/admin/emailflow/execution/?workflow__id__exact=1&status__exact=failed", 0),
        (f"{MESSAGES}?outcome__exact=unrouted&state__exact=failed", 0),
    ):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert len(answer.context["cl"].result_list) == number, address


@pytest.mark.parametrize(
    "query",
    [
        *("priority__exact=%00", "source__exact=a%00b", "status=%00", "unverified=%00", "%00=1"),
        *(f"p={packed(*values)}" for values in [("\0", 1), ("\ud800", 1), ("2025-01-01", 1), (40000, 1), (None, None)]),
        *(f"p={packed(*values)}" for values in [("9999-12-31T23:59:59-12:00", 1), ("2025-01-01T00:00:00Z", 2**63)]),
    ],
)
def test_an_address_that_nobody_was_given_leads_back_to_the_list(query: str) -> None:
    ticket()
    answer = browser(superuser()).get(f"{TICKETS}?{query}")
    assert answer.status_code == 302
    assert answer["Location"] == f"{TICKETS}?e=1"


def test_a_page_of_names_holds_no_character_that_no_name_has() -> None:
    for address in ("/admin/tickets/customer/", "/admin/tickets/team/", "/admin/tickets/user/"):
        answer = browser(superuser(address)).get(f"{address}?p={packed(chr(0), 1)}")
        assert answer.status_code == 302, address


@pytest.mark.parametrize("chosen", ["x", "\u00b2", "9" * 30, str(2**63), "\0"])
@pytest.mark.parametrize(("address", "action"), [(TICKETS, "resolve"), (MESSAGES, "reprocess_all")])
def test_an_action_on_what_is_no_row_changes_nothing_and_says_so(address: str, action: str, chosen: str) -> None:
    row = ticket()
    answer = browser(superuser()).post(
        address, {"action": action, "index": "0", "_selected_action": [str(row.pk), chosen]}, follow=True
    )
    assert told(answer) == ["Choose among the rows of the list. Nothing was changed."]
    row.refresh_from_db()
    assert row.status == "open"


@pytest.mark.parametrize("key", ["%00", "9" * 30, "-1", "abc"])
def test_a_row_that_cannot_be_is_not_found(key: str) -> None:
    client = browser(superuser())
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{key}"
        for page in ("change", "delete", "history"):
            assert client.get(f"{address}/{page}/").status_code in (302, 403, 404), f"{address}/{page}"


def test_each_page_can_be_read_by_those_who_may_only_look() -> None:
    looker = agent("looker", "Read-only")
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    team = Team.objects.create(name="First line")
    team.members.add(looker)
    rows = [ticket(), customer(), team, looker, Contact.objects.create(email="kim@example.com")]
    rows.append(Mailbox.objects.create(slug="support", name="Support"))
    client = browser(User.objects.get(pk=looker.pk))
    for row in rows:
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        assert client.get(reverse(name, args=[row.pk])).status_code == 200, name
    page = client.get(reverse("admin:tickets_user_change", args=[looker.pk]))
    assert "First line" in page.content.decode()
