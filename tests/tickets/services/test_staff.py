"""What teams promise when people name them at the same moment."""

import pytest

from tests.threads import at_once
from tests.tickets.making import entries, team_of
from tickets.errors import ServiceError
from tickets.models import Team


def refusal(name: str) -> str:
    """The field at fault, or '' for a team that was made."""
    try:
        team_of(name=name)
    except ServiceError as error:
        return error.field
    return ""


@pytest.mark.django_db(transaction=True)
def test_of_many_who_give_one_name_at_once_one_gets_it_and_the_others_are_told() -> None:
    assert sorted(at_once(*[lambda: refusal("Operations")] * 4)) == ["", "name", "name", "name"]
    assert Team.objects.count() == len(entries("team.made")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", " ", "x" * 201])
def test_a_name_that_cannot_be_kept_stands_at_its_field(name: str) -> None:
    assert refusal(name) == "name"
    assert refusal("x" * 200) == ""
