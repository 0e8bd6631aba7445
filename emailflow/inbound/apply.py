"""Carries plans out: tickets, comments, log rows, audit rows, executions, traces and the new state of the mails
in one transaction.

One mail is the normal case, a backlog comes in groups; it is the same code. A group that fails is rolled back
and bisected, so that one poison mail costs a few retries, not the group.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from emailflow.inbound.filing import Filing, Placing
from emailflow.inbound.house import House
from emailflow.inbound.thread import in_order
from emailflow.inbound.trace import trace_of
from emailflow.inbound.work import Work
from emailflow.inbound.writeback import write_back
from emailflow.mail import Kind
from emailflow.models import Execution, ExecutionStatus, Outcome, State, Trace
from emailflow.outbound.acknowledge import acknowledge
from emailflow.outbound.returned import note_return
from emailflow.workflow.base import Plan, PlannedWorkflow, StepError, WorkflowSpec
from emailflow.workflow.context import ApplyContext
from emailflow.workflow.engine import decide
from emailflow.workflow.results import plain
from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.services.unit import UnitOfWork

logger = logging.getLogger(__name__)

Workflows = Callable[[], Sequence[WorkflowSpec]]


class GroupBroken(Exception):
    """A rule failed on one mail of a group: nothing is written, the group is tried again in halves."""


@dataclass(slots=True)
class Ran:
    """What one workflow did to one mail."""

    planned: PlannedWorkflow
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Filed:
    work: Work
    context: ApplyContext
    placing: Placing
    ran: list[Ran]

    @property
    def error(self) -> str:
        return "; ".join(f"{one.planned.name}: {one.error}" for one in self.ran if one.error)


def apply_works(works: Sequence[Work], *, house: House, workflows: Workflows, token: str) -> list[Filed]:
    """One transaction for all mails. Locks messages, then tickets by id, then what the unit of work locks.

    Raises LeaseLost, GroupBroken (more than one mail), IntegrityError when another worker files the same mail
    now, and whatever the database says; then nothing is written.
    """
    # Ticket, log, trace and the mail's new state in one commit: a killed worker leaves all of them or none.
    with transaction.atomic():
        write_back({work.message.pk: {"identity": work.identity} for work in works}, token=token)
        unit = UnitOfWork()
        filing = Filing.load(unit, house, works)
        filed = [_file(work, filing, workflows, alone=len(works) == 1) for work in in_order(works)]
        _explain(filed, unit)
        unit.flush()
        write_back({one.work.message.pk: _row(one) for one in filed}, token=token)
    return filed


def _file(work: Work, filing: Filing, workflows: Workflows, *, alone: bool) -> Filed:
    assert work.facts is not None
    work.ticket = None
    context = ApplyContext(facts=work.facts, filing=filing, actor=Actor.of_mail(work.message.pk))
    ran: list[Ran] = []
    if work.duplicate_of is not None:
        placing = filing.placings[work.message.pk] = Placing(work)
        ticket_id = work.duplicate_of.ticket_id
        work.ticket = filing.tickets.get(ticket_id) if ticket_id else None
        return Filed(work, context, placing, ran)
    placing = filing.begin(work, context)
    quiet = placing.held or (placing.linked and work.kind is Kind.AUTO_REPLY)
    if work.plan is not None and not quiet:
        ran = _run(work, work.plan, context, filing, workflows, alone=alone)
    filing.finish(work, context)
    placing = filing.placings[work.message.pk]
    if work.kind in (Kind.BOUNCE, Kind.COMPLAINT):
        note_return(work, filing.unit)
    if placing.opened and context.ticket is not None:
        acknowledge(work, context.ticket, house=filing.house, unit=filing.unit)
    return Filed(work, context, placing, ran)


def _run(
    work: Work,
    plan: Plan,
    context: ApplyContext,
    filing: Filing,
    workflows: Workflows,
    *,
    alone: bool,
) -> list[Ran]:
    ran: list[Ran] = []
    for planned in plan.workflows:
        if not (planned.fired or planned.error):
            continue
        one = _run_one(planned, context, filing, alone=alone)
        ran.append(one)
        if one.error and plan.stopped_by == planned.name and planned.fired and not planned.error:
            # A rule that failed does not end the run: the mail would be nobody's.
            later = _after(planned, workflows())
            ran += _run(work, decide(context.facts, later), context, filing, workflows, alone=alone)
            break
    return ran


def _after(planned: PlannedWorkflow, workflows: Sequence[WorkflowSpec]) -> list[WorkflowSpec]:
    ordered = sorted(workflows, key=lambda spec: (spec.order, spec.id))
    ids = [spec.id for spec in ordered]
    return ordered[ids.index(planned.workflow_id) + 1 :] if planned.workflow_id in ids else []


def _run_one(planned: PlannedWorkflow, context: ApplyContext, filing: Filing, *, alone: bool) -> Ran:
    """One workflow, whole or not at all: what it queued is cut away again, what it wrote rolled back."""
    ran = Ran(planned, error=planned.error)
    if planned.error:
        return ran
    started = time.monotonic()
    mark = filing.unit.mark()
    placing = filing.placings[context.facts.message_pk]
    before = (context.ticket, context.ignored, replace(context.wishes))
    place = replace(placing, remarks=list(placing.remarks))
    context.actor = Actor.of_rule(planned.workflow_id, planned.name)
    try:
        if alone:
            # A savepoint: what an action of another app wrote goes with its rule.
            with transaction.atomic():
                _carry_out(planned, context, ran)
        else:
            _carry_out(planned, context, ran)
    except (DatabaseError, OSError):
        raise  # trouble of the machine, not of the rule: the mail waits
    except Exception as error:  # an action of another app may raise anything: it is that rule's failure
        if not alone:
            raise GroupBroken(f"mail {context.facts.message_pk}: {planned.name}: {error}") from error
        filing.unit.cut(mark)
        context.ticket, context.ignored, context.wishes = before
        placing = filing.placings[context.facts.message_pk] = place
        known = isinstance(error, StepError | ServiceError)
        ran.error, ran.results = str(error) if known else f"{type(error).__name__}: {error}", []
        pk = context.facts.message_pk
        words = "mail %s: rule %r failed: %s"
        logger.warning(words, pk, planned.name, ran.error, exc_info=not known, extra={"mail": pk})
    ran.seconds = time.monotonic() - started
    return ran


def _carry_out(planned: PlannedWorkflow, context: ApplyContext, ran: Ran) -> None:
    for slug, intent in planned.intents:
        ran.results.append({"action": slug, **intent.apply(context)})


def _execution(one: Filed, ran: Ran) -> Execution:
    return Execution(
        message=one.work.message,
        workflow_id=ran.planned.workflow_id or None,
        workflow_name=ran.planned.name,
        run=one.work.message.run,
        status=ExecutionStatus.FAILED if ran.error else ExecutionStatus.SUCCESS,
        results=[plain(result) for result in ran.results],
        error=ran.error,
        duration=ran.seconds,
        created_at=timezone.now(),
    )


def _trace(one: Filed) -> Trace:
    results = [
        {"workflow": ran.planned.name, "error": ran.error, "results": [plain(r) for r in ran.results]}
        for ran in one.ran
    ]
    return trace_of(one.work, placing=one.placing, results=results)


def _explain(filed: Sequence[Filed], unit: UnitOfWork) -> None:
    """Executions and traces, made when the ids that they name are known."""
    unit.replace(Trace, unique=("message",), update=("facts", "signals", "rules", "plan", "results", "updated_at"))
    for one in filed:
        for ran in one.ran:
            unit.add_late(partial(_execution, one, ran))
        unit.add_late(partial(_trace, one))


def _row(one: Filed) -> dict[str, Any]:
    """The mail's columns after it was applied: the same names for each mail."""
    work, message = one.work, one.work.message
    state, outcome, error = _outcome(one)
    message.state, message.outcome, message.last_error = state, outcome, error
    message.ticket_id = work.ticket.pk if work.ticket else None
    return {
        "message_id": work.mail.message_id,
        "from_address": work.mail.sender.address,
        "from_name": work.mail.sender.name,
        "subject": work.mail.subject,
        "text_sha256": work.text_sha256,
        "attachments_sha256": work.attachments_sha256,
        "duplicate_of_id": work.duplicate_of.pk if work.duplicate_of else None,
        "kind": work.kind.value,
        "sender_verdict": work.verdict.value,
        "label": work.classification.label if work.classification else "",
        "confidence": work.classification.confidence if work.classification else None,
        "state": state.value,
        "outcome": outcome.value,
        "lease_token": "",
        "lease_until": None,
        "trouble_since": None,
        "last_error": error,
        "ticket_id": message.ticket_id,
    }


def _outcome(one: Filed) -> tuple[State, Outcome, str]:
    work, placing, context = one.work, one.placing, one.context
    if work.duplicate_of is not None:
        return State.PROCESSED, Outcome.DUPLICATE, ""
    if placing.opened:
        return State.PROCESSED, Outcome.TICKET_CREATED, one.error
    if work.kind in (Kind.BOUNCE, Kind.COMPLAINT):
        return State.PROCESSED, Outcome.BOUNCE, ""
    if work.kind is Kind.LOOP:
        if work.is_ours:
            return State.PROCESSED, Outcome.IGNORED, ""
        # From one of our addresses, but not from us: a person may wait for an answer.
        return State.PROCESSED, Outcome.UNROUTED, work.kind_reason
    if placing.filed_on is not None:
        done = Outcome.LINKED if work.own_is_reply else Outcome.TICKET_CREATED
        return State.PROCESSED, done, one.error
    if placing.linked:
        done = Outcome.AUTO_REPLY if work.kind is Kind.AUTO_REPLY else Outcome.LINKED
        return State.PROCESSED, done, one.error
    if context.ignored:
        return State.PROCESSED, Outcome.IGNORED, one.error
    if one.error:
        return State.FAILED, Outcome.NONE, one.error
    return State.PROCESSED, Outcome.UNROUTED, placing.held
