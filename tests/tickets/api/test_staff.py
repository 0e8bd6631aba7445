"""Users and teams over REST: whom a ticket can be assigned to."""

import pytest

from tests.rest import API, caller, staff, ticket
from tickets.models import Team, User

pytestmark = pytest.mark.django_db


def test_users_and_teams_are_listed_for_assigning_without_addresses() -> None:
    ada = staff("ada", "Agents")
    User.objects.filter(pk=ada.pk).update(first_name="Ada", last_name="Lund", email="ada@private.example")
    gone = User.objects.create_user("bo", is_active=False)
    team = Team.objects.create(name="Second line")
    team.members.add(ada)
    client = caller(ada)

    listed = client.get(f"{API}/users")
    assert [row["username"] for row in listed.json()["results"]] == ["ada", "bo"]
    assert b"private.example" not in listed.content
    one = client.get(f"{API}/users/{ada.pk}").json()
    assert one == {
        "id": ada.pk, "username": "ada", "name": "Ada Lund", "is_active": True, "working": True, "teams": [team.pk],
    }  # fmt: skip
    for query, found in (
        ("is_active=false", gone),
        (f"team={team.pk}", ada),
        ("team=none", gone),
        ("username=bo", gone),
    ):
        assert [row["id"] for row in client.get(f"{API}/users?{query}").json()["results"]] == [found.pk], query
    assert client.get(f"{API}/teams?name=Second line").json()["results"] == [{"id": team.pk, "name": "Second line"}]
    assert client.get(f"{API}/teams/{team.pk}").json() == {"id": team.pk, "name": "Second line"}
    assert client.patch(
        f"{API}/tickets/{ticket().pk}", {"assigned_to_user": one["id"], "assigned_team": one["teams"][0]}
    ).json()["assigned_team_detail"]["name"] == "Second line"  # fmt: skip


def test_users_and_teams_need_the_right_to_see_them_and_are_only_read() -> None:
    client = caller(staff("ada", rights=("tickets.view_team",)))
    assert client.get(f"{API}/users").status_code == 403
    assert client.get(f"{API}/teams").status_code == 200
    boss = caller(staff("mia", "Managers"))
    for path in ("users", "teams"):
        assert boss.post(f"{API}/{path}", {"name": "x"}).status_code == 405
