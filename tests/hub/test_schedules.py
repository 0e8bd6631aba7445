"""What the schedules promise: put in once, and never against the will of the staff."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from hub.schedules import SCHEDULES, bring_back, heartbeat_is_scheduled

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


def test_what_a_host_with_a_wrong_clock_put_off_for_hours_is_due_now() -> None:
    now = timezone.now()
    Schedule.objects.filter(func="hub.heartbeat.beat").update(next_run=now + timedelta(hours=2))
    assert bring_back() == ["Heartbeat of the worker"]
    assert Schedule.objects.get(func="hub.heartbeat.beat").next_run <= timezone.now()
    assert bring_back() == []


def test_what_staff_want_once_an_hour_is_left_alone() -> None:
    in_an_hour = timezone.now() + timedelta(hours=1)
    Schedule.objects.filter(func="hub.heartbeat.beat").update(minutes=60, next_run=in_an_hour)
    assert bring_back() == []
    assert Schedule.objects.get(func="hub.heartbeat.beat").next_run == in_an_hour


def test_a_schedule_names_a_function_that_exists() -> None:
    from django.utils.module_loading import import_string

    for schedule in SCHEDULES:
        assert callable(import_string(schedule.func))
