"""What staff may do with outgoing mail, and what is refused in words."""

import pytest
from django.utils import timezone

from emailflow.models import Outgoing, Suppression
from emailflow.outbound.send import send_all
from emailflow.services.outbox import cancel, release, retry
from tests.outgoing import fresh, outgoing
from tests.smtpsink import Sink
from tests.tickets.making import HUB, audit_as_text, comment_on, entries, open_one
from tickets.errors import Conflict, ServiceError
from tickets.models import CommentState

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", ["queued", "failed", "bounced", "suppressed", "cancelled"])
def test_a_mail_that_did_not_go_goes_when_staff_say_so(sink: Sink, state: str) -> None:
    row = outgoing(state=state, reason="no", attempts=22, smtp_code=550, last_error="no")
    assert retry(actor=HUB, rows=[row]) == 1
    row = fresh(row)
    assert (row.state, row.reason, row.attempts, row.smtp_code, row.last_error) == ("queued", "", 0, None, "")
    send_all()
    assert (fresh(row).state, sink.recipients) == ("sent", [row.recipient])
    assert entries("outgoing.retried") == [({"state": state}, {"state": "queued"})]
    assert row.recipient not in audit_as_text()


@pytest.mark.parametrize(
    ("state", "words"),
    [("sending", "is being sent right now"), ("sent", "has been sent already"), ("held", "by itself")],
)
def test_what_is_on_its_way_is_not_sent_again_in_words(state: str, words: str) -> None:
    lease = {"lease_token": "x", "lease_until": timezone.now()} if state == "sending" else {}
    rows = [outgoing(state="failed", reason="no"), outgoing(state=state, **lease)]
    with pytest.raises(Conflict, match=words):
        retry(actor=HUB, rows=rows)
    # All or none.
    assert [fresh(row).state for row in rows] == ["failed", state]
    assert entries("outgoing.retried") == []


def test_a_mail_is_stopped_and_never_goes(sink: Sink) -> None:
    row = outgoing()
    cancel(actor=HUB, rows=[row])
    send_all()
    assert (fresh(row).state, fresh(row).reason, sink.envelopes) == ("cancelled", "Cancelled by tests.", [])


def test_a_mail_that_is_being_sent_is_not_stopped() -> None:
    row = outgoing(state="sending", lease_token="x", lease_until=timezone.now())
    with pytest.raises(Conflict, match="is being sent right now"):
        cancel(actor=HUB, rows=[row])


def test_a_row_that_changed_meanwhile_is_judged_by_what_it_is_now() -> None:
    row = outgoing()
    Outgoing.objects.filter(pk=row.pk).update(state="sent")
    with pytest.raises(Conflict, match="has been sent already"):
        cancel(actor=HUB, rows=[row])


def test_what_failed_is_left_and_keeps_its_reason() -> None:
    row = outgoing(state="failed", reason="No such user.")
    cancel(actor=HUB, rows=[row])
    assert fresh(row).reason == "Cancelled by tests. No such user."


def test_an_address_gets_nothing_until_it_is_released(sink: Sink) -> None:
    row = outgoing(state="suppressed", reason="It bounced.")
    kept = Suppression.objects.create(address=row.recipient, reason="It bounced.", created_at=timezone.now())
    with pytest.raises(ServiceError, match="Release the address first"):
        retry(actor=HUB, rows=[row])
    release(actor=HUB, suppressions=[kept])
    retry(actor=HUB, rows=[row])
    send_all()
    assert sink.recipients == [row.recipient]
    with pytest.raises(Conflict, match="released already"):
        release(actor=HUB, suppressions=[kept])
    assert len(entries("suppression.released")) == 1


def test_an_automatic_mail_that_was_not_to_be_sent_stays_so() -> None:
    row = outgoing(state="suppressed", kind="acknowledgement", reason="The mail is older than 12 hours.")
    with pytest.raises(ServiceError, match="stays so"):
        retry(actor=HUB, rows=[row])


def test_a_mail_that_could_not_be_written_is_not_sent_empty() -> None:
    row = outgoing(state="failed", reason="x", sender="", header_message_id="")
    with pytest.raises(ServiceError, match="was never written"):
        retry(actor=HUB, rows=[row])


@pytest.mark.parametrize(
    "change", [{"state": CommentState.WITHDRAWN}, {"state": CommentState.DRAFT}, {"is_internal": True}]
)
def test_a_text_that_was_taken_back_or_is_internal_never_leaves(sink: Sink, change: dict[str, object]) -> None:
    ticket = open_one()
    comment = comment_on(ticket)
    for name, value in change.items():
        setattr(comment, name, value)
    comment.save()
    failed = outgoing(ticket=ticket, comment=comment, state="failed", reason="no")
    with pytest.raises(ServiceError, match="taken back or is internal"):
        retry(actor=HUB, rows=[failed])
    queued = outgoing(ticket=ticket, comment=comment)
    send_all()
    assert (fresh(queued).state, sink.envelopes) == ("suppressed", [])
