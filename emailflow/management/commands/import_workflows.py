"""Workflows from JSON, as ``export_workflows`` writes it."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow.services.workflow_files import import_workflows
from tickets.actors import Actor


class Command(BaseCommand):
    help = "Writes the workflows of a JSON file, by name. Exit code 1 when one of them is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a JSON file with one workflow or a list; - for stdin")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing")

    def handle(self, *args: Any, file: str, dry_run: bool = False, **options: Any) -> None:
        data = _read(file)
        results = import_workflows(
            actor=Actor.of_system("import_workflows"),
            data=data if isinstance(data, list) else [data],
            dry_run=dry_run,
        )
        for result in results:
            out = self.stderr if result.outcome == "failed" else self.stdout
            out.write(str(result))
        if dry_run:
            self.stdout.write("Nothing was written.")
        failed = sum(result.outcome == "failed" for result in results)
        if failed:
            raise CommandError(f"{failed} of {len(results)} workflows are wrong and were left out.")


def _read(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
        return json.loads(text)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: this is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise CommandError(f"{file}: this is not JSON: {error}") from error
