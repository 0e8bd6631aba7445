"""What each action plans, in the words of the trace."""

from typing import Any

import pytest

from emailflow.workflow import registry
from emailflow.workflow.base import Facts
from tests.emailflow.workflow.making import make_facts


def sentences(slug: str, params: dict[str, Any], facts: Facts | None = None) -> list[str]:
    return [intent.describe() for intent in registry.actions[slug].plan(facts or make_facts(), params)]


REPLY = make_facts(is_reply=True, thread_ticket_number="TKT-20251215-001")


@pytest.mark.parametrize(
    ("slug", "params", "sentence"),
    [
        ("create_ticket", {}, "Open a ticket."),
        (
            "create_ticket",
            {"customer_id": 3, "assigned_to_user_id": 5, "priority": "high"},
            "Open a ticket (customer 3, assigned to user 5, priority high).",
        ),
        ("link_email_to_ticket", {"ticket_number": "TKT-20251215-002"}, "Link the mail to TKT-20251215-002."),
        ("ignore", {}, "Ignore the mail: it is labelled support_request."),
        ("set_priority", {"priority": "critical"}, "Set the priority to critical."),
        ("add_tags", {"tags": ["VIP"]}, "Add the tag vip."),
        ("add_tags", {"tags": ["#vip", "Kontrakt", "vip"]}, "Add the tags vip, kontrakt."),
        ("add_tags", {"tags": ["vip, kontrakt", "nord vest"]}, "Add the tags vip, kontrakt, nord, vest."),
        ("assign", {"assigned_to_user_id": 5}, "Assign the ticket to user 5."),
        ("assign", {"assigned_team_id": 2}, "Assign the ticket to team 2."),
    ],
)
def test_an_action_says_what_it_will_do(slug: str, params: dict[str, Any], sentence: str) -> None:
    assert sentences(slug, params) == [sentence]


def test_a_reply_is_linked_to_its_ticket_not_made_a_new_one() -> None:
    assert sentences("create_ticket", {}, REPLY) == ["Link the mail to TKT-20251215-001."]


def test_a_reply_is_never_ignored() -> None:
    assert sentences("ignore", {}, REPLY) == ["Not ignored: the mail belongs to TKT-20251215-001."]
