"""The only writer of rules: for the admin, the API, the importer and the first installation alike."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from emailflow.models import ANY_LABEL, Label, Workflow, WorkflowCondition, WorkflowStep
from emailflow.workflow import registry, store
from emailflow.workflow.base import Action, Condition, JSONDict, Step
from emailflow.workflow.forms import check_params
from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError

LONGEST_NAME = 200
MOST_STEPS = 50
_ORDER_LIMIT = 2**31
_FIELDS = (
    "name",
    "description",
    "classification_trigger",
    "confidence_threshold",
    "order",
    "stop",
    "enabled",
)


def save_workflow(*, actor: Actor, workflow: Workflow, conditions: Sequence[Step], steps: Sequence[Step]) -> Workflow:
    """Write a new or changed workflow with all its conditions and steps, and count up its version.

    Nothing is written when nothing has changed. Raises ServiceError, with ``field`` like ``name`` or
    ``workflow_steps[0].params.priority``; the id of a row that is not here is wrong only while it is enabled.
    """
    _check_own_fields(workflow)
    conditions, missing = _checked("conditions", "condition", conditions, registry.conditions)
    steps, missing_too = _checked("workflow_steps", "action", steps, registry.actions)
    for error in (*missing, *missing_too):
        if workflow.enabled:
            raise error
    try:
        # One transaction, or the engine could see a workflow with half of its steps. The row is locked so
        # that two people who save at once leave the whole of one of the two, and the audit is true.
        with transaction.atomic():
            stored = _locked(workflow)
            old = describe_workflow(stored) if stored else None
            new = _values(workflow, conditions, steps)
            if old == new:
                return workflow
            if stored:
                workflow.version = stored.version + 1
                workflow.save(update_fields=[*_FIELDS, "version", "updated_at"])
            else:
                workflow.save(force_insert=True)
            _write_rows(WorkflowCondition, workflow, "condition", conditions)
            _write_rows(WorkflowStep, workflow, "action", steps)
            _record(actor, workflow, old, new)
            store.changed()
    except IntegrityError as error:
        if Workflow.objects.exclude(pk=workflow.pk).filter(name=workflow.name).exists():
            raise ServiceError("There is already a workflow with this name.", field="name") from error
        raise
    return workflow


def delete_workflow(*, actor: Actor, workflow: Workflow) -> None:
    """Remove the rule and its steps. What it did stays listed under its name. Conflict when it is gone."""
    # The audit entry must not outlive a failed delete, nor the delete the entry.
    with transaction.atomic():
        stored = _locked(workflow)
        if stored:
            old = describe_workflow(stored)
            audit.record(actor=actor, action="workflow.deleted", entity=stored, old=_plain(old))
            stored.delete()
            store.changed()


def missing_rows(*, conditions: Sequence[Step], steps: Sequence[Step]) -> list[ServiceError]:
    """What the parameters name by id and is not here. Raises ServiceError for what is wrong otherwise."""
    return [
        *_checked("conditions", "condition", conditions, registry.conditions)[1],
        *_checked("workflow_steps", "action", steps, registry.actions)[1],
    ]


def describe_workflow(workflow: Workflow) -> JSONDict:
    """The workflow in the form of import and export (DESIGN: rules), with every key. Two statements."""
    conditions = [Step(row.condition, row.params) for row in workflow.conditions.all()]
    steps = [Step(row.action, row.params) for row in workflow.steps.all()]
    return _values(workflow, conditions, steps)


def _check_own_fields(workflow: Workflow) -> None:
    workflow.name = " ".join(workflow.name.split())
    if not workflow.name or len(workflow.name) > LONGEST_NAME:
        raise ServiceError(f"Enter a name of at most {LONGEST_NAME} characters.", field="name")
    if Workflow.objects.exclude(pk=workflow.pk).filter(name=workflow.name).exists():
        raise ServiceError("There is already a workflow with this name.", field="name")
    trigger = workflow.classification_trigger
    if trigger != ANY_LABEL and not Label.objects.filter(slug=trigger).exists():
        raise ServiceError(f"There is no label {trigger!r}; * means any label.", field="classification_trigger")
    threshold = workflow.confidence_threshold
    if not (math.isfinite(threshold) and 0 <= threshold <= 1):
        raise ServiceError("Enter a number from 0 to 1.", field="confidence_threshold")
    if not -_ORDER_LIMIT <= workflow.order < _ORDER_LIMIT:
        raise ServiceError("Enter a smaller number.", field="order")


def _checked(
    key: str, noun: str, steps: Sequence[Step], plugins: Mapping[str, Action] | Mapping[str, Condition]
) -> tuple[list[Step], list[ServiceError]]:
    """The steps with their parameters as they are stored, and errors for the rows that are not here."""
    if key == "workflow_steps" and not steps:
        raise ServiceError("Enter at least one step: a workflow without one does nothing.", field=key)
    if len(steps) > MOST_STEPS:
        raise ServiceError(f"Enter at most {MOST_STEPS}.", field=key)
    checked: list[Step] = []
    missing: list[ServiceError] = []
    for number, step in enumerate(steps):
        plugin = plugins.get(step.slug)
        if plugin is None:
            raise ServiceError(f"There is no {noun} {step.slug!r}.", field=f"{key}[{number}].{noun}")
        params, problems = check_params(plugin.ParamsForm, step.params)
        checked.append(Step(step.slug, params))
        for problem in problems:
            path = ".".join(filter(None, [f"{key}[{number}].params", problem.field]))
            error = ServiceError(problem.message, field=path)
            if not problem.no_such_row:
                raise error
            missing.append(error)
    return checked, missing


def _locked(workflow: Workflow) -> Workflow | None:
    """Lock the stored row; None for a new workflow. Raises Conflict when somebody else has deleted it."""
    if workflow.pk is None:
        return None
    stored = Workflow.objects.select_for_update(no_key=True).filter(pk=workflow.pk).first()
    if stored is None:
        raise Conflict("Somebody else has deleted this workflow.")
    return stored


def _write_rows(
    model: type[WorkflowCondition] | type[WorkflowStep], workflow: Workflow, slug: str, steps: Sequence[Step]
) -> None:
    """Write over the rows that are there, so that a page somebody has open still names rows that exist."""
    manager: Any = model.objects
    rows = list(manager.filter(workflow=workflow).order_by("position", "id"))
    for number, step in enumerate(steps[: len(rows)]):
        setattr(rows[number], slug, step.slug)
        rows[number].position = number
        rows[number].params = dict(step.params)
    manager.bulk_update(rows[: len(steps)], [slug, "position", "params"])
    manager.bulk_create(
        model(
            workflow=workflow,
            position=number,
            params=dict(steps[number].params),
            **{slug: steps[number].slug},
        )
        for number in range(len(rows), len(steps))
    )
    manager.filter(pk__in=[row.pk for row in rows[len(steps) :]]).delete()


def _values(workflow: Workflow, conditions: Sequence[Step], steps: Sequence[Step]) -> JSONDict:
    return {
        **{name: getattr(workflow, name) for name in _FIELDS},
        "conditions": [{"condition": step.slug, "params": dict(step.params)} for step in conditions],
        "workflow_steps": [{"action": step.slug, "params": dict(step.params)} for step in steps],
    }


def _record(actor: Actor, workflow: Workflow, old: JSONDict | None, new: JSONDict) -> None:
    changed = [key for key in new if old is None or old[key] != new[key]]
    audit.record(
        actor=actor,
        action="workflow.created" if old is None else "workflow.changed",
        entity=workflow,
        old=_plain({key: old[key] for key in changed}) if old else {},
        new=_plain({key: new[key] for key in changed}),
    )


def _plain(values: JSONDict) -> JSONDict:
    """For the audit log, which holds no texts and no addresses: of an address, its domain is kept."""
    plain = {key: _without_addresses(value) for key, value in values.items()}
    if plain.get("description"):
        plain["description"] = "(text)"
    return plain


def _without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_addresses(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_addresses(inner) for inner in value]
    if isinstance(value, str) and "@" in value:
        return f"(address)@{value.rpartition('@')[2]}"
    return value
