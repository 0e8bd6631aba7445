"""The commands that take workflows out and in."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from emailflow.models import Workflow

pytestmark = pytest.mark.django_db

ITEM = {
    "name": "Faktura → Ticket",
    "classification_trigger": "invoice",
    "workflow_steps": [{"action": "add_tags", "params": {"tags": ["økonomi"]}}, {"action": "create_ticket"}],
}


@pytest.fixture(autouse=True)
def no_rules() -> None:
    Workflow.objects.all().delete()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "workflows.json"


def write(file: Path, data: Any) -> str:
    file.write_text(json.dumps(data), encoding="utf-8")
    return str(file)


def test_a_file_goes_out_and_comes_in_identical(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_workflows", write(file, [ITEM]))
    assert capsys.readouterr().out == "created: Faktura → Ticket\n"
    call_command("export_workflows", "--output", str(file))
    first = file.read_text(encoding="utf-8")
    assert "økonomi" in first
    Workflow.objects.all().delete()
    call_command("import_workflows", str(file))
    call_command("export_workflows", "--output", str(file))
    assert file.read_text(encoding="utf-8") == first


def test_export_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("export_workflows")
    assert json.loads(capsys.readouterr().out) == []


def test_one_workflow_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ITEM)))
    call_command("import_workflows", "-")
    assert Workflow.objects.get().name == "Faktura → Ticket"


def test_a_wrong_workflow_fails_the_command_and_the_others_come_in(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**ITEM, "name": "Wrong", "workflow_steps": [{"action": "launch_rocket"}]}
    with pytest.raises(CommandError, match="1 of 2") as caught:
        call_command("import_workflows", write(file, [wrong, ITEM]))
    assert caught.value.returncode == 1
    assert "failed: Wrong: workflow_steps[0].action: There is no action" in capsys.readouterr().err
    assert Workflow.objects.get().name == ITEM["name"]


def test_a_dry_run_writes_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_workflows", write(file, ITEM), "--dry-run")
    assert capsys.readouterr().out == "created: Faktura → Ticket\nNothing was written.\n"
    assert not Workflow.objects.exists()


def test_a_missing_id_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = {"action": "create_ticket", "params": {"customer_id": 123}}
    call_command("import_workflows", write(file, {**ITEM, "workflow_steps": [step]}))
    assert "switched off" in (out := capsys.readouterr().out)
    assert "no customer with the id 123" in out


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2"])
def test_what_is_no_json_gives_one_clear_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CommandError, match="this is not"):
        call_command("import_workflows", str(file))


def test_a_missing_file_gives_one_clear_line(file: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_workflows", str(file))
