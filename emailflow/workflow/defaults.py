"""The labels and rules that an installation starts with, as data. Installed once, then staff's own."""

from dataclasses import dataclass

from django.db import transaction

from emailflow.models import ANY_LABEL, Label, Workflow
from emailflow.services.workflows import save_workflow
from emailflow.workflow.base import Step
from tickets.actors import Actor
from tickets.models import Installed


@dataclass(frozen=True, slots=True)
class DefaultLabel:
    slug: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class DefaultWorkflow:
    name: str
    description: str
    trigger: str
    threshold: float
    order: int
    steps: tuple[Step, ...]


LABELS = (
    DefaultLabel(
        "support_request",
        "Support request",
        "Somebody needs help. Dansk: supporthenvendelse, nogen har brug for hjælp.",
    ),
    DefaultLabel("invoice", "Invoice", "A bill or a reminder of one. Dansk: faktura eller rykker."),
    DefaultLabel("order", "Order", "An order, its confirmation or delivery. Dansk: ordre, bestilling, levering."),
    DefaultLabel("newsletter", "Newsletter", "Sent to many who subscribe. Dansk: nyhedsbrev."),
    DefaultLabel("spam", "Spam", "Unwanted mail to many. Dansk: uønsket reklame eller svindel."),
    DefaultLabel("auto_reply", "Automatic reply", "Out of office and the like. Dansk: autosvar, fraværsbesked."),
    DefaultLabel("bounce", "Delivery report", "Mail that could not be delivered. Dansk: returmail."),
    DefaultLabel("general", "General", "Nothing of the others. Dansk: øvrigt."),
)

# Staff's own rules get order 100: after what is thrown away, before what opens a ticket for the rest.
WORKFLOWS = (
    DefaultWorkflow(
        "Spam → Ignore",
        "What is almost surely spam stays in the ledger only.",
        "spam",
        0.9,
        10,
        (Step("ignore"),),
    ),
    DefaultWorkflow(
        "Newsletter → Ignore",
        "Newsletters stay in the ledger only.",
        "newsletter",
        0.9,
        20,
        (Step("ignore"),),
    ),
    DefaultWorkflow(
        "Support Request → Ticket",
        "A request for help becomes a ticket.",
        "support_request",
        0.7,
        900,
        (Step("create_ticket"),),
    ),
    DefaultWorkflow(
        "Everything else → Ticket",
        "So that no mail is lost: whatever no other rule has taken becomes a ticket.",
        ANY_LABEL,
        0.0,
        1000,
        (Step("create_ticket"),),
    ),
)


def install() -> None:
    """Write the defaults that were never installed here. What staff have changed or deleted stays so.

    Call it when both apps' tables are there.
    """
    # All or nothing: a default that is written but not remembered would come back after staff had deleted it.
    with transaction.atomic():
        keys = [f"label:{label.slug}" for label in LABELS] + [f"workflow:{workflow.name}" for workflow in WORKFLOWS]
        known = set(Installed.objects.filter(key__in=keys).values_list("key", flat=True))
        labels = [label for label in LABELS if f"label:{label.slug}" not in known]
        Label.objects.bulk_create(
            [Label(slug=label.slug, name=label.name, description=label.description) for label in labels],
            ignore_conflicts=True,
        )
        for workflow in WORKFLOWS:
            if f"workflow:{workflow.name}" not in known:
                _install_workflow(workflow)
        Installed.objects.bulk_create([Installed(key=key) for key in keys if key not in known], ignore_conflicts=True)


def _install_workflow(default: DefaultWorkflow) -> None:
    if Workflow.objects.filter(name=default.name).exists():
        return
    save_workflow(
        actor=Actor.of_system("installation"),
        workflow=Workflow(
            name=default.name,
            description=default.description,
            classification_trigger=default.trigger,
            confidence_threshold=default.threshold,
            order=default.order,
            stop=True,
        ),
        conditions=[],
        steps=default.steps,
    )
