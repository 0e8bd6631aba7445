"""What the schedules promise: put in once, and never against the will of the staff."""

import pytest
from django.core.management import call_command
from django_q.models import Schedule

from hub.schedules import SCHEDULES, heartbeat_is_scheduled

pytestmark = pytest.mark.django_db


def test_a_fresh_database_has_each_schedule_once() -> None:
    assert sorted(Schedule.objects.values_list("func", flat=True)) == sorted(s.func for s in SCHEDULES)


def test_migrating_again_adds_none() -> None:
    call_command("migrate", verbosity=0)
    assert Schedule.objects.count() == len(SCHEDULES)


def test_a_schedule_that_staff_deleted_stays_deleted() -> None:
    Schedule.objects.filter(func="hub.heartbeat.beat").delete()
    call_command("migrate", verbosity=0)
    assert not heartbeat_is_scheduled()


def test_a_schedule_that_staff_changed_stays_changed() -> None:
    Schedule.objects.filter(func="emailflow.tasks.pull_due_mailboxes").update(minutes=15)
    call_command("migrate", verbosity=0)
    assert Schedule.objects.get(func="emailflow.tasks.pull_due_mailboxes").minutes == 15


def test_a_schedule_names_a_function_that_exists() -> None:
    from django.utils.module_loading import import_string

    for schedule in SCHEDULES:
        assert callable(import_string(schedule.func))
