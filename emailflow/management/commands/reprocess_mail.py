"""``reprocess_mail``: run mails of the ledger again with today's rules, or show what would happen."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from emailflow.inbound.pipeline import dry_run, process_message
from emailflow.models import Message, Outcome, State
from emailflow.services.messages import reprocess
from tickets import numbering
from tickets.actors import Actor
from tickets.errors import ServiceError


class Command(BaseCommand):
    help = "Run mails of the ledger again with today's rules. A mail that has its ticket keeps it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help="Numbers of mails in the ledger.")
        parser.add_argument("--state", choices=State.values, help="All mails in this state.")
        parser.add_argument("--outcome", choices=Outcome.values, help="All mails with this outcome.")
        parser.add_argument("--since", metavar="DATE", help="Only mails stored on or after this day (2026-01-31).")
        parser.add_argument("--dry-run", action="store_true", help="Write nothing; print what the rules would do.")

    def handle(self, *args: Any, **options: Any) -> None:
        messages = list(self._wanted(options))
        if not messages:
            self.stdout.write("No mail fits.")
            return
        if not options["dry_run"] and not settings.TICKET_ENABLED:
            raise CommandError("Tickets are off (TICKET_ENABLED=false): mail cannot be run again now.")
        failed = 0
        for message in messages:
            try:
                words = self._shown(message) if options["dry_run"] else self._run(message)
            except ServiceError as error:
                failed += 1
                words = f"not run: {error}"
            self.stdout.write(f"{message.pk}\t{message.subject[:60]}\t{words}")
        if failed:
            raise CommandError(f"{failed} of {len(messages)} mails could not be run.")

    def _wanted(self, options: dict[str, Any]) -> QuerySet[Message]:
        since = _moment(options["since"]) if options["since"] else None
        if not options["ids"] and not options["state"] and not options["outcome"]:
            raise CommandError("Say which mails: their numbers, --state or --outcome.")
        messages = Message.objects.select_related("mailbox", "ticket").order_by("id")
        if options["ids"]:
            known = set(messages.filter(pk__in=options["ids"]).values_list("pk", flat=True))
            missing = [str(pk) for pk in options["ids"] if pk not in known]
            if missing:
                raise CommandError(f"There is no mail {', '.join(missing)} in the ledger.")
            messages = messages.filter(pk__in=options["ids"])
        if options["state"]:
            messages = messages.filter(state=options["state"])
        if options["outcome"]:
            messages = messages.filter(outcome=options["outcome"])
        if since is not None:
            messages = messages.filter(stored_at__gte=since)
        return messages

    @staticmethod
    def _run(message: Message) -> str:
        reprocess(actor=Actor.of_system("reprocess_mail"), messages=[message])
        done = process_message(message.pk)
        number = done.ticket.ticket_number if done.ticket else ""
        return " ".join(filter(None, [done.outcome or done.state, number, done.last_error]))

    @staticmethod
    def _shown(message: Message) -> str:
        work = dry_run(message)
        plan = work.plan.describe() if work.plan else []
        where = f"belongs to {work.found.ticket_number}" if work.found else ""
        opens = any("Open a ticket" in sentence for sentence in plan) and not where
        number = f"as {numbering.preview(timezone.now())}" if opens else ""
        label = work.classification.label if work.classification else ""
        return "; ".join(filter(None, [f"{work.kind}, {label}", where, *plan, number])) or "nothing"


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        day = parse_date(text[:10])
    except ValueError as error:
        raise CommandError(f"--since: {text!r} is not a date: {error}.") from error
    if moment is None:
        if day is None:
            raise CommandError(f"--since: {text!r} is not a date like 2026-01-31.")
        moment = datetime(day.year, day.month, day.day)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
