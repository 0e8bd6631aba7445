"""What ``/healthz`` and ``/readyz`` promise to a load balancer and to monitoring."""

import re
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule, Task

from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message
from hub.heartbeat import beat, last_beat
from hub.models import Heartbeat
from tests.mails import mail


@pytest.mark.django_db
def test_it_answers_without_login_when_the_database_answers(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "worker": "no heartbeat yet",
        "heartbeat_age_seconds": None,
    }


@pytest.mark.django_db
def test_it_shows_the_age_of_the_heartbeat(client: Client) -> None:
    beat()
    fresh = client.get("/healthz").json()
    assert fresh["worker"] == "ok"
    assert fresh["heartbeat_age_seconds"] < 60
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=10))
    assert client.get("/healthz").json()["worker"] == "silent"


@pytest.mark.django_db
def test_each_beat_renews_the_one_row() -> None:
    beat()
    first = last_beat()
    beat()
    second = last_beat()
    assert first and second and second > first
    assert Heartbeat.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_is_503_in_words(client: Client) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Heartbeat, "hub_heartbeat", "hub_heartbeat_away")
    try:
        answer = client.get("/healthz")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Heartbeat, "hub_heartbeat_away", "hub_heartbeat")
    assert answer.status_code == 503
    assert answer.json() == {"status": "error", "detail": "The database does not answer."}


@pytest.mark.django_db
def test_it_is_ready_while_worker_and_queue_are_well(client: Client) -> None:
    beat()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["problems"] == []
    assert answer.json()["oldest_due_seconds"] == 0


@pytest.mark.django_db
def test_a_silent_worker_is_not_ready_and_says_since_when(client: Client) -> None:
    assert client.get("/readyz").json()["problems"] == ["The worker has not begun."]
    beat()
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=10))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert re.fullmatch(r"The worker has been silent for 60\d s\.", answer.json()["problems"][0])


@pytest.mark.django_db
def test_a_heartbeat_that_staff_switched_off_is_not_missed(client: Client) -> None:
    Schedule.objects.filter(func="hub.heartbeat.beat").delete()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["received", "waiting", "processing"])
def test_mail_that_nobody_takes_is_not_ready(client: Client, state: str, settings: LazySettings) -> None:
    beat()
    message = receive_bytes(mail(), mailbox=Mailbox.objects.get(slug="test")).message
    Message.objects.update(state=state, next_attempt_at=timezone.now() + timedelta(minutes=1))
    assert client.get("/readyz").status_code == 200
    Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now() - timedelta(minutes=6))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert re.fullmatch(r"Mail has been waiting for 36\d s\.", answer.json()["problems"][0])
    settings.TICKET_ENABLED = False
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_without_its_database_it_is_not_ready(client: Client) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Heartbeat, "hub_heartbeat", "hub_heartbeat_away")
    try:
        answer = client.get("/readyz")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Heartbeat, "hub_heartbeat_away", "hub_heartbeat")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["The database does not answer."])


@pytest.mark.django_db
def test_a_cluster_that_writes_no_results_is_silent_although_its_tasks_run(client: Client) -> None:
    now = timezone.now()
    Task.objects.create(id="1", name="one", func="hub.heartbeat.beat", started=now, stopped=now, success=True)
    beat()
    assert client.get("/healthz").json()["worker"] == "ok"
    Heartbeat.objects.filter(name="results").update(beat_at=now - timedelta(minutes=5))
    beat()
    assert client.get("/healthz").json()["worker"] == "silent"
