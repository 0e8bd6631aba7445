"""Workflows as JSON, for another installation or for safekeeping."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow.models import Workflow
from emailflow.services.workflow_files import export_workflows


class Command(BaseCommand):
    help = "Writes all workflows as JSON, to a file or to standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to this file")

    def handle(self, *args: Any, output: Path | None = None, **options: Any) -> None:
        text = json.dumps(export_workflows(Workflow.objects.all()), ensure_ascii=False, indent=2)
        if output is None:
            self.stdout.write(text)
            return
        try:
            output.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
