"""``send_mail``: empty the outbox from the command line, and say what became of each mail."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Min
from django.utils import timezone

from emailflow.models import OutboxState, Outgoing
from emailflow.outbound.send import Result, is_held, send_all

_WAITING = [OutboxState.HELD, OutboxState.QUEUED]


class Command(BaseCommand):
    help = "Send the mail that is due, and say what was sent, what was not, and why. Ends with 1 when a mail failed."

    def handle(self, *args: Any, **options: Any) -> None:
        if is_held():
            self.stdout.write(f"Nothing was sent: OUTGOING_MAIL=hold. {_waiting()}")
            return
        if settings.EMAIL_BACKEND.endswith(("console.EmailBackend", "dummy.EmailBackend")):
            self.stderr.write("EMAIL_URL names no mail server: without one of its own, a mailbox's mail goes nowhere.")
        found: Counter[OutboxState] = Counter()

        def tell(result: Result) -> None:
            found[result.state] += 1
            if result.state != OutboxState.SENT:
                self.stdout.write(f"mail {result.row.pk} to {result.row.recipient}: {_what(result)}")

        try:
            send_all(tell=tell)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
        self.stdout.write(f"{_summary(found)} {_waiting()}")
        if found[OutboxState.FAILED]:
            raise CommandError("Not every mail could be sent.")


def _what(result: Result) -> str:
    if result.state == OutboxState.QUEUED and result.pause is not None:
        return f"again in {_minutes(result.pause)}. {result.reason}"
    return f"{result.state.label}. {result.reason}"


def _minutes(pause: timedelta) -> str:
    number = round(pause / timedelta(minutes=1))
    return "1 minute" if number == 1 else f"{number} minutes"


def _summary(found: Counter[OutboxState]) -> str:
    if not found:
        return "Nothing is due."
    names = {
        OutboxState.SENT: "sent",
        OutboxState.QUEUED: "to be tried again",
        OutboxState.FAILED: "failed",
        OutboxState.SUPPRESSED: "not sent, for a reason",
    }
    told = ", ".join(f"{found[state]} {name}" for state, name in names.items() if found[state])
    return f"{told.capitalize()}."


def _waiting() -> str:
    rows = Outgoing.objects.filter(state__in=_WAITING)
    number, first = rows.count(), rows.aggregate(first=Min("not_before"))["first"]
    if not number:
        return "No mail waits."
    words = "1 mail waits" if number == 1 else f"{number} mails wait"
    when = timezone.localtime(first).strftime("%Y-%m-%d %H:%M")
    return f"{words}, the first until {when}." if first > timezone.now() else f"{words}, due since {when}."
