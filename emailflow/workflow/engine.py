"""Decides: facts and workflows in, a plan out. Pure; knows no condition and no action by name.

A workflow fires when its trigger equals the label (or is ``*``), the confidence reaches its threshold, and
all its conditions hold. Workflows are looked at in order; ``stop`` ends the run. A workflow that is broken
(an unknown action, parameters that its plug-in no longer takes) plans nothing and says why; the others go on,
so that a rule that opens a ticket for everything still gets the mail.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from emailflow.workflow import registry
from emailflow.workflow.base import (
    ANY_LABEL,
    Facts,
    Intent,
    Plan,
    PlannedWorkflow,
    Step,
    StepError,
    WorkflowSpec,
)
from emailflow.workflow.params import check_names

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


def decide(facts: Facts, workflows: Sequence[WorkflowSpec]) -> Plan:
    """What the rules want done with this mail. The same input gives the same plan. Raises nothing."""
    stopped_by = ""
    planned: list[PlannedWorkflow] = []
    for spec in sorted(workflows, key=lambda spec: (spec.order, spec.id)):
        if stopped_by:
            planned.append(_not_fired(spec, f"not looked at: {stopped_by} ended the run"))
            continue
        planned.append(_plan(spec, facts))
        if spec.stop and planned[-1].fired and not planned[-1].error:
            stopped_by = spec.name
    return Plan(tuple(planned), stopped_by)


def _plan(spec: WorkflowSpec, facts: Facts) -> PlannedWorkflow:
    held, why = _listens(spec, facts)
    if not held:
        return _not_fired(spec, *why)
    broken: list[str] = []
    for condition in spec.conditions:
        try:
            holds, reason = _condition(condition, facts)
        except StepError as error:
            broken.append(f"condition {condition.slug}: {error}")
            continue
        held = held and holds
        why.append(f"condition {condition.slug}: {reason} - {'holds' if holds else 'does not hold'}")
    if broken:
        return _not_fired(spec, *why, *broken, error="; ".join(broken))
    if not held:
        return _not_fired(spec, *why)
    intents: list[tuple[str, Intent]] = []
    for step in spec.steps:
        try:
            intents += [(step.slug, intent) for intent in _action(step, facts)]
        except StepError as error:
            return PlannedWorkflow(
                spec.id, spec.name, fired=True, reasons=tuple(why), error=f"action {step.slug}: {error}"
            )
    return PlannedWorkflow(spec.id, spec.name, fired=True, reasons=tuple(why), intents=tuple(intents))


def _listens(spec: WorkflowSpec, facts: Facts) -> tuple[bool, list[str]]:
    """Trigger and threshold."""
    if spec.trigger == ANY_LABEL:
        why = ["any label"]
    elif spec.trigger == facts.label:
        why = [f"label is {facts.label}"]
    else:
        return False, [f"label {facts.label} is not {spec.trigger}"]
    # Asked this way round, a confidence that is no number reaches nothing.
    reached = facts.confidence >= spec.threshold
    relation = "reaches" if reached else "is below"
    why.append(f"confidence {_number(facts.confidence)} {relation} {_number(spec.threshold)}")
    return reached, why


def _condition(step: Step, facts: Facts) -> tuple[bool, str]:
    condition = registry.conditions.get(step.slug)
    if condition is None:
        raise StepError("there is no such condition")
    params = check_names(condition.ParamsForm, step.params)

    def ask() -> tuple[bool, str]:
        holds, reason = condition.holds(facts, params)
        return holds is True, str(reason)

    return _guarded(ask)


def _action(step: Step, facts: Facts) -> list[Intent]:
    action = registry.actions.get(step.slug)
    if action is None:
        raise StepError("there is no such action")
    params = check_names(action.ParamsForm, step.params)

    def ask() -> list[Intent]:
        intents = list(action.plan(facts, params))
        for intent in intents:
            # The trace will ask for it, in a place where an error would cost the mail.
            intent.describe()
        return intents

    return _guarded(ask)


def _guarded(call: Callable[[], _T]) -> _T:
    """Plug-ins may be anybody's code: whatever they raise breaks their own rule, not the mail."""
    try:
        return call()
    except StepError:
        raise
    except Exception as error:
        logger.exception("A plug-in of the rules failed")
        raise StepError(f"{type(error).__name__}: {error}") from error


def _not_fired(spec: WorkflowSpec, *reasons: str, error: str = "") -> PlannedWorkflow:
    return PlannedWorkflow(spec.id, spec.name, fired=False, reasons=reasons, error=error)


def _number(value: Any) -> str:
    return f"{value:.2f}" if round(value, 2) == value else f"{value:.4f}"
