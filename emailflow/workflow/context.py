"""What an intent may do while a plan is carried out. The only way from rules to tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from emailflow.workflow.base import Facts
from tickets.actors import Actor
from tickets.models import Ticket
from tickets.services.tickets import clean_tags


@dataclass(slots=True)
class Wishes:
    """What rules want of a ticket that is not open yet; used up when it is opened."""

    priority: str | None = None
    tags: tuple[str, ...] = ()
    assigned_to_user_id: int | None = None
    assigned_team_id: int | None = None


class Filer(Protocol):
    """Who writes for the context: ``inbound.filing`` when mail is applied."""

    def open_or_link(
        self,
        context: "ApplyContext",
        *,
        customer_id: int | None,
        assigned_to_user_id: int | None,
        priority: str | None,
    ) -> dict[str, Any]: ...

    def link(self, context: "ApplyContext", ticket_number: str) -> dict[str, Any]: ...

    def change(self, context: "ApplyContext", changes: Mapping[str, Any]) -> None: ...

    def add_tags(self, context: "ApplyContext", names: Sequence[str]) -> None: ...

    def check_assignee(self, user_id: int | None, team_id: int | None) -> None: ...


@dataclass(slots=True)
class ApplyContext:
    """One mail while it is applied. Intents call the methods; ``apply`` reads the fields afterwards.

    A ticket opened in this transaction has no id and number yet: results name the row itself under ``ticket_id``
    and ``ticket_number``, and ``results.plain`` puts the values in their place once they are known.
    """

    facts: Facts
    filing: "Filer"
    actor: Actor  # the workflow that is running
    ticket: Ticket | None = None
    wishes: Wishes = field(default_factory=Wishes)
    ignored: str = ""  # the reason, when a rule said to ignore the mail

    def open_or_link(
        self, *, customer_id: int | None, assigned_to_user_id: int | None, priority: str | None
    ) -> dict[str, Any]:
        """The ticket that threading found, or a new one.

        Returns ticket_id, ticket_number, created, linked. Raises StepError for a missing customer or user.
        """
        return self.filing.open_or_link(
            self, customer_id=customer_id, assigned_to_user_id=assigned_to_user_id, priority=priority
        )

    def link(self, ticket_number: str) -> dict[str, Any]:
        """Put the mail on that ticket, moving it when it is on another one.

        Returns ticket_id, ticket_number, linked. Raises StepError when there is no such ticket.
        """
        return self.filing.link(self, ticket_number)

    def set_priority(self, priority: str) -> dict[str, Any]:
        """Set it on the mail's ticket, or on the one that a later step opens."""
        if self.ticket is None:
            self.wishes.priority = priority
            return {"priority": priority, "ticket_id": None}
        self.filing.change(self, {"priority": priority})
        return {"priority": priority, "ticket_id": self.ticket}

    def add_tags(self, tags: tuple[str, ...]) -> dict[str, Any]:
        """Add them to the mail's ticket, or to the one that a later step opens. Raises ServiceError for a bad tag."""
        tags = clean_tags(tags)  # here, so that the rule that names it fails, and not the one that opens the ticket
        if self.ticket is None:
            self.wishes.tags = (*self.wishes.tags, *tags)
            return {"tags": list(tags), "ticket_id": None}
        self.filing.add_tags(self, tags)
        return {"tags": list(tags), "ticket_id": self.ticket}

    def assign(self, *, user_id: int | None, team_id: int | None) -> dict[str, Any]:
        """Raises StepError when the user is missing or inactive, or the team is missing."""
        self.filing.check_assignee(user_id, team_id)
        if self.ticket is None:
            self.wishes.assigned_to_user_id = user_id
            self.wishes.assigned_team_id = team_id
        else:
            changes: dict[str, Any] = {}
            if user_id is not None:
                changes["assigned_to_user_id"] = user_id
            if team_id is not None:
                changes["assigned_team_id"] = team_id
            self.filing.change(self, changes)
        return {
            "assigned_to_user_id": user_id,
            "assigned_team_id": team_id,
            "ticket_id": self.ticket,
        }

    def ignore(self, reason: str) -> dict[str, Any]:
        """No ticket for this mail. A mail that already belongs to one stays there: a reply is never ignored."""
        if self.ticket is not None:
            return {"ignored": False, "reason": "the mail already belongs to a ticket"}
        self.ignored = reason
        return {"ignored": True, "reason": reason}
