"""The way of a mail, from a claimed row to a filed one. The order is ``STEPS``.

``process_due`` is what workers call; ``process_message`` is for those who wait for the answer.
"""

import logging
from collections.abc import Callable, Sequence

from django.conf import settings

from emailflow.classify.base import Classification, Classifier
from emailflow.classify.keywords import KeywordClassifier
from emailflow.inbound import hints, raw
from emailflow.inbound.authenticate import authenticate
from emailflow.inbound.claim import Claim, claim_group, claim_lapsed, claim_one
from emailflow.inbound.house import House, our_house
from emailflow.inbound.identity import attachments_hash, find_duplicates, text_hash
from emailflow.inbound.screen import is_ours, screen
from emailflow.inbound.settle import settle
from emailflow.inbound.thread import MAX_WAITS, find_threads, in_order
from emailflow.inbound.work import Work
from emailflow.models import Message
from emailflow.workflow.actions.create_ticket import OpenOrLink
from emailflow.workflow.base import Facts, Plan, PlannedWorkflow
from emailflow.workflow.engine import decide
from emailflow.workflow.store import load_workflows
from tickets import blobs
from tickets.actors import Actor

logger = logging.getLogger(__name__)

GROUP = 50
_classifier: Classifier = KeywordClassifier()

Step = Callable[[Sequence[Work], House], None]


def parse_mails(works: Sequence[Work], house: House) -> None:
    """Bytes to ParsedMail. Pure but for reading the blob. Raises BlobMissing, OSError."""
    blobs.expect([work.message.sha256 for work in works])
    for work in works:
        work.mail = raw.read_mail(work.message)
        work.text_sha256 = text_hash(work.mail.text)
        work.attachments_sha256 = attachments_hash(work.mail)


def screen_mails(works: Sequence[Work], house: House) -> None:
    """Names each mail by its form."""
    for work in works:
        work.kind, work.kind_reason = screen(work.mail, house.addresses, house.domains)
        work.is_ours = bool(is_ours(work.mail, house.domains))


def authenticate_mails(works: Sequence[Work], house: House) -> None:
    """How far the From address can be believed, by the word of our own mail server."""
    for work in works:
        servers = house.mailboxes[work.message.mailbox_id].authserv_ids
        work.verdict, work.verdict_reason = authenticate(work.mail, servers)


def thread_mails(works: Sequence[Work], house: House) -> None:
    """Finds the ticket, or the mail that must come first."""
    find_threads(works)


def compare_mails(works: Sequence[Work], house: House) -> None:
    """Finds mails that came before."""
    find_duplicates(works, raw.read_again)
    _hand_waiting_on(works)


def _hand_waiting_on(works: Sequence[Work]) -> None:
    """An answer to a mail that waits waits for it."""
    for work in in_order(works):
        if work.parent is not None and work.parent.wait_for is not None and work.message.waits < MAX_WAITS:
            work.wait_for = work.parent.message.pk


def classify_mails(works: Sequence[Work], house: House) -> None:
    """A label with its reasons, and what the words say of tags and priority."""
    for work in works:
        found = _classifier.classify(work.mail, work.kind)
        if found.label in house.labels_off:
            found = Classification("general", 0.0, (f"the label {found.label} is switched off",))
        work.classification = found
        work.tags = tuple(hints.hashtags(work.mail.reply_text or work.mail.text))
        work.priority, work.priority_reason = hints.priority(work.mail.subject, work.tags)


def decide_mails(works: Sequence[Work], house: House) -> None:
    """Facts to plan. Loops and delivery reports never reach the rules."""
    workflows = load_workflows()
    rules_run = settings.TICKET_EMAIL_INTEGRATION and settings.EMAIL_WORKFLOWS_ENABLED
    for work in works:
        work.facts = _facts(work, house)
        runs = rules_run and work.reaches_rules and work.duplicate_of is None
        work.plan = decide(work.facts, workflows) if runs else Plan()


STEPS: tuple[Step, ...] = (
    parse_mails,
    screen_mails,
    authenticate_mails,
    thread_mails,
    compare_mails,
    classify_mails,
    decide_mails,
)


def prepare(messages: Sequence[Message], house: House) -> list[Work]:
    """All steps but the last: nothing is written, no transaction is open."""
    works = [Work(message) for message in messages]
    for step in STEPS:
        step(works, house)
    return works


def process_due(limit: int = GROUP) -> int:
    """Claim what is due and file it. Returns how many rows were taken; 0 means that nothing is due.

    With TICKET_ENABLED=false mail stays ``received`` until tickets are switched on.
    """
    if not settings.TICKET_ENABLED:
        return 0
    claim = claim_group(limit)
    if not claim.messages:
        claim = claim_lapsed()
    return process_claim(claim)


def process_lapsed() -> int:
    """File one mail whose last attempt ended without a report, alone. Returns 0 when there is none."""
    return process_claim(claim_lapsed()) if settings.TICKET_ENABLED else 0


def process_claim(claim: Claim) -> int:
    if claim.messages:
        settle(claim, prepare=prepare, house=_house_of(claim.messages), workflows=load_workflows)
    return len(claim.messages)


def process_message(message_pk: int) -> Message:
    """File this mail now, unless another worker has it or it is done. Returns its row as it is afterwards."""
    if settings.TICKET_ENABLED:
        process_claim(claim_one(message_pk))
    return Message.objects.select_related("ticket", "mailbox").get(pk=message_pk)


def process_by_hand(claim: Claim, actor: Actor) -> None:
    """File a claimed mail on a ticket because a person said so, whatever the rules say."""

    def prepare_by_hand(messages: Sequence[Message], house: House) -> list[Work]:
        works = prepare(messages, house)
        opening = PlannedWorkflow(
            workflow_id=0,
            name=f"By hand: {actor.name}",
            fired=True,
            reasons=("a person asked for a ticket",),
            intents=(("create_ticket", OpenOrLink()),),
        )
        for work in works:
            work.plan, work.by_hand = Plan((opening,)), True
            work.duplicate_of = work.wait_for = None
        return works

    settle(claim, prepare=prepare_by_hand, house=_house_of(claim.messages), workflows=tuple)


def dry_run(message: Message) -> Work:
    """What today's rules would do with a mail. Writes nothing, takes no number."""
    return prepare([message], _house_of([message]))[0]


def _house_of(messages: Sequence[Message]) -> House:
    return our_house({message.mailbox_id for message in messages})


def _facts(work: Work, house: House) -> Facts:
    classification = work.classification
    assert classification is not None
    found = work.found
    return Facts(
        message_pk=work.message.pk,
        mail=work.mail,
        mailbox_slug=house.mailboxes[work.message.mailbox_id].slug,
        received_at=work.message.received_at,
        kind=work.kind,
        kind_reason=work.kind_reason,
        verdict=work.verdict,
        verdict_reason=work.verdict_reason,
        label=classification.label,
        confidence=classification.confidence,
        label_reasons=classification.reasons,
        tags=work.tags,
        priority=work.priority,
        priority_reason=work.priority_reason,
        thread_ticket_number=found.ticket_number if found else "",
        thread_signal=found.name if found else "",
        is_reply=found is not None or work.parent is not None or work.own_ticket_id is not None,
    )
