"""What a fresh installation brings, and that no later migration undoes what staff have changed of it."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from emailflow.models import Label, Mailbox, Workflow
from emailflow.services.workflows import delete_workflow
from tests.tickets.making import HUB
from tickets.installing import GROUPS
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db

RULES = ["Spam → Ignore", "Newsletter → Ignore", "Support Request → Ticket", "Everything else → Ticket"]
LABELS = {
    "support_request", "invoice", "order", "newsletter", "spam", "auto_reply", "bounce", "general",
}  # fmt: skip


def migrate() -> None:
    call_command("migrate", verbosity=0)


def rights_of(name: str) -> set[str]:
    rows = Permission.objects.filter(group__name=name).select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def everything() -> tuple[object, ...]:
    return (
        {name: rights_of(name) for name in GROUPS},
        list(Workflow.objects.order_by("id").values()),
        list(Label.objects.order_by("id").values()),
        list(Mailbox.objects.order_by("id").values()),
        AuditEntry.objects.count(),
    )


def test_everything_is_there_from_the_start() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {"Agents", "Managers", "Read-only"}
    assert list(Workflow.objects.values_list("name", flat=True)) == RULES
    assert set(Label.objects.values_list("slug", flat=True)) == LABELS
    assert set(Mailbox.objects.values_list("slug", flat=True)) == {"import", "api", "test"}


def test_every_right_that_a_group_is_to_have_exists() -> None:
    for name, models in GROUPS.items():
        wanted = {
            f"{model.partition('.')[0]}.{action if '_' in action else action + '_' + model.partition('.')[2]}"
            for model, actions in models.items()
            for action in actions
        }
        assert rights_of(name) == wanted


def test_who_may_only_read_may_write_nothing_and_agents_do_not_delete() -> None:
    assert all(right.partition(".")[2].startswith("view_") for right in rights_of("Read-only"))
    assert not any("delete" in right for right in rights_of("Agents"))
    assert "emailflow.view_raw_message" not in rights_of("Agents") | rights_of("Read-only")
    assert {"tickets.assign_ticket", "tickets.add_comment"} <= rights_of("Agents")
    assert {"emailflow.replay_message", "tickets.view_auditentry"} <= rights_of("Managers")
    for name in GROUPS:
        assert not rights_of(name) & {"tickets.change_auditentry", "tickets.delete_auditentry", "tickets.change_user"}


def test_a_second_migration_changes_nothing() -> None:
    before = everything()
    migrate()
    assert everything() == before


def test_what_staff_changed_stays_changed() -> None:
    managers = Group.objects.get(name="Managers")
    managers.permissions.remove(Permission.objects.get(codename="delete_ticket"))
    managers.permissions.add(Permission.objects.get(codename="change_user"))
    Group.objects.get(name="Read-only").delete()
    delete_workflow(actor=HUB, workflow=Workflow.objects.get(name="Newsletter → Ignore"))
    Workflow.objects.filter(name="Spam → Ignore").update(enabled=False, name="Junk")
    Label.objects.get(slug="order").delete()
    Label.objects.filter(slug="general").update(name="Andet")
    Mailbox.objects.filter(slug="api").update(name="Programs", enabled=False)
    before = everything()

    migrate()
    migrate()

    assert everything() == before
    assert not Group.objects.filter(name="Read-only").exists()
    assert "tickets.delete_ticket" not in rights_of("Managers")


def test_a_built_in_mailbox_that_is_gone_comes_back() -> None:
    Mailbox.objects.get(slug="test").delete()
    migrate()
    assert Mailbox.objects.get(slug="test").protocol == "builtin"


def test_a_right_of_a_later_version_reaches_the_group_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rights_of("Agents")
    Group.objects.get(name="Read-only").delete()
    for name in ("Agents", "Read-only"):
        monkeypatch.setitem(GROUPS, name, GROUPS[name] | {"tickets.auditentry": ("view",)})

    migrate()
    assert rights_of("Agents") == before | {"tickets.view_auditentry"}
    assert not Group.objects.filter(name="Read-only").exists()

    Group.objects.get(name="Agents").permissions.remove(Permission.objects.get(codename="view_auditentry"))
    migrate()
    assert rights_of("Agents") == before


def test_a_right_whose_table_comes_later_is_given_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "Agents", GROUPS["Agents"] | {"tickets.worklog": ("view",)})
    migrate()
    ticket_type = Permission.objects.get(codename="view_ticket").content_type
    Permission.objects.create(codename="view_worklog", name="Can view worklog", content_type=ticket_type)
    migrate()
    assert "tickets.view_worklog" in rights_of("Agents")


def test_a_group_of_a_later_version_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "Billing", {"tickets.customer": ("view",), "emailflow.message": ("view",)})
    migrate()
    assert rights_of("Billing") == {"tickets.view_customer", "emailflow.view_message"}


def test_a_group_of_the_companys_own_with_the_same_name_keeps_its_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    Group.objects.get(name="Read-only").delete()
    Group.objects.create(name="Read-only")
    migrate()
    assert rights_of("Read-only") == set()
