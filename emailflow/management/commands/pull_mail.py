"""``pull_mail``: look into mailboxes from the command line, once or until it is stopped."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow.inbound.due import due, pullable
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.pull import pull
from emailflow.inbound.pull_report import PullReport
from emailflow.models import Mailbox


class Command(BaseCommand):
    help = (
        "Fetch new mail and make tickets of it. With a mailbox only that one, else all that are switched on. "
        "Goes on at each mailbox's interval until it is stopped; --once looks a single time, at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("mailbox", nargs="?", default="", metavar="MAILBOX", help="short name")
        parser.add_argument("--once", action="store_true", help="look now, then end; 1 when one had trouble")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = pullable()
        if options["mailbox"]:
            chosen = chosen.filter(slug=options["mailbox"])
            if not chosen.exists():
                raise CommandError(_no_such(options["mailbox"]))
        if options["once"]:
            reports = [self._look(mailbox) for mailbox in chosen]
            _drain()
            if not reports:
                self.stdout.write("No mailbox is switched on.")
            if not all(report.ok for report in reports):
                raise CommandError("Not every mailbox could be read.")
            return
        try:
            while True:
                for mailbox in due():
                    if not options["mailbox"] or mailbox.slug == options["mailbox"]:
                        self._look(mailbox)
                _drain()
                time.sleep(1)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")

    def _look(self, mailbox: Mailbox) -> PullReport:
        report = pull(mailbox)
        self.stdout.write(f"{mailbox.slug}: {report}")
        return report


def _drain() -> None:
    while process_due():
        pass


def _no_such(slug: str) -> str:
    mailbox = Mailbox.objects.filter(slug=slug).first()
    if mailbox is None:
        return f"There is no mailbox {slug!r}; there are: {', '.join(pullable().values_list('slug', flat=True))}"
    if mailbox.archived_at is not None:
        return f"The mailbox {slug!r} is archived."
    return f"The mailbox {slug!r} is " + ("switched off." if not mailbox.enabled else "built in.")
