"""The words of the rules: facts in, intents out, a plan between them. Pure: no tables.

Conditions and actions are plug-ins: one class each with a slug, a label, a help text and a Django form for
its parameters. The engine knows none of them by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from django import forms

from emailflow.mail import Kind, ParsedMail, Verdict

if TYPE_CHECKING:
    from emailflow.workflow.context import ApplyContext

JSONDict = dict[str, Any]

ANY_LABEL = "*"  # as a trigger: whatever the label


class StepError(Exception):
    """A step that cannot be carried out: bad parameters or a missing object. Trying again does not help."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that rules may know of one mail. Frozen; made by the pipeline, read by rules and trace."""

    message_pk: int
    mail: ParsedMail
    mailbox_slug: str
    received_at: datetime
    kind: Kind = Kind.PERSON
    kind_reason: str = ""
    verdict: Verdict = Verdict.NONE
    verdict_reason: str = ""
    label: str = "general"
    confidence: float = 0.0
    label_reasons: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    priority: str | None = None
    priority_reason: str = ""
    thread_ticket_number: str = ""  # the ticket that threading found, or ''
    thread_signal: str = ""
    is_reply: bool = False  # threading found a ticket that the mail goes to


class Intent(Protocol):
    """One thing to do. A small frozen dataclass."""

    def describe(self) -> str:
        """What will happen, as a sentence for the trace."""

    def apply(self, context: "ApplyContext") -> JSONDict:
        """Do it through the services of ``context``; returns the result for the execution row.

        Raises StepError or ServiceError for what cannot be done. Opens no socket.
        """


class Action(Protocol):
    slug: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    ParamsForm: ClassVar[type[forms.Form]]

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> Sequence[Intent]:
        """Pure: what to do with this mail. ``params`` are the stored JSON parameters.

        ParamsForm accepted them when they were saved, and the engine has looked at their names; their types
        are read with ``params.Params``, which raises StepError. Whether a row exists is asked when applied.
        """


class Condition(Protocol):
    slug: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    ParamsForm: ClassVar[type[forms.Form]]

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        """Pure: whether it holds, and what it looked at in words ("domain is example.dk").

        Raises StepError for parameters that are missing or wrong: a half-filled condition is never true.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """A stored condition or action: the slug of its plug-in and its parameters."""

    slug: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """A workflow as plain values, read from its rows by ``emailflow.workflow.store``."""

    id: int
    name: str
    trigger: str
    threshold: float
    conditions: Sequence[Step] = ()
    steps: Sequence[Step] = ()
    stop: bool = False
    order: int = 100


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """What one workflow will do to one mail, and why it fired or did not.

    With an ``error`` it plans nothing and ends no run, whether it would have fired or not.
    """

    workflow_id: int
    name: str
    fired: bool
    reasons: tuple[str, ...] = ()
    intents: tuple[tuple[str, Intent], ...] = ()  # (action slug, intent)
    error: str = ""  # a broken rule: unknown action, bad parameters


@dataclass(frozen=True, slots=True)
class Plan:
    workflows: tuple[PlannedWorkflow, ...] = ()
    stopped_by: str = ""

    def describe(self) -> list[str]:
        """The plan as sentences, in order."""
        return [intent.describe() for workflow in self.workflows for _, intent in workflow.intents]
