"""What ``tickets`` tells becomes mail. Connected by ``emailflow.apps``; each receiver adds to the unit it is handed."""

from typing import Any

from django.dispatch import receiver

from emailflow.outbound.notify import Notices
from tickets.models import Comment, Source, Ticket
from tickets.services.unit import UnitOfWork
from tickets.signals import comment_added


@receiver(comment_added, dispatch_uid="emailflow.answer_goes_out")
def answer_goes_out(sender: Any, ticket: Ticket, comment: Comment, unit: UnitOfWork, **kwargs: Any) -> None:
    """A public message that a member of staff wrote. Notes and what customers write go to nobody."""
    # Its author may have left the house while it was held.
    by_staff = comment.author_user_id is not None or (comment.author_contact_id is None and not comment.system_code)
    if comment.is_internal or not by_staff or comment.source == Source.EMAIL:
        return
    unit.collector(Notices).answered(ticket, comment)
