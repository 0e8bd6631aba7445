"""The rules as plain values for the engine, kept in memory between mails.

The rows are read again when their stamp has changed; the stamp is asked for at most once a second. So a group
of mails costs at most one statement, and a change by staff holds a second later in every process.
"""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Sum

from emailflow.models import Workflow, WorkflowCondition, WorkflowStep
from emailflow.workflow.base import Step, WorkflowSpec

SECONDS_BETWEEN_LOOKS = 1.0
READINGS = 5  # somebody is importing rules: then the last reading must do


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[Any, ...]
    specs: tuple[WorkflowSpec, ...]
    looked_at: float  # monotonic seconds; 0 when the next reader must look again


_lock = threading.Lock()
_kept: _Kept | None = None


def load_workflows() -> tuple[WorkflowSpec, ...]:
    """The enabled workflows in order. One statement at most while nothing has changed, else five."""
    kept = _kept
    inside = connection.in_atomic_block
    if kept and not inside and kept.looked_at > 0 and time.monotonic() - kept.looked_at < SECONDS_BETWEEN_LOOKS:
        return kept.specs
    looked_at = time.monotonic()
    stamp = _stamp()
    if kept and kept.stamp == stamp:
        specs = kept.specs
    else:
        stamp, specs = _read_whole(stamp)
    # Rows seen inside a transaction may be rolled back: who comes next must compare the stamp once more.
    _keep(_Kept(stamp, specs, 0.0 if inside else looked_at))
    return specs


def forget() -> None:
    """The next reader reads the rows. Called by whoever changes them, before and after the commit."""
    _keep(None)


def changed() -> None:
    """Rules have been written in this transaction.

    Forgotten now, for this transaction's own eyes, and after the commit, because another thread may have read
    the old rows in the meantime.
    """
    forget()
    transaction.on_commit(forget)


def _keep(kept: _Kept | None) -> None:
    global _kept
    with _lock:
        _kept = kept


def _stamp() -> tuple[Any, ...]:
    values = Workflow.objects.aggregate(
        count=Count("id"), newest=Max("updated_at"), last=Max("id"), versions=Sum("version")
    )
    return tuple(values.values())


def _read_whole(stamp: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[WorkflowSpec, ...]]:
    """The rows of one moment: never a workflow with the steps of its next version."""
    for _ in range(READINGS):
        specs = _read()
        now = _stamp()
        if now == stamp:
            break
        stamp = now
    return stamp, specs


def _read() -> tuple[WorkflowSpec, ...]:
    rows = list(Workflow.objects.filter(enabled=True).order_by("order", "id"))
    ids = [row.pk for row in rows]
    conditions: dict[int, list[Step]] = defaultdict(list)
    for condition in WorkflowCondition.objects.filter(workflow__in=ids).order_by("position", "id"):
        conditions[condition.workflow_id].append(Step(condition.condition, condition.params))
    steps: dict[int, list[Step]] = defaultdict(list)
    for step in WorkflowStep.objects.filter(workflow__in=ids).order_by("position", "id"):
        steps[step.workflow_id].append(Step(step.action, step.params))
    return tuple(
        WorkflowSpec(
            id=row.pk,
            name=row.name,
            trigger=row.classification_trigger,
            threshold=row.confidence_threshold,
            conditions=tuple(conditions[row.pk]),
            steps=tuple(steps[row.pk]),
            stop=row.stop,
            order=row.order,
        )
        for row in rows
    )
