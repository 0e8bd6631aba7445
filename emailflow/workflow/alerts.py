"""Which rules fail, for the alert line on the admin's front page."""

from datetime import datetime, timedelta

from django.db.models import Count

from emailflow.models import ExecutionStatus, Workflow

FAILURES = 3
WINDOW = timedelta(hours=1)


def failing_workflows(now: datetime) -> list[tuple[Workflow, int]]:
    """Workflows that failed three times within the hour before ``now``, the worst first. One statement."""
    failing = (
        Workflow.objects.filter(
            executions__status=ExecutionStatus.FAILED,
            executions__dry_run=False,
            executions__created_at__gt=now - WINDOW,
            executions__created_at__lte=now,
        )
        .annotate(failures=Count("executions"))
        .filter(failures__gte=FAILURES)
        .order_by("-failures", "name")
    )
    return [(workflow, workflow.failures) for workflow in failing]
