"""``check_integrity``: does everything that must hold, hold?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow import integrity as mail_integrity
from tickets import integrity
from tickets.blobs import StoreUnreachable
from tickets.integrity import Problem


class Command(BaseCommand):
    help = (
        "Look at database and store, and say in words what is wrong. Hub may go on working meanwhile. "
        "Exit code 1 when something is wrong and was not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="take files out of raw mail again, write search rows, counters and database objects anew",
        )
        parser.add_argument("--quick", action="store_true", help="do not read the files, look at their sizes only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._check(options)
        except StoreUnreachable as error:
            raise CommandError(f"The check could not be finished: {error.strerror}") from error

    def _check(self, options: dict[str, Any]) -> None:
        wrong = repaired = 0
        for name, check in (*integrity.CHECKS, *mail_integrity.checks(quick=options["quick"])):
            found = 0
            for problem in check():
                found += 1
                well = options["repair"] and problem.repair is not None and problem.repair()
                repaired += well
                wrong += not well
                self.stdout.write(self._line(problem, well, options["repair"]))
            if options["verbosity"] > 1:
                self.stdout.write(f"{name}: {found or 'nothing'} wrong")
        if wrong:
            raise CommandError(f"Wrong: {wrong}. Repaired: {repaired}.")
        self.stdout.write(f"Repaired: {repaired}. Nothing else is wrong." if repaired else "Nothing is wrong.")

    @staticmethod
    def _line(problem: Problem, well: bool, repair: bool) -> str:
        if well:
            return f"{problem.words} - repaired"
        if repair:
            return f"{problem.words} - not repaired"
        return f"{problem.words}{' - --repair can mend it' if problem.repair else ''}"
