"""What ``/healthz`` promises to a load balancer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from hub.heartbeat import beat, last_beat
from hub.models import Heartbeat


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
