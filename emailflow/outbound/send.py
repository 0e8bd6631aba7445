"""Empties the outbox: claims what is due, hands it to the mail server, writes down what became of it.

Two short transactions stand around the network: the claim, and the report of each mail. A mail whose sender died is
sent again, unless the mail server had the whole of it: then it may have arrived, and a person decides. So is one whose
server fell silent at the very end. A server that hung up there has most likely not taken it (RFC 5321, 3.8) and gets
it once more, but no third time.

Used by the task and by ``send_mail``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage as Mime
from email.utils import parseaddr
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError, OperationalError, transaction

from emailflow.inbound.trouble import first_line, leave_broken_connection
from emailflow.models import Mailbox, OutboxState, Outgoing, Suppression
from emailflow.outbound.claim import (
    HANDED_OVER,
    Claim,
    LeaseLost,
    claim_due,
    claim_lapsed,
    give_back,
    hand_over,
    is_anything_due,
    report,
)
from emailflow.outbound.compose import as_message
from emailflow.outbound.failing import note_failure
from emailflow.outbound.servers import server_of
from emailflow.outbound.smtp import Connections, Letter, SendError, Server
from tickets import blobs
from tickets.clock import database_now
from tickets.errors import ServiceError
from tickets.models import Comment, CommentState
from tickets.services.email_log import log_outgoing

logger = logging.getLogger(__name__)

BATCH = 50
ENOUGH = 60.0  # seconds of one claim; with the hard limit of the last mail still below the lease
TRIES_AT_ONCE = 3
# A row that ended its sender this often, and nothing else is known of it, ends every sender.
MOST_DEATHS = 5
# Minutes until the next try, by how many there were; three days altogether (RFC 5321, 4.5.4.1).
PAUSES = (1, 5, 15, 60, *[240] * 17)

_MAY_LEAVE = (CommentState.PUBLISHED, CommentState.HELD)
MAY_HAVE_ARRIVED = (
    "The mail server had the whole mail and did not say what became of it: it may have arrived. "
    "Ask the recipient before it is sent once more."
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mail. ``reason``: why it was not sent; ``pause``: how long until the next try."""

    row: Outgoing
    state: OutboxState
    reason: str = ""
    code: int | None = None
    pause: timedelta | None = None


Tell = Callable[[Result], None]


def is_held() -> bool:
    """Whether the deployer lets nothing out (OUTGOING_MAIL=hold)."""
    return bool(settings.OUTGOING_MAIL == "hold")


def send_due(limit: int = BATCH, *, connections: Connections | None = None, tell: Tell = lambda result: None) -> int:
    """Claim up to ``limit`` mails that are due and send them. Returns how many were taken; 0: nothing is due.

    Does nothing with OUTGOING_MAIL=hold. Raises nothing about a mail: its row says what became of it.
    """
    if is_held():
        return 0
    return _send(claim_due(limit), connections, tell)


def send_lapsed(*, connections: Connections | None = None, tell: Tell = lambda result: None) -> int:
    """Settle or send one mail whose sender ended without a report. Returns 0 when there is none."""
    if is_held():
        return 0
    return _send(claim_lapsed(), connections, tell)


def send_all(*, stopping: Callable[[], bool] = lambda: False, tell: Tell = lambda result: None) -> int:
    """Send until nothing is due or ``stopping`` says so. Returns how many rows were taken."""
    done = 0
    if is_held() or not is_anything_due():
        return done
    with Connections() as connections:
        # Those first that a dead sender left behind: under steady load nobody else comes to them.
        for take in (send_lapsed, send_due):
            while not stopping() and (count := take(connections=connections, tell=tell)):
                done += count
    return done


def _send(claim: Claim, connections: Connections | None, tell: Tell) -> int:
    if not claim.rows:
        return 0
    if connections is not None:
        _Sending(claim, connections, tell).run()
    else:
        with Connections() as own:
            _Sending(claim, own, tell).run()
    return len(claim.rows)


class _Sending:
    """One claim on its way out."""

    def __init__(self, claim: Claim, connections: Connections, tell: Tell) -> None:
        self.claim = claim
        self.connections = connections
        self.tell = tell
        self.mailboxes = Mailbox.objects.in_bulk({row.mailbox_id for row in claim.rows if row.mailbox_id})
        found = Suppression.objects.filter(address__in={row.recipient for row in claim.rows})
        self.suppressed = dict(found.values_list("address", "reason"))
        ids = {row.comment_id for row in claim.rows if row.comment_id}
        kept = Comment.objects.filter(pk__in=ids).exclude(is_internal=False, state__in=_MAY_LEAVE)
        self.kept_here = set(kept.values_list("pk", flat=True))
        # By server: none of them is asked fifty times whether it is there.
        self.trouble: dict[Server, SendError] = {}

    def run(self) -> None:
        began = monotonic()
        untouched = list(self.claim.rows)
        try:
            while untouched and monotonic() - began < ENOUGH:
                self._take(untouched.pop(0))
        finally:
            # The lease must not run out on mails that nobody has touched.
            give_back(untouched, self.claim.token)

    def _take(self, row: Outgoing) -> None:
        try:
            self._settle(self._try(row))
        except LeaseLost as lost:
            logger.error("outgoing mail %s: %s", row.pk, lost, extra={"outgoing": row.pk})
        except DatabaseError as error:
            # Its lease runs out, and the row is claimed again.
            leave_broken_connection()
            words = first_line(error)
            logger.error("outgoing mail %s: could not be written back: %s", row.pk, words, extra={"outgoing": row.pk})

    def _try(self, row: Outgoing) -> Result:
        """Raises LeaseLost, DatabaseError."""
        if self.claim.lapsed and row.smtp_code == HANDED_OVER:
            return Result(row, OutboxState.FAILED, MAY_HAVE_ARRIVED, HANDED_OVER)
        if self.claim.lapsed and row.attempts > MOST_DEATHS and not row.last_error:
            return Result(row, OutboxState.FAILED, f"It ended its sender {MOST_DEATHS} times.")
        if row.recipient in self.suppressed:
            return Result(row, OutboxState.SUPPRESSED, self.suppressed[row.recipient])
        if row.comment_id in self.kept_here:
            return Result(row, OutboxState.SUPPRESSED, "Its text was taken back, or is internal.")
        try:
            return self._hand_over(row)
        except SendError as error:
            return _after_trouble(row, error)
        except ServiceError as error:
            # A file that is not in the store any more, a column of which no header can be made.
            return _after_trouble(row, SendError(error.message, permanent=True))
        except (LeaseLost, DatabaseError):
            raise
        except OSError as error:
            return _after_trouble(row, SendError(f"A file or folder could not be used: {first_line(error)}"))
        except Exception as error:
            # It stays as it is, however often it is tried.
            logger.exception("outgoing mail %s: no mail can be made of it", row.pk, extra={"outgoing": row.pk})
            return _after_trouble(row, SendError(f"No mail can be made of it: {first_line(error)}", permanent=True))

    def _hand_over(self, row: Outgoing) -> Result:
        server = server_of(self.mailboxes[row.mailbox_id] if row.mailbox_id else None)
        if server is not None and server in self.trouble:
            raise self.trouble[server]
        files = [(blobs.read(one["sha256"]), one["name"], one["mime_type"], one["cid"]) for one in row.attachments]
        message = as_message(row, files)
        hung_up_before = row.smtp_code == HANDED_OVER

        def last_moment() -> None:
            hand_over(row, self.claim.token)

        if server is None:
            last_moment()
            get_connection(settings.EMAIL_BACKEND).send_messages([_Ready(row, message)])
            return Result(row, OutboxState.SENT)
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        try:
            code = self.connections.send(
                server, Letter(row.envelope_from, row.recipient, content), last_moment=last_moment
            )
        except SendError as error:
            if error.whole_server:
                self.trouble[server] = error
            if error.silent or (error.hung_up and hung_up_before):
                return Result(row, OutboxState.FAILED, f"{MAY_HAVE_ARRIVED} {error.message}.", HANDED_OVER)
            raise
        return Result(row, OutboxState.SENT, code=code)

    def _settle(self, result: Result) -> None:
        for attempt in range(1, TRIES_AT_ONCE + 1):
            try:
                self._report(result)
                break
            except OperationalError:
                leave_broken_connection()
                # A deadlock or a lock timeout: again at once, at no cost.
                if attempt == TRIES_AT_ONCE:
                    raise
        _log(result)
        self.tell(result)

    def _report(self, result: Result) -> None:
        row, now = result.row, database_now()
        columns: dict[str, Any] = {"smtp_code": result.code, "reason": result.reason, "last_error": result.reason}
        if result.state == OutboxState.SENT:
            columns |= {"sent_at": now}
        elif result.pause is not None:
            columns |= {"not_before": now + result.pause, "reason": ""}
        # Closes the race with a second sender: the state, what threading reads and the note belong together.
        with transaction.atomic():
            if result.state == OutboxState.FAILED:
                # First: it locks the ticket, and tickets are locked before the outbox.
                note_failure(row, result.reason)
            report(row, self.claim.token, state=result.state, **columns)
            if result.state == OutboxState.SENT and row.comment_id is not None:
                _log_once_a_comment(row, now)


def _after_trouble(row: Outgoing, error: SendError) -> Result:
    """Stop, or try again after a pause that grows."""
    # 0 stays: the next hang-up at the same place is the last one.
    code = HANDED_OVER if error.hung_up else error.code
    if error.permanent:
        return Result(row, OutboxState.FAILED, f"{error.message}.", code)
    if row.attempts > len(PAUSES):
        return Result(row, OutboxState.FAILED, f"Given up after {row.attempts} tries. {error.message}.", code)
    pause = timedelta(minutes=PAUSES[max(row.attempts, 1) - 1])
    return Result(row, OutboxState.QUEUED, f"{error.message}.", code, pause)


def _log_once_a_comment(row: Outgoing, moment: datetime) -> None:
    """So that an answer to it is led back even where our signature has been cut off."""
    assert row.ticket_id is not None and row.comment_id is not None
    log_outgoing(
        ticket_id=row.ticket_id,
        comment_id=row.comment_id,
        message_id=row.header_message_id,
        in_reply_to=str(row.headers.get("In-Reply-To", "")).split(),
        references=str(row.headers.get("References", "")).split(),
        subject=row.subject,
        sender=parseaddr(row.sender)[1].lower(),
        sent_at=moment,
    )


class _Ready(EmailMessage):
    """A finished mail, for those of Django's backends that speak no SMTP."""

    def __init__(self, row: Outgoing, ready: Mime) -> None:
        super().__init__(subject=row.subject, body=row.text, from_email=row.sender, to=[row.recipient])
        self.ready = ready

    def message(self, **_: Any) -> Any:
        return self.ready


def _log(result: Result) -> None:
    row = result.row
    logger.log(
        logging.WARNING if result.state == OutboxState.FAILED else logging.INFO,
        "outgoing mail %s: %s%s%s",
        row.pk,
        result.state.value,
        f" ({result.code})" if result.code else "",
        f" at attempt {row.attempts}" if row.attempts > 1 else "",
        extra={"outgoing": row.pk, "outcome": result.state.value, "code": result.code, "attempts": row.attempts},
    )
