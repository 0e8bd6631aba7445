"""The trace of a mail: what was found and decided, as data, and told again in sentences."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from emailflow.inbound.work import Work
from emailflow.models import Message, Outcome, State, Trace
from emailflow.workflow.base import Plan

if TYPE_CHECKING:
    from emailflow.inbound.filing import Placing


def trace_of(work: Work, *, placing: "Placing", results: list[dict[str, Any]]) -> Trace:
    """An unsaved row. Names and sentences only; the mail itself stays in its blob."""
    classification = work.classification
    signals = [signal.describe() for signal in work.signals]
    if work.parent is not None:
        signals.append(f"it answers mail {work.parent.message.pk}, which came at the same time")
    joining = [f"Joined: {placing.gate.reason}." for _ in [0] if placing.gate is not None and placing.linked]
    return Trace(
        message=work.message,
        facts={
            "kind": work.kind.value,
            "kind_reason": work.kind_reason,
            "verdict": work.verdict.value,
            "verdict_reason": work.verdict_reason,
            "label": classification.label if classification else "",
            "confidence": classification.confidence if classification else None,
            "label_reasons": list(classification.reasons) if classification else [],
            "tags": list(work.tags),
            "priority": work.priority,
            "priority_reason": work.priority_reason,
            "duplicate_of": work.duplicate_of.pk if work.duplicate_of else None,
            "defects": list(work.mail.defects),
            "remarks": [*joining, *work.mail.notes, *placing.remarks, *filter(None, [placing.held])],
            "settings": _switched_off(),
        },
        signals=signals,
        rules=_rules(work.plan),
        plan=work.plan.describe() if work.plan else [],
        results=results,
        updated_at=timezone.now(),
    )


def _switched_off() -> list[str]:
    return [name for name in ("TICKET_EMAIL_INTEGRATION", "EMAIL_WORKFLOWS_ENABLED") if not getattr(settings, name)]


def _rules(plan: Plan | None) -> list[dict[str, Any]]:
    if plan is None:
        return []
    return [
        {
            "workflow_id": planned.workflow_id,
            "name": planned.name,
            "fired": planned.fired,
            "reasons": list(planned.reasons),
            "error": planned.error,
            "plan": [intent.describe() for _, intent in planned.intents],
        }
        for planned in plan.workflows
    ]


def sentences(message: Message) -> list[str]:
    """Why this mail became what it became, for people. Reads the trace and the ticket's number."""
    told = [
        f"Mail {message.pk} from {message.from_address or 'nobody'} came into {message.mailbox} at "
        f"{timezone.localtime(message.received_at):%Y-%m-%d %H:%M}."
    ]
    trace = Trace.objects.filter(message=message).first()
    if trace is not None:
        told += _facts_told(trace.facts)
        told += [f"{signal[:1].upper()}{signal[1:]}." for signal in trace.signals] or ["No mark leads to a ticket."]
        for rule in trace.rules:
            verb = "is broken" if rule["error"] else "fired" if rule["fired"] else "did not fire"
            why = "; ".join([*rule["reasons"], *filter(None, [rule["error"]])])
            told.append(f"Rule “{rule['name']}” {verb}: {why}.")
            told += [f"→ {sentence}" for sentence in rule["plan"]]
        broken = [one for one in trace.results if one["error"]]
        told += [f"Rule “{one['workflow']}” failed: {one['error'].rstrip('.')}." for one in broken]
    told.append(_end(message))
    return told


def _facts_told(facts: dict[str, Any]) -> list[str]:
    told = [f"It is a mail of the kind {facts['kind']}: {facts['kind_reason']}"]
    told.append(f"Sender: {facts['verdict']}: {facts['verdict_reason']}")
    if facts["label"]:
        why = "; ".join(facts["label_reasons"])
        told.append(f"It looks like {facts['label']} ({facts['confidence']:.0%}){': ' + why if why else '.'}")
    if facts["priority"]:
        told.append(f"Priority {facts['priority']}: {facts['priority_reason']}")
    if facts["tags"]:
        told.append(f"Tags in the text: {', '.join(facts['tags'])}.")
    if facts["duplicate_of"]:
        told.append(f"It repeats mail {facts['duplicate_of']}.")
    told += [*facts["defects"], *facts["remarks"]]
    told += [f"{name} is false." for name in facts["settings"]]
    return told


def _end(message: Message) -> str:
    ticket = f" {message.ticket.ticket_number}" if message.ticket else ""
    if message.state == State.FAILED:
        return f"It failed: {message.last_error}"
    if message.state == State.RECEIVED and not settings.TICKET_ENABLED:
        return "It waits: tickets are off."
    if message.state != State.PROCESSED:
        return f"State: {message.get_state_display()}. {message.last_error}".strip()
    return {
        Outcome.TICKET_CREATED: f"It opened{ticket}.",
        Outcome.LINKED: f"It joined{ticket}.",
        Outcome.BOUNCE: f"It is a delivery report{' about' + ticket if ticket else ''}.",
        Outcome.AUTO_REPLY: f"It is an automatic reply, kept as a note on{ticket}.",
        Outcome.IGNORED: "It was ignored.",
        Outcome.DUPLICATE: f"It is a duplicate{' of a mail on' + ticket if ticket else ''}.",
        Outcome.UNROUTED: f"No rule took it: it waits for a person. {message.last_error}".strip(),
    }[Outcome(message.outcome)]
