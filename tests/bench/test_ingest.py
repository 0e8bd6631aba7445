"""The benchmark says what it promises, on both databases, and its counts keep the budgets; no time is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.bench.peer import Peer, PeerError

PROJECT = Path(__file__).resolve().parents[2]


def run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", "--json", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_json_names_the_figures_and_the_statement_counts_keep_their_limits(tmp_path: Path) -> None:
    figures = run("ingest", "--mails", "60", "--database", connection.vendor, "--folder", str(tmp_path))

    assert figures["database"] == connection.vendor
    for name in ("floor_mps", "ratio_single", "ratio_group", "ratio_two"):
        assert figures[name] > 0, name
    assert 0 < figures["sql_new"] <= 16
    assert 0 < figures["sql_reply"] <= 14
    assert 0 < figures["sql_group"] <= (40 if connection.vendor == "postgresql" else 60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="many tickets are loaded into PostgreSQL only")
def test_growth_loads_what_it_is_told_and_compares(tmp_path: Path) -> None:
    sizes = ("--tickets", "2000", "--comments", "5000", "--growth-mails", "20")
    figures = run("growth", *sizes, "--folder", str(tmp_path))

    assert (figures["growth_tickets"], figures["growth_comments"]) == (2000, 5000)
    for name in ("growth_new", "growth_reply", "growth_reply_old", "loading_seconds"):
        assert figures[name] > 0, name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_peer_that_cannot_be_installed_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(PeerError, match=r"django-helpdesk 2\.6\.1 could not be installed: .+"):
        Peer([], tmp_path, None)
