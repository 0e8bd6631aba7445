"""``import_mail``: mail from files or a pipe into the ledger, and from there to tickets."""

import json
import logging
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from emailflow.inbound.pipeline import process_due, process_message
from emailflow.inbound.receive import Incoming, Stored, receive_many
from emailflow.management.importing import Result, describe, progress_bar
from emailflow.models import DUE_STATES, Mailbox, Message
from emailflow.sources.files import Found, read_paths, total_bytes

logger = logging.getLogger(__name__)

# EX_TEMPFAIL of sysexits.h: the mail server keeps the mail and tries again. Any other code makes it bounce.
TRY_AGAIN = 75
BATCH_MAILS = 50
BATCH_BYTES = 8 * 1024 * 1024
# A reply may wait for the mail that it answers: half a minute, or minutes when a worker died. Those are not waited for.
LONGEST_WAIT = 90.0


class Command(BaseCommand):
    help = (
        "Import mail: .eml files, mbox files, Maildirs, folders of these, or - for standard input. "
        "All mail is stored first, then processed. "
        "'import_mail - --mailbox NAME' is for the pipe of a mail server: one live mail. "
        f"Ends with {TRY_AGAIN} when a mail was not stored."
    )

    # A mail server waits for the end, and no check says whether mail can be stored.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH")
        parser.add_argument("--mailbox", default="", help="short name of the mailbox; import if not given")
        parser.add_argument("--format", choices=["text", "jsonl"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        piped = bool(options["mailbox"]) and options["paths"] == ["-"]
        try:
            mailbox = _mailbox(options["mailbox"] or "import")
            results = self._store(options["paths"], mailbox, piped, options["verbosity"] > 0)
        except CommandError:
            raise
        except Exception as error:
            # Whatever it was, it came before the commit: the mail server must keep the mail.
            logger.exception("nothing more could be stored")
            raise CommandError(f"Mail was not stored: {error}", returncode=TRY_AGAIN) from error
        self._process(results, piped)
        self._show(results, options["format"])
        if any(result.message_pk is None for result in results):
            raise CommandError("Not every mail was stored.", returncode=TRY_AGAIN)

    def _store(self, paths: list[str], mailbox: Mailbox, piped: bool, show: bool) -> list[Result]:
        results: list[Result] = []
        bar = progress_bar(sys.stderr, total_bytes(paths) if show else 0)
        for batch in _batches(read_paths(paths, one_on_stdin=piped)):
            results += _store_batch(batch, mailbox)
            bar.add(sum(len(found.raw) for found in batch))
        bar.close()
        return results

    def _process(self, results: list[Result], piped: bool) -> None:
        """The mail is safe already: trouble here is told, and the worker takes the mail up later."""
        pks = [result.message_pk for result in results if result.message_pk is not None]
        try:
            if piped:
                for pk in pks:
                    process_message(pk)
            elif pks and settings.TICKET_ENABLED:
                _drain(pks)
        except DatabaseError as error:
            self.stderr.write(f"The mail is stored and will be processed later: {error}")
        try:
            describe(results)
        except DatabaseError as error:
            for result in results:
                result.error = result.error or f"the outcome cannot be read: {error}"

    def _show(self, results: list[Result], form: str) -> None:
        if form == "jsonl":
            for result in results:
                self.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False))
            return
        for result in results:
            if result.error:
                self.stdout.write(f"{result.file}: {result.error}")
            elif result.ticket_number:
                self.stdout.write(f"{result.file}: {result.outcome} {result.ticket_number}")
        counts = Counter(result.outcome or "without an outcome yet" for result in results if result.message_pk)
        lost = sum(1 for result in results if result.message_pk is None)
        parts = [f"{number} {outcome}" for outcome, number in counts.most_common()]
        parts += [f"{lost} not stored"] if lost else []
        number = len(results)
        self.stdout.write(
            f"{number} mail{'' if number == 1 else 's'}: {', '.join(parts)}" if parts else "No mail found."
        )


def _mailbox(slug: str) -> Mailbox:
    mailbox = Mailbox.objects.filter(slug=slug, archived_at=None).first()
    if mailbox is None:
        known = ", ".join(Mailbox.objects.filter(archived_at=None).values_list("slug", flat=True))
        raise CommandError(f"There is no mailbox {slug!r}; there are: {known}", returncode=TRY_AGAIN)
    return mailbox


def _batches(mails: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for found in mails:
        batch.append(found)
        size += len(found.raw)
        if len(batch) >= BATCH_MAILS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _store_batch(batch: list[Found], mailbox: Mailbox) -> list[Result]:
    """Together, and one by one when that fails: a mail that cannot be stored keeps no other out."""
    readable = [found for found in batch if not found.error]
    stored: dict[int, Stored | str] = {}
    try:
        rows = receive_many([Incoming(found.raw, mailbox) for found in readable])
        stored = dict(zip(map(id, readable), rows, strict=True))
    except (DatabaseError, OSError):
        for found in readable:
            try:
                stored[id(found)] = receive_many([Incoming(found.raw, mailbox)])[0]
            except (DatabaseError, OSError) as error:
                logger.exception("%s: not stored", found.file)
                stored[id(found)] = f"not stored: {error}"
    results = []
    seen: set[int] = set()
    for found in batch:
        one = stored.get(id(found), found.error)
        if isinstance(one, str):
            results.append(Result(found.file, error=one))
        else:
            # The same bytes twice in one batch are one mail.
            new = one.new and one.message.pk not in seen
            seen.add(one.message.pk)
            results.append(Result(found.file, message_pk=one.message.pk, new=new))
    return results


def _drain(pks: list[int]) -> None:
    """Process until ours are done. One that waits for another mail, or that a worker holds, gets time."""
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        if process_due():
            deadline = time.monotonic() + LONGEST_WAIT
            continue
        if time.monotonic() > deadline or not _unfinished(pks):
            return
        time.sleep(0.5)


def _unfinished(pks: list[int]) -> bool:
    open_rows = Message.objects.filter(state__in=DUE_STATES, pk__gte=min(pks), pk__lte=max(pks))
    return not set(pks).isdisjoint(open_rows.values_list("pk", flat=True))
