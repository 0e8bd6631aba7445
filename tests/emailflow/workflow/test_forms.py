"""Parameters as a person writes them, in a form or as JSON."""

from typing import Any

import pytest
from django.utils import timezone

from emailflow.models import Mailbox, Protocol
from emailflow.workflow import registry
from emailflow.workflow.forms import check_params, params_of
from tests.emailflow.workflow.making import HOLDING
from tickets.models import Customer, Team, Ticket, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def support() -> Mailbox:
    return Mailbox.objects.get_or_create(slug="support", defaults={"name": "Support", "protocol": Protocol.MAILDIR})[0]


@pytest.mark.usefixtures("support")
@pytest.mark.parametrize("slug", HOLDING)
def test_parameters_of_a_condition_come_back_as_they_were(slug: str) -> None:
    assert check_params(registry.conditions[slug].ParamsForm, HOLDING[slug]) == (HOLDING[slug], [])


@pytest.mark.parametrize("written", ["#VIP, kontrakt nord", "vip\nkontrakt\nnord", ["vip,kontrakt", "nord"]])
def test_tags_are_separated_as_on_a_ticket(written: Any) -> None:
    assert check_params(registry.actions["add_tags"].ParamsForm, {"tags": written}) == (
        {"tags": ["vip", "kontrakt", "nord"]},
        [],
    )


@pytest.mark.parametrize("written", ["vip!", ["a" * 61], "vip; kontrakt"])
def test_what_cannot_be_a_tag_is_refused_when_the_rule_is_written(written: Any) -> None:
    params, (problem,) = check_params(registry.actions["add_tags"].ParamsForm, {"tags": written})
    assert (params, problem.field) == ({}, "tags")
    assert "cannot be a tag" in problem.message and not problem.message.endswith("..")


@pytest.mark.usefixtures("support")
@pytest.mark.parametrize("slug", HOLDING)
def test_a_half_filled_condition_is_refused_and_names_the_field(slug: str) -> None:
    form = registry.conditions[slug].ParamsForm
    for name in HOLDING[slug]:
        without = {key: value for key, value in HOLDING[slug].items() if key != name}
        params, problems = check_params(form, without)
        assert params == {}
        assert [problem.field for problem in problems] == [name]


@pytest.mark.parametrize(
    ("slug", "params", "field"),
    [
        ("create_ticket", {"customer_id": "abc"}, "customer_id"),
        ("create_ticket", {"customer_id": True}, "customer_id"),
        ("create_ticket", {"customer_id": [1]}, "customer_id"),
        ("create_ticket", {"customer_id": {"id": 1}}, "customer_id"),
        ("create_ticket", {"customer_id": -1}, "customer_id"),
        ("create_ticket", {"priority": "hot"}, "priority"),
        ("create_ticket", {"customer": 1}, "customer"),
        ("link_email_to_ticket", {}, "ticket_number"),
        ("link_email_to_ticket", {"ticket_number": 7}, "ticket_number"),
        ("link_email_to_ticket", {"ticket_number": "7"}, "ticket_number"),
        ("set_priority", {}, "priority"),
        ("add_tags", {"tags": []}, "tags"),
        ("add_tags", {"tags": [1]}, "tags"),
        ("add_tags", {"tags": {"a": 1}}, "tags"),
        ("add_tags", {"tags": ["x" * 61]}, "tags"),
        ("assign", {}, "assigned_to_user_id"),
        ("ignore", {"why": "x"}, "why"),
        ("ignore", "x", ""),
    ],
)
def test_wrong_parameters_of_an_action_name_the_field(slug: str, params: Any, field: str) -> None:
    kept, problems = check_params(registry.actions[slug].ParamsForm, params)
    assert kept == {}
    assert [(problem.field, problem.no_such_row) for problem in problems] == [(field, False)]


def test_ids_of_rows_that_are_not_here_are_told_apart_from_wrong_ones() -> None:
    params = {"customer_id": 123, "assigned_to_user_id": 77}
    kept, problems = check_params(registry.actions["create_ticket"].ParamsForm, params)
    assert kept == params
    assert {(problem.field, problem.no_such_row) for problem in problems} == {
        ("customer_id", True),
        ("assigned_to_user_id", True),
    }
    assert "123" in problems[0].message


def test_a_user_who_has_left_cannot_be_chosen() -> None:
    gone = User.objects.create_user("gone", is_active=False)
    problems = check_params(registry.actions["assign"].ParamsForm, {"assigned_to_user_id": gone.pk})[1]
    assert problems[0].no_such_row


def test_a_mailbox_that_is_not_here_is_a_missing_row() -> None:
    params = {"operator": "is", "mailboxes": ["elsewhere"]}
    kept, problems = check_params(registry.conditions["mailbox"].ParamsForm, params)
    assert kept == params
    assert problems[0].no_such_row


def test_what_the_browser_sends_becomes_typed_json() -> None:
    """Words come one a line, ids as text."""
    customer = Customer.objects.create(name="Holm A/S")
    user = User.objects.create_user("anna")
    form = registry.actions["create_ticket"].ParamsForm(
        {"s-customer_id": str(customer.pk), "s-assigned_to_user_id": str(user.pk), "s-priority": ""},
        prefix="s",
    )
    assert form.is_valid()
    assert params_of(form) == {"customer_id": customer.pk, "assigned_to_user_id": user.pk}
    words = registry.conditions["subject"].ParamsForm(
        {"operator": "is", "match": "words", "values": "nede\r\n\r\n er  nede \r\nnede"}
    )
    assert words.is_valid()
    assert params_of(words)["values"] == ["nede", "er nede"]


def test_a_form_shows_stored_parameters_and_sees_no_change_in_them() -> None:
    stored = HOLDING["subject"]
    form = registry.conditions["subject"].ParamsForm({**stored, "values": "\n".join(stored["values"])}, initial=stored)
    assert not form.has_changed()
    assert ">nede</textarea>" in registry.conditions["subject"].ParamsForm(initial=stored).as_p().replace("\n", "")


def test_a_form_offers_the_rows_that_there_are() -> None:
    team = Team.objects.create(name="Second level")
    html = registry.actions["assign"].ParamsForm(initial={"assigned_team_id": team.pk}).as_p()
    assert f'<option value="{team.pk}" selected>Second level</option>' in html


def test_a_form_shows_an_id_whose_row_is_gone() -> None:
    html = registry.actions["assign"].ParamsForm(initial={"assigned_team_id": 4711}).as_p()
    assert '<option value="4711" selected>4711 (not here)</option>' in html


def test_with_very_many_customers_the_id_is_typed_in() -> None:
    Customer.objects.bulk_create([Customer(name=f"Customer {n}") for n in range(501)])
    html = registry.actions["create_ticket"].ParamsForm(initial={"customer_id": 12}).as_p()
    assert '<input type="number" name="customer_id" value="12"' in html


def test_a_ticket_is_found_by_its_number_in_any_case() -> None:
    now = timezone.now()
    Ticket.objects.create(ticket_number="TKT-20251215-001", subject="Printer", created_at=now, updated_at=now)
    form = registry.actions["link_email_to_ticket"].ParamsForm
    assert check_params(form, {"ticket_number": " tkt-20251215-001 "}) == (
        {"ticket_number": "TKT-20251215-001"},
        [],
    )
    assert check_params(form, {"ticket_number": "TKT-20251215-002"})[1][0].no_such_row
