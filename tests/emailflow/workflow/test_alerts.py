"""The alert line of a rule that fails."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from emailflow.models import Execution, ExecutionStatus, Mailbox, Message, Protocol, Workflow
from emailflow.workflow.alerts import failing_workflows

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 12, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def message() -> Message:
    mailbox = Mailbox.objects.get_or_create(slug="support", defaults={"name": "Support", "protocol": Protocol.MAILDIR})[
        0
    ]
    return Message.objects.create(
        mailbox=mailbox, sha256="a" * 64, size=1, received_at=NOW, stored_at=NOW, next_attempt_at=NOW
    )


def failures(message: Message, name: str, *minutes_ago: int, **fields: object) -> Workflow:
    workflow = Workflow.objects.get_or_create(name=name)[0]
    for run, minutes in enumerate(minutes_ago, start=1):
        values = {"status": ExecutionStatus.FAILED, "run": run, **fields}
        Execution.objects.create(
            message=message,
            workflow=workflow,
            workflow_name=name,
            created_at=NOW - timedelta(minutes=minutes),
            **values,
        )
    return workflow


def test_three_failures_within_an_hour_raise_the_alert(message: Message) -> None:
    worse = failures(message, "Worse", 1, 2, 3, 59)
    bad = failures(message, "Bad", 0, 30, 59)
    failures(message, "Twice", 1, 2)
    failures(message, "Long ago", 1, 2, 60)
    failures(message, "Tried out", 1, 2, 3, dry_run=True)
    failures(message, "Fine", 1, 2, 3, status=ExecutionStatus.SUCCESS)
    with CaptureQueriesContext(connection) as queries:
        found = failing_workflows(NOW)
    assert found == [(worse, 4), (bad, 3)]
    assert len(queries) == 1
