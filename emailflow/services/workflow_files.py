"""Workflows as JSON, out and in again. What is exported here comes in identical elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.db import transaction
from django.db.models import QuerySet

from emailflow.models import ANY_LABEL, Workflow
from emailflow.services.workflows import describe_workflow, missing_rows, save_workflow
from emailflow.workflow.base import JSONDict, Step
from tickets.actors import Actor
from tickets.errors import ServiceError

DEFAULT_THRESHOLD = 0.7

Outcome = Literal["created", "updated", "unchanged", "failed"]

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "name": (str, "a text"),
    "description": (str, "a text"),
    "classification_trigger": (str, "a text"),
    "confidence_threshold": ((int, float), "a number from 0 to 1"),
    "order": (int, "a whole number"),
    "stop": (bool, "true or false"),
    "enabled": (bool, "true or false"),
    "conditions": (list, "a list"),
    "workflow_steps": (list, "a list"),
}
_REQUIRED = ("name", "classification_trigger", "workflow_steps")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one workflow of a file."""

    name: str
    outcome: Outcome
    notes: tuple[str, ...] = ()  # why it came in switched off
    field: str = ""
    error: str = ""

    def __str__(self) -> str:
        if self.outcome == "failed":
            return (
                f"failed: {self.name}: {self.field}: {self.error}"
                if self.field
                else (f"failed: {self.name}: {self.error}")
            )
        return f"{self.outcome}: {self.name}" + "".join(f" ({note})" for note in self.notes)


def export_workflows(workflows: QuerySet[Workflow]) -> list[JSONDict]:
    """In order. Three statements."""
    rows = workflows.order_by("order", "id").prefetch_related("conditions", "steps")
    return [describe_workflow(row) for row in rows]


def import_workflows(*, actor: Actor, data: list[Any], dry_run: bool = False) -> list[ImportResult]:
    """Write each workflow, by its name, in a transaction of its own; a dry run writes nothing.

    A workflow that is already here gets trigger, threshold, conditions and steps of the file; order, stop,
    enabled and description only if the file names them. One that names an id of no row here comes in switched
    off. One that is wrong is not written at all, and the others go on.
    """
    results = []
    seen: set[str] = set()
    for number, item in enumerate(data, start=1):
        name = item.get("name") if isinstance(item, dict) else None
        shown = name if isinstance(name, str) and name.strip() else f"workflow {number} of the file"
        try:
            if shown in seen:
                raise ServiceError("This name is in the file twice.", field="name")
            seen.add(shown)
            results.append(_import_one(actor, item, dry_run=dry_run))
        except ServiceError as error:
            results.append(ImportResult(shown, "failed", field=error.field, error=error.message))
    return results


def _import_one(actor: Actor, item: Any, *, dry_run: bool) -> ImportResult:
    _check_types(item)
    conditions = _steps(item, "conditions", "condition")
    steps = _steps(item, "workflow_steps", "action")
    # All of this workflow or nothing of it; and a dry run goes the whole way and is rolled back.
    with transaction.atomic():
        workflow = _workflow(item)
        new, version = workflow.pk is None, workflow.version
        missing = missing_rows(conditions=conditions, steps=steps)
        if missing:
            workflow.enabled = False
        save_workflow(actor=actor, workflow=workflow, conditions=conditions, steps=steps)
        transaction.set_rollback(dry_run)
    notes = tuple(f"switched off: {error.field}: {error.message}" for error in missing)
    changed = workflow.version != version
    return ImportResult(workflow.name, "created" if new else "updated" if changed else "unchanged", notes)


def default_threshold(trigger: str) -> float:
    """Where none is named: a rule for anything asks for no certainty."""
    return 0.0 if trigger == ANY_LABEL else DEFAULT_THRESHOLD


def _workflow(item: JSONDict) -> Workflow:
    """The row to save: the one of that name, or a new one."""
    name = " ".join(item["name"].split())
    workflow = Workflow.objects.filter(name=name).first() or Workflow(name=name)
    trigger = item["classification_trigger"]
    workflow.classification_trigger = trigger
    workflow.confidence_threshold = float(item.get("confidence_threshold", default_threshold(trigger)))
    for key in ("description", "order", "stop", "enabled"):
        if key in item:
            setattr(workflow, key, item[key])
    return workflow


def _check_types(item: Any) -> None:
    if not isinstance(item, dict):
        raise ServiceError("It is not an object with names and values.")
    _check_keys(item, _REQUIRED, _TYPES, "")
    for key, value in item.items():
        kind, words = _TYPES[key]
        # In Python true is also a number.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ServiceError(f"It must be {words}.", field=key)


def _check_keys(item: JSONDict, required: Iterable[str], known: Iterable[str], path: str) -> None:
    for key in required:
        if key not in item:
            raise ServiceError("It is missing.", field=f"{path}{key}")
    for key in item:
        if key not in known:
            raise ServiceError("There is no such field.", field=f"{path}{key}")


def _steps(item: JSONDict, key: str, noun: str) -> list[Step]:
    steps = []
    for number, step in enumerate(item.get(key, [])):
        path = f"{key}[{number}]"
        if not isinstance(step, dict):
            raise ServiceError("It is not an object with names and values.", field=path)
        _check_keys(step, [noun], [noun, "params"], f"{path}.")
        if not isinstance(step[noun], str):
            raise ServiceError("It must be a text.", field=f"{path}.{noun}")
        steps.append(Step(step[noun], step.get("params", {})))
    return steps
