"""One mail on its way through the steps: what each step found out, for the next one and for the trace."""

from dataclasses import dataclass, field

from emailflow.classify.base import Classification
from emailflow.mail import Kind, ParsedMail, Verdict
from emailflow.models import Message
from emailflow.workflow.base import Facts, Plan
from tickets.models import Ticket


@dataclass(frozen=True, slots=True)
class Signal:
    """A mark that leads to a ticket. ``rank`` 1 is the strongest (see ``thread``)."""

    rank: int
    name: str
    value: str
    ticket_id: int
    ticket_number: str

    def describe(self) -> str:
        return f"{self.name} {self.value} names {self.ticket_number}"


@dataclass(slots=True)
class Work:
    """Mutable, in memory only. ``message`` is the claimed row; nothing here is written before ``apply``."""

    message: Message
    mail: ParsedMail = field(default_factory=ParsedMail)
    text_sha256: str = ""
    attachments_sha256: str = ""
    identity: str = ""
    kind: Kind = Kind.PERSON
    kind_reason: str = ""
    is_ours: bool = False  # proven by our Message-ID or header, not only by the sender's address
    verdict: Verdict = Verdict.NONE
    verdict_reason: str = ""
    signals: tuple[Signal, ...] = ()
    parent: "Work | None" = None  # the mail of the same group that this one answers
    wait_for: int | None = None  # a ledger row that this one answers and that is not final yet
    own_ticket_id: int | None = None  # it has been filed before
    own_is_reply: bool = False
    duplicate_of: Message | None = None
    classification: Classification | None = None
    tags: tuple[str, ...] = ()
    priority: str | None = None
    priority_reason: str = ""
    facts: Facts | None = None
    plan: Plan | None = None
    by_hand: bool = False  # a person asked for a ticket: no policy holds it back
    ticket: Ticket | None = None  # set by apply

    @property
    def reaches_rules(self) -> bool:
        """Loops and delivery reports never do."""
        return self.kind not in (Kind.LOOP, Kind.BOUNCE, Kind.COMPLAINT)

    @property
    def found(self) -> Signal | None:
        """The strongest signal: the first that names a ticket wins."""
        return self.signals[0] if self.signals else None

    @property
    def other_tickets(self) -> list[str]:
        """Numbers of other tickets that weaker signals name: a hint for the page."""
        if not self.signals:
            return []
        winner = self.signals[0].ticket_number
        return list(dict.fromkeys(s.ticket_number for s in self.signals if s.ticket_number != winner))
