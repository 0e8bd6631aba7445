"""Finding plug-ins."""

from collections.abc import Mapping
from typing import Any

import pytest
from django import forms

from emailflow.workflow import registry
from emailflow.workflow.base import Action, Facts, Intent


class Form(forms.Form):
    pass


def action(slug_: str) -> type[Action]:
    class Another(Action):
        slug = slug_
        label = "Another"
        help = ""
        ParamsForm = Form

        def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
            return []

    return Another


def test_a_slug_that_is_taken_is_refused_when_hub_starts() -> None:
    with pytest.raises(ValueError, match="create_ticket"):
        registry.register_action(action("create_ticket"))


@pytest.mark.parametrize("slug", ["", "Two words", "æble", "x" * 61])
def test_a_malformed_slug_is_refused_when_hub_starts(slug: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        registry.register_action(action(slug))


def test_hub_brings_its_conditions_and_actions() -> None:
    assert {"create_ticket", "link_email_to_ticket", "ignore", "set_priority", "add_tags", "assign"} <= set(
        registry.actions
    )
    assert {"sender", "recipient", "subject", "body", "mailbox", "attachment", "kind", "verdict"} <= set(
        registry.conditions
    )
