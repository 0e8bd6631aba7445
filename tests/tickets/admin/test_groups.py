"""Groups in the admin: whoever changes what many people may do is named in the audit log."""

import pytest
from django.contrib.auth.models import Group, Permission

from tests.adminkit import agent, browser, form_values, superuser
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db
GROUPS = "/admin/auth/group/"


def right(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def test_a_change_of_rights_is_in_the_audit_log_with_the_rights() -> None:
    root = superuser()
    group = Group.objects.create(name="Helpers")
    group.permissions.set([right("view_ticket")])
    client = browser(root)
    page = f"{GROUPS}{group.pk}/change/"
    values = form_values(client.get(page), "#group_form")
    wanted = [str(right(name).pk) for name in ("view_ticket", "delete_contact")]
    assert client.post(page, values | {"permissions": wanted}).status_code == 302
    assert set(group.permissions.values_list("codename", flat=True)) == {"view_ticket", "delete_contact"}
    entry = AuditEntry.objects.get(action="group.changed", entity_id=group.pk)
    assert entry.actor_id == root.pk
    assert entry.old_values == {"permissions": ["tickets.view_ticket"]}
    assert entry.new_values == {"permissions": ["tickets.delete_contact", "tickets.view_ticket"]}
    client.post(page, values | {"permissions": wanted})
    assert AuditEntry.objects.filter(action="group.changed").count() == 1


def test_a_group_is_made_renamed_and_deleted_with_audit() -> None:
    client = browser(superuser())
    assert client.post(f"{GROUPS}add/", {"name": "Helpers", "permissions": []}).status_code == 302
    group = Group.objects.get(name="Helpers")
    client.post(f"{GROUPS}{group.pk}/change/", {"name": "Agents", "permissions": []})
    assert Group.objects.get(pk=group.pk).name == "Helpers"
    client.post(f"{GROUPS}{group.pk}/change/", {"name": "Friends", "permissions": []})
    client.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(pk=group.pk).exists()
    entries = AuditEntry.objects.filter(entity_type="group", entity_id=group.pk).order_by("id")
    assert [entry.action for entry in entries] == ["group.made", "group.changed", "group.deleted"]
    assert entries[1].old_values == {"name": "Helpers"}


def test_only_a_superuser_changes_groups() -> None:
    rights = [f"auth.{action}_group" for action in ("add", "change", "delete", "view")]
    client = browser(agent("boss", "Managers", rights=tuple(rights)))
    page = f"{GROUPS}{Group.objects.get(name='Agents').pk}"
    assert client.get(f"{page}/change/").status_code == 200
    for address in (f"{GROUPS}add/", f"{page}/change/", f"{page}/delete/"):
        assert client.post(address, {"name": "x", "post": "yes"}).status_code == 403
    assert Group.objects.filter(name="Agents").exists()
