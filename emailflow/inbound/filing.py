"""Carries intents out: opens tickets, links mails to them, under the locks of one transaction.

One ``Filing`` serves all mails of a transaction. It reads tickets, participants and contacts once for all of
them, and writes through the services of ``tickets`` into one unit of work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.utils import timezone

from emailflow.inbound import joining
from emailflow.inbound.as_comment import description, note_params, proves_itself, uploads
from emailflow.inbound.house import House
from emailflow.inbound.joining import Gate, Standing
from emailflow.inbound.locking import leads, lock, participants_of, read_participants
from emailflow.inbound.people import People, requester_of
from emailflow.inbound.references import References
from emailflow.inbound.thread import own_key
from emailflow.inbound.work import Work
from emailflow.mail import Kind, Verdict
from emailflow.models import FollowUp
from emailflow.workflow.base import StepError
from emailflow.workflow.context import ApplyContext
from tickets.actors import Actor
from tickets.models import (
    Contact,
    Participant,
    ParticipantRole,
    ParticipantState,
    Source,
    Status,
    Ticket,
)
from tickets.services import comments, email_log, tickets
from tickets.services.unit import UnitOfWork

NO_SUBJECT = "(no subject)"
SURE = 0.7  # below it a label is a guess, and says nothing about a ticket


@dataclass(slots=True)
class Placing:
    """Where one mail goes. Decided before the rules run, carried out after them: a rule may move it."""

    work: Work
    opened: bool = False
    linked: bool = False
    filed_on: Ticket | None = None  # by an earlier run
    gate: Gate | None = None
    held: str = ""
    follow_up_of: str = ""
    remarks: list[str] = field(default_factory=list)


class Filing:
    """Lives inside one transaction, after the messages were locked."""

    def __init__(self, unit: UnitOfWork, house: House, people: People) -> None:
        self.unit = unit
        self.house = house
        self.people = people
        self.tickets: dict[int, Ticket] = {}
        self.participants: dict[int, dict[str, str]] = {}
        self.placings: dict[int, Placing] = {}
        self.references = References()
        self._opened: list[tuple[Ticket, dict[str, str]]] = []  # with who takes part in them

    @classmethod
    def load(cls, unit: UnitOfWork, house: House, works: Sequence[Work]) -> Self:
        """Lock the tickets that the mails lead to, by id, and read who takes part in them."""
        wanted = {pk for work in works for pk in leads(work)}
        locked = lock(wanted)
        filing = cls(unit, house, People.load(works, house, locked.values()))
        filing.tickets = locked
        filing.participants = participants_of(works, locked)
        return filing

    def begin(self, work: Work, context: ApplyContext) -> Placing:
        """Link a mail to the ticket that threading found, as far as the gate lets it."""
        placing = self.placings[work.message.pk] = Placing(work)
        if work.other_tickets:
            placing.remarks.append(f"Other marks in this mail name {', '.join(work.other_tickets)}.")
        if work.own_ticket_id is not None:
            context.ticket = placing.filed_on = self.tickets.get(work.own_ticket_id)
            return placing
        ticket = self._found(work)
        if ticket is not None and settings.TICKET_EMAIL_INTEGRATION and work.kind is not Kind.LOOP:
            self._approach(placing, context, ticket)
        return placing

    def _found(self, work: Work) -> Ticket | None:
        ticket = self.tickets.get(work.found.ticket_id) if work.found else None
        if ticket is None and work.parent is not None:
            ticket = work.parent.ticket
            if ticket is not None and ticket.pk is not None:
                ticket = self.tickets.get(ticket.pk, ticket)
        if ticket is not None and ticket.merged_into_id is not None:
            return self.tickets.get(ticket.merged_into_id)
        return ticket

    def _approach(self, placing: Placing, context: ApplyContext, ticket: Ticket) -> None:
        """Finding is not joining: stranger policy, then follow-up policy."""
        work = placing.work
        if not work.reaches_rules:  # a delivery report becomes an internal note, whoever sent it
            context.ticket, placing.linked = ticket, True
            return
        gate = placing.gate = self._gate(work, ticket)
        closed = ticket.status == Status.CLOSED
        done = closed or ticket.status == Status.RESOLVED
        if gate.standing is Standing.STRANGER:
            if settings.TICKET_STRANGER_POLICY == "hold" and not work.by_hand:
                placing.held = f"It names {ticket.ticket_number}, but {gate.reason}."
                return
            # An unverified comment on a ticket that is done is a mail that nobody sees.
            if settings.TICKET_STRANGER_POLICY != "unverified" or done:
                placing.remarks.append(f"It names {ticket.ticket_number}, but {gate.reason}.")
                return
        elif (closed and work.kind is Kind.PERSON and not self._may_reopen(work, ticket)) or (
            done and work.kind not in (Kind.PERSON, Kind.AUTO_REPLY)  # reopens nothing, so nobody would see it
        ):
            placing.follow_up_of = ticket.ticket_number
            placing.remarks.append(f"It follows up on {ticket.ticket_number}, which is {ticket.status}.")
            return
        context.ticket, placing.linked = ticket, True

    def _gate(self, work: Work, ticket: Ticket) -> Gate:
        requester = ticket.contact
        person = requester_of(work, self.house)
        sender = self.people.known(person.key)
        return joining.judge(
            sender=person.key,
            sender_customer_id=sender.customer_id if sender else None,
            verdict=self._verdict(work),
            requester_customer_id=requester.customer_id if requester else None,
            participants=self._participants(ticket),
        )

    def _verdict(self, work: Work) -> Verdict:
        """How far the requester can be believed: what vouches for a web form does not vouch for its visitor."""
        if work.verdict is Verdict.FAIL or requester_of(work, self.house) is work.mail.sender:
            return work.verdict
        return Verdict.NONE

    def _participants(self, ticket: Ticket) -> Mapping[str, str]:
        if ticket.pk is not None and ticket.pk in self.participants:
            return self.participants[ticket.pk]
        opened = next((states for row, states in self._opened if row is ticket), None)
        if opened is not None:
            return opened
        # Nobody but the requester writes, who was never refused: see ``locking.participants_of``.
        return {ticket.contact.email: ParticipantState.CONFIRMED.value} if ticket.contact else {}

    def _may_reopen(self, work: Work, ticket: Ticket) -> bool:
        mailbox = self.house.mailboxes[work.message.mailbox_id]
        if mailbox.follow_up == FollowUp.NEW:
            return False
        if mailbox.follow_up == FollowUp.REOPEN_DAYS and ticket.closed_at is not None:
            return timezone.now() - ticket.closed_at <= timedelta(days=mailbox.follow_up_days)
        return True

    # What intents may do (see ``workflow.context``).

    def open_or_link(
        self,
        context: ApplyContext,
        *,
        customer_id: int | None,
        assigned_to_user_id: int | None,
        priority: str | None,
    ) -> dict[str, Any]:
        created = context.ticket is None
        if created:
            self._open(context, customer_id, assigned_to_user_id, priority)
        return {
            "ticket_id": context.ticket,
            "ticket_number": context.ticket,
            "created": created,
            "linked": not created,
        }

    def link(self, context: ApplyContext, ticket_number: str) -> dict[str, Any]:
        target = self._by_number(ticket_number)
        placing = self.placings[context.facts.message_pk]
        if placing.opened and context.ticket is not None:
            raise StepError("an earlier rule has opened a ticket for this mail in the same run")
        if placing.filed_on is not None and placing.filed_on.pk != target.pk:
            email_log.move_mail(
                self.unit,
                actor=context.actor,
                source_key=own_key(context.facts.message_pk),
                source=placing.filed_on,
                target=target,
            )
            placing.filed_on = target
        elif placing.filed_on is None:
            placing.linked = True
            # A rule says where the mail goes, not who takes part there.
            placing.gate = self._gate(placing.work, target) if placing.work.reaches_rules else None
        context.ticket = target
        return {"ticket_id": target, "ticket_number": target, "linked": True}

    def change(self, context: ApplyContext, changes: Mapping[str, Any]) -> None:
        assert context.ticket is not None
        rows: dict[str, Any] = {}
        for name, value in changes.items():
            if name == "assigned_to_user_id":
                rows["assigned_to_user"] = self.references.user(value)
            elif name == "assigned_team_id":
                rows["assigned_team"] = self.references.team(value)
            else:
                rows[name] = value
        tickets.change_ticket(actor=context.actor, ticket=context.ticket, changes=rows, unit=self.unit)

    def add_tags(self, context: ApplyContext, names: Sequence[str]) -> None:
        assert context.ticket is not None
        tickets.add_tags(actor=context.actor, ticket=context.ticket, names=names, unit=self.unit)

    def check_assignee(self, user_id: int | None, team_id: int | None) -> None:
        self.references.user(user_id)
        self.references.team(team_id)

    def _by_number(self, number: str) -> Ticket:
        pk = Ticket.objects.filter(ticket_number=number.strip().upper()).values_list("pk", flat=True).first()
        if pk is None:
            raise StepError(f"there is no ticket {number}")
        if pk not in self.tickets:
            # Out of the order of ids: a deadlock rolls back and runs again (see ``settle``).
            locked = lock({pk})
            self.tickets |= locked
            self.participants |= read_participants(locked)
        ticket = self.tickets[pk]
        return self.tickets[ticket.merged_into_id] if ticket.merged_into_id else ticket

    def _open(self, context: ApplyContext, customer_id: int | None, user_id: int | None, priority: str | None) -> None:
        work = self.placings[context.facts.message_pk].work
        placing = self.placings[context.facts.message_pk]
        mail, facts, wishes = work.mail, context.facts, context.wishes
        mailbox = self.house.mailboxes[work.message.mailbox_id]
        requester = requester_of(work, self.house)
        fields: dict[str, Any] = {
            "email_from": mail.sender.address,
            "email_message_id": mail.message_id,
            "created_from_email": True,
        }
        if placing.follow_up_of:
            fields["follow_up_of"] = placing.follow_up_of
        if mail.forwarded_from is not None:
            fields["forwarded_from"] = str(mail.forwarded_from)
        contact = self.people.contact(requester, self.unit, believed=work.verdict is not Verdict.FAIL)
        others = self._others(work, contact)
        context.ticket = tickets.open_ticket(
            actor=context.actor,
            subject=mail.subject or NO_SUBJECT,
            source=Source.EMAIL,
            description=description(work),
            body_text=mail.text,
            reply_text=mail.reply_text,
            body_html=mail.html,
            sender_verdict=self._verdict(work),
            remarks=[*mail.notes, *mail.defects, *placing.remarks],
            priority=priority or wishes.priority or facts.priority,
            category=facts.label if facts.confidence >= SURE else "",
            customer=self.references.customer(customer_id),
            contact=contact,
            assigned_to_user=self.references.user(user_id or wishes.assigned_to_user_id),
            assigned_team=self.references.team(wishes.assigned_team_id) or mailbox.team,
            tags=[*facts.tags, *wishes.tags],
            custom_fields=fields,
            participants=others,
            uploads=uploads(work),
            message_at=work.message.received_at,
            unit=self.unit,
        )
        placing.opened = True
        states = {row.address: str(row.state) for row in others}
        if contact is not None:
            states[contact.email] = ParticipantState.CONFIRMED.value
        self._opened.append((context.ticket, states))

    def _others(self, work: Work, contact: Contact | None) -> list[Participant]:
        """The CCs of a first mail: pending, unless of the requester's customer or staff."""
        rows = []
        for address in self.people.others_of(work, self.house):
            trusted = work.verdict is not Verdict.FAIL and (
                self.people.is_staff(address.key)
                or (contact is not None and self.people.same_customer(address.key, contact))
            )
            rows.append(
                Participant(
                    address=address.key,
                    name=address.name[:200],
                    role=ParticipantRole.CC,
                    state=ParticipantState.CONFIRMED if trusted else ParticipantState.PENDING,
                    added_by="in the first mail",
                    created_at=timezone.now(),
                )
            )
        return rows

    def finish(self, work: Work, context: ApplyContext) -> None:
        """Put the mail on the ticket that it ended up with, and log which mail belongs to which ticket."""
        placing = self.placings[work.message.pk]
        work.ticket = ticket = context.ticket
        if ticket is None or placing.filed_on is not None:
            return
        if placing.linked:
            self._comment(placing, ticket)
        comment = self.unit.last_comment_of(ticket)
        mail = work.mail
        email_log.log_incoming(
            self.unit,
            ticket=ticket,
            comment=comment,
            source_key=own_key(work.message.pk),
            message_id=mail.message_id or f"<{work.message.sha256}@no-id.invalid>",
            in_reply_to=mail.in_reply_to,
            references=mail.references,
            subject=mail.subject,
            sender=mail.sender.address,
            received_at=work.message.received_at,
            is_reply=placing.linked,
        )

    def _comment(self, placing: Placing, ticket: Ticket) -> None:
        work = placing.work
        mail, gate = work.mail, placing.gate
        note = work.kind in (Kind.BOUNCE, Kind.COMPLAINT, Kind.AUTO_REPLY)
        stranger = gate is not None and gate.standing is Standing.STRANGER
        remarks = [*mail.notes, *mail.defects, *placing.remarks]
        if stranger and gate is not None:
            remarks.insert(0, f"Not verified: {gate.reason}.")
        reports = work.kind in (Kind.BOUNCE, Kind.COMPLAINT)  # written by a mail server, not by a person
        if reports and not proves_itself(work):
            stranger = True
            remarks.insert(0, "Not verified: it names this ticket, but returns no mail of ours.")
        believed = work.verdict is not Verdict.FAIL
        author = None if reports else self.people.contact(requester_of(work, self.house), self.unit, believed=believed)
        comments.add_comment(
            actor=_actor_of(work),
            ticket=ticket,
            body_text=mail.text,
            reply_text=mail.reply_text,
            body_html="" if reports else mail.html,
            source=Source.EMAIL,
            is_internal=note,
            is_unverified=stranger,
            sender_verdict=self._verdict(work),
            author_contact=author,
            system_code=work.kind.value if note else "",
            system_params=note_params(work) if note else {},
            remarks=remarks,
            uploads=[] if reports else uploads(work),
            created_at=work.message.received_at,
            unit=self.unit,
        )
        if not stranger and work.kind is Kind.PERSON:
            self._customer_answered(work, ticket)
        if gate is not None and gate.new_recipient and author is not None:
            self.unit.add(
                Participant(
                    ticket=ticket,
                    address=author.email,
                    name=author.name,
                    role=ParticipantRole.CC,
                    state=ParticipantState.CONFIRMED,
                    added_by=gate.reason,
                    created_at=timezone.now(),
                )
            )

    def _customer_answered(self, work: Work, ticket: Ticket) -> None:
        if ticket.status == Status.CLOSED and not self._may_reopen(work, ticket):
            return  # a rule put it here: the follow-up policy still holds
        if ticket.status in (Status.WAITING_CUSTOMER, Status.RESOLVED, Status.CLOSED):
            tickets.change_ticket(
                actor=_actor_of(work),
                ticket=ticket,
                changes={"status": Status.OPEN},
                unit=self.unit,
            )


def _actor_of(work: Work) -> Actor:
    return Actor.of_mail(work.message.pk)
