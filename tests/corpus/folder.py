"""Finds the folder of real mails: ``MAIL_CORPUS``, else ``shared/corpus`` beside the checkout."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "corpus"
# Sets of sentences, not of mails.
_NO_MAILS = {"classification"}
_NO_MAIL_NAMES = {"SOURCE.txt", "expected.jsonl", "threads.jsonl"}


def corpus_folder() -> Path:
    """The folder, or a skip that says how to name one."""
    named = os.environ.get("MAIL_CORPUS", "")
    folder = Path(named) if named else _BESIDE
    if not folder.is_dir():
        if named:
            pytest.fail(f"MAIL_CORPUS names {folder}, which is no folder")
        pytest.skip("no folder of real mails: set MAIL_CORPUS to one")
    return folder


def expectations(name: str) -> dict[str, list[dict[str, Any]]]:
    """The expected rows of one set by file; a file may have several rows, of which one must hold."""
    path = corpus_folder() / name / "expected.jsonl"
    if not path.exists():
        pytest.skip(f"the corpus has no set {name}")
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        rows.setdefault(row["file"], []).append(row)
    return rows


def all_mails() -> Iterator[Path]:
    """Every file of every set of mails, whatever it holds: the parser must stand them all."""
    for folder in sorted(corpus_folder().iterdir()):
        if folder.is_dir() and folder.name not in _NO_MAILS:
            yield from sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in _NO_MAIL_NAMES)
