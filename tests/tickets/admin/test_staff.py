"""Users, teams and API tokens in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.adminkit import agent, asked_by, browser, form_values, superuser, text_of
from tests.rest import API, SYSTEM, ticket
from tickets.errors import ServiceError
from tickets.models import ApiToken, AuditEntry, Team, User
from tickets.services import staff

pytestmark = pytest.mark.django_db
USERS, TEAMS, TOKENS = "/admin/tickets/user/", "/admin/tickets/team/", "/admin/tickets/apitoken/"


def test_a_user_is_made_and_then_gets_groups_and_teams() -> None:
    team = Team.objects.create(name="First line")
    client = browser(superuser())
    new = {"username": "mette", "usable_password": "true", "password1": "Kx81-longer", "password2": "Kx81-longer"}
    page = client.post(USERS + "add/", new, follow=True)
    row = User.objects.get(username="mette")
    assert row.check_password("Kx81-longer")
    wanted = {
        "is_staff": "on",
        "groups": [str(Group.objects.get(name="Agents").pk)],
        "teams": [str(team.pk)],
        "visibility": "own_teams",
        "language": "da",
    }
    client.post(f"{USERS}{row.pk}/change/", form_values(page, "#user_form") | wanted)
    row.refresh_from_db()
    assert (row.is_staff, row.visibility, row.language) == (True, "own_teams", "da")
    assert row.groups.get().name == "Agents"
    assert row.teams.get() == team
    entry = AuditEntry.objects.get(action="user.changed", entity_id=row.pk)
    assert entry.new_values["groups"] == ["Agents"]


def test_the_audit_log_keeps_no_address_and_no_password_of_a_user() -> None:
    root, row = superuser(), User.objects.create_user("mette", email="old@private.example")
    client = browser(root)
    page = f"{USERS}{row.pk}/change/"
    client.post(page, form_values(client.get(page), "#user_form") | {"email": "new@private.example"})
    new = {"usable_password": "true", "password1": "Kx81-longer", "password2": "Kx81-longer"}
    client.post(f"{USERS}{row.pk}/password/", new | {"set-password": "1"})
    row.refresh_from_db()
    assert row.check_password("Kx81-longer")
    entries = AuditEntry.objects.filter(entity_type="user", entity_id=row.pk)
    assert {entry.action for entry in entries} == {"user.changed", "user.password_set"}
    assert {entry.actor_id for entry in entries} == {root.pk}
    for entry in entries:
        assert "private.example" not in f"{entry.old_values}{entry.new_values}"
        assert "pbkdf2" not in f"{entry.old_values}{entry.new_values}"


def test_who_is_no_superuser_neither_makes_nor_changes_one() -> None:
    root = superuser()
    me = agent("boss", "Managers", rights=("tickets.change_user", "tickets.add_user"))
    other = User.objects.create_user("other")
    client = browser(me)
    assert client.post(f"{USERS}{root.pk}/change/", {"username": "gone"}).status_code == 403
    assert client.post(f"{USERS}{root.pk}/password/", {"password1": "x", "password2": "x"}).status_code == 403
    page = f"{USERS}{other.pk}/change/"
    group = str(Group.objects.get(name="Managers").pk)
    values = form_values(client.get(page), "#user_form")
    client.post(page, values | {"is_superuser": "on", "groups": [group], "first_name": "Changed"})
    other.refresh_from_db()
    assert (other.first_name, other.is_superuser, other.groups.count()) == ("Changed", False, 0)


def test_the_last_superuser_keeps_the_rights() -> None:
    root = superuser()
    client = browser(root)
    page = f"{USERS}{root.pk}/change/"
    values = form_values(client.get(page), "#user_form")
    values.pop("is_superuser")
    answer = client.post(page, values)
    assert "last active superuser" in answer.context["adminform"].form.errors["is_superuser"][0]
    root.refresh_from_db()
    assert root.is_superuser


def test_users_are_not_deleted() -> None:
    row = User.objects.create_user("mette")
    assert browser(superuser()).post(f"{USERS}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_team_is_made_with_members_and_its_name_is_taken_once() -> None:
    row = User.objects.create_user("mette")
    client = browser(superuser())
    new: dict[str, Any] = {"name": "First line", "members": [row.pk]}
    client.post(TEAMS + "add/", new)
    assert Team.objects.get().members.get() == row
    answer = client.post(TEAMS + "add/", new)
    assert answer.context["adminform"].form.errors["name"]
    assert AuditEntry.objects.filter(action="team.made").count() == 1


def test_deleting_a_team_leaves_its_tickets() -> None:
    team = staff.save_team(actor=SYSTEM, team=Team(name="First line"))
    row = ticket(assigned_team=team)
    browser(superuser()).post(f"{TEAMS}{team.pk}/delete/", {"post": "yes"})
    row.refresh_from_db()
    assert row.assigned_team is None
    assert AuditEntry.objects.filter(action="team.deleted").exists()


def made(client: Any, **values: Any) -> Any:
    return client.post(TOKENS + "add/", {"name": "Reporting"} | values)


def test_the_text_of_a_token_is_shown_once_and_works() -> None:
    root = superuser()
    client = browser(root)
    answer = made(client, user=root.pk, scopes=["read"], days="7")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    plain = answer.context["plain"]
    assert plain in text_of(answer)
    token = ApiToken.objects.get()
    assert (token.scopes, token.expiry is None) == (["read"], False)
    assert plain not in text_of(client.get(TOKENS))
    assert client.get(f"{API}/tickets", headers={"Authorization": f"Token {plain}"}).status_code == 200
    log = AuditEntry.objects.get(action="token.made")
    assert plain not in f"{log.new_values}"


def test_a_token_is_made_for_oneself_only() -> None:
    root = superuser()
    me = agent(rights=("tickets.add_apitoken", "tickets.view_apitoken"))
    client = browser(me)
    assert made(client, user=root.pk).context["adminform"].form.errors["user"]
    made(client, user=me.pk)
    assert ApiToken.objects.get().user == me


def test_only_a_superuser_sees_the_tokens_of_others() -> None:
    root = superuser()
    staff.make_token(actor=SYSTEM, user=root, name="Root's own", scopes=())
    me = agent(rights=("tickets.view_apitoken", "tickets.delete_apitoken"))
    client, token = browser(me), ApiToken.objects.get()
    assert "Root's own" not in text_of(client.get(TOKENS))
    assert client.post(f"{TOKENS}{token.pk}/delete/", {"post": "yes"}).status_code == 404
    assert "Root's own" in text_of(browser(root).get(TOKENS))


def test_a_revoked_token_is_gone() -> None:
    root = superuser()
    token, plain = staff.make_token(actor=SYSTEM, user=root, name="Old", scopes=())
    client = browser(root)
    client.post(f"{TOKENS}{token.pk}/delete/", {"post": "yes"})
    client.logout()
    assert client.get(f"{API}/tickets", headers={"Authorization": f"Token {plain}"}).status_code == 401
    assert AuditEntry.objects.filter(action="token.revoked").exists()


def test_a_token_is_refused_with_the_field_that_is_wrong() -> None:
    sleeper = User.objects.create_user("sleeper", is_active=False)
    active = User.objects.create_user("active")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"user": sleeper}, "user"),
        ({"user": active, "scopes": ["everything"]}, "scopes"),
        ({"user": active, "expires_in": timedelta(0)}, "expires_in"),
    ]
    for values, field in wrong:
        with pytest.raises(ServiceError) as refused:
            staff.make_token(actor=SYSTEM, name="x", **values)
        assert refused.value.field == field
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("address", [USERS, TEAMS, TOKENS])
def test_lists_ask_the_same_with_one_row_and_with_a_hundred(address: str) -> None:
    client = browser(superuser())

    def grow(number: int, start: int) -> None:
        group = Group.objects.get(name="Agents")
        for n in range(start, start + number):
            row = User.objects.create(username=f"u{n}")
            row.groups.add(group)
            Team.objects.create(name=f"T{n}").members.add(row)
            staff.make_token(actor=SYSTEM, user=row, name=f"k{n}", scopes=())

    grow(1, 0)
    few = asked_by(client, address)
    grow(99, 1)
    many = asked_by(client, address)
    assert few.number == many.number <= 8, many
