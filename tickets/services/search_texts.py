"""What the search should hold of a ticket, and how it is made again. For ``tickets.integrity``.

The other services write these rows one by one, together with the texts.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from django.db import transaction

from tickets.models import Attachment, Comment, SearchKind, SearchText, Ticket
from tickets.services.unit import locked

Texts = Counter[tuple[str, str]]


def wrong(tickets: Sequence[Ticket]) -> list[Ticket]:
    """Those of a batch whose rows seem not to fit. Four statements; somebody may be writing meanwhile."""
    expected, found = _expected(tickets), _found(tickets)
    return [ticket for ticket in tickets if expected[ticket.pk] != found[ticket.pk]]


def wrong_now(ticket: Ticket) -> bool:
    """Under the lock of the ticket: nobody is writing."""
    # Every writer of its texts holds this lock.
    with transaction.atomic():
        return bool(wrong([locked(ticket)]))


def rebuild(ticket: Ticket) -> None:
    """Write the search rows of a ticket anew."""
    # Under the lock, so that no text is written between the look and the rows.
    with transaction.atomic():
        row = locked(ticket)
        SearchText.objects.filter(ticket=row).delete()
        texts = _expected([row])[row.pk]
        SearchText.objects.bulk_create(
            [SearchText(ticket=row, kind=kind, text=text) for kind, text in texts.elements()]
        )


def _expected(tickets: Sequence[Ticket]) -> dict[int, Texts]:
    texts: dict[int, Texts] = defaultdict(Counter)
    for ticket in tickets:
        if ticket.subject:
            texts[ticket.pk][SearchKind.SUBJECT, ticket.subject] += 1
    comments = Comment.objects.filter(ticket__in=tickets)
    for pk, internal, reply, body in comments.values_list("ticket_id", "is_internal", "reply_text", "body_text"):
        if (reply or body).strip():
            texts[pk][SearchKind.NOTE if internal else SearchKind.COMMENT, reply or body] += 1
    for pk, name in Attachment.objects.filter(ticket__in=tickets, is_inline=False).values_list("ticket_id", "name"):
        texts[pk][SearchKind.ATTACHMENT, name] += 1
    return texts


def _found(tickets: Sequence[Ticket]) -> dict[int, Texts]:
    texts: dict[int, Texts] = defaultdict(Counter)
    for pk, kind, text in SearchText.objects.filter(ticket__in=tickets).values_list("ticket_id", "kind", "text"):
        texts[pk][kind, text] += 1
    return texts
