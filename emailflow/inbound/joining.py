"""Who may join a thread. Pure: the facts are handed in, read under the ticket's lock.

A number can be guessed and a Message-ID be copied: they find a ticket, they open no door.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from emailflow.mail import Verdict
from tickets.models import ParticipantState


class Standing(StrEnum):
    MEMBER = "member"  # takes part: a comment like any other
    STRANGER = "stranger"  # linked as unverified, until staff accept it


@dataclass(frozen=True, slots=True)
class Gate:
    standing: Standing
    reason: str
    new_recipient: bool = False  # a colleague of the requester who is to get the answers from now on


def judge(
    *,
    sender: str,
    sender_customer_id: int | None,
    verdict: Verdict,
    requester_customer_id: int | None,
    participants: Mapping[str, str],
) -> Gate:
    """Whether ``sender`` (lower case) takes part. ``participants`` maps addresses to their state.

    The ticket's own customer does not count: staff set it for billing, not as a list of guests.
    """
    if not sender:
        return Gate(Standing.STRANGER, "the mail names no sender")
    state = participants.get(sender)
    if state == ParticipantState.REFUSED:
        return Gate(Standing.STRANGER, "staff refused this address")
    if verdict is Verdict.FAIL:
        return Gate(Standing.STRANGER, "our mail server could not confirm the sender")
    if state == ParticipantState.CONFIRMED:
        return Gate(Standing.MEMBER, "the sender takes part in this ticket")
    if sender_customer_id is not None and sender_customer_id == requester_customer_id:
        return Gate(Standing.MEMBER, "the sender belongs to the requester's customer", verdict is Verdict.PASS)
    return Gate(Standing.STRANGER, "the sender does not take part in this ticket")
