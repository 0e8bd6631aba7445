"""``parse_mail`` shows what the parser makes of files, without a database."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.emailflow.inbound.mails import HTML, PLAIN, mail, multipart

KEYS = {
    *("file", "from", "to", "cc", "reply_to", "subject", "message_id", "in_reply_to", "references", "date"),
    *("text", "reply_text", "has_html", "attachments", "kind", "bounce", "defects", "notes"),
    "forwarded_from",
}


def _run(*files: Path) -> tuple[list[dict[str, Any]], str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("parse_mail", *map(str, files), format="jsonl", stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
        assert error.returncode == 1
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_one_object_a_mail_with_the_promised_keys(tmp_path: Path) -> None:
    pdf = "Content-Type: application/pdf; name=x.pdf\r\n\r\n%PDF-1.7"
    (tmp_path / "a.eml").write_bytes(multipart("mixed", [PLAIN, HTML, pdf], "Cc: Ib <ib@example.dk>"))
    (tmp_path / "b.eml").write_bytes(b"")
    (first, second), errors = _run(tmp_path / "a.eml", tmp_path / "b.eml")
    assert errors == ""
    assert set(first) == set(second) == KEYS
    assert first["file"] == str(tmp_path / "a.eml")
    assert first["from"] == {"name": "Kunde", "address": "kunde@example.dk"}
    assert first["cc"] == [{"name": "Ib", "address": "ib@example.dk"}]
    assert first["message_id"] == "<m1@example.dk>"
    assert first["date"] == "2026-03-02T09:11:12+00:00"
    assert first["has_html"] is True
    assert first["kind"] == "person"
    assert first["bounce"] is None
    (attachment,) = first["attachments"]
    assert (attachment["name"], attachment["size"], attachment["mime_type"]) == ("x.pdf", 8, "application/pdf")
    assert set(attachment) == {"name", "size", "mime_type", "sha256", "inline", "content_id"}
    assert (second["message_id"], second["date"], second["text"]) == (None, None, "")


def test_a_bounce_is_shown_with_its_recipients(tmp_path: Path) -> None:
    status = (
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        "Final-Recipient: rfc822; k@x.dk\r\nAction: failed\r\nStatus: 5.1.1"
    )
    (tmp_path / "a.eml").write_bytes(multipart("report; report-type=delivery-status", [PLAIN, status]))
    (shown,), _ = _run(tmp_path / "a.eml")
    assert shown["kind"] == "bounce"
    bounce = shown["bounce"]
    assert (bounce["recipients"], bounce["status"], bounce["original_message_id"]) == (["k@x.dk"], "5.1.1", "")
    assert (bounce["report"], bounce["suspected"], bounce["hard"]) == ("bounce", False, True)
    assert bounce["words"] == "Mail to k@x.dk was not delivered: The address does not exist (5.1.1)."
    assert [(one["address"], one["action"]) for one in bounce["reports"]] == [("k@x.dk", "failed")]


def test_a_missing_file_is_a_clear_error_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(mail())
    shown, errors = _run(tmp_path / "findes-ikke.eml", tmp_path / "a.eml", tmp_path)
    assert [row["subject"] for row in shown] == ["Hjælp"]
    assert "findes-ikke.eml: cannot be read: No such file or directory" in errors
    assert "2 of 3 files could not be read." in errors


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("parse_mail", str(tmp_path), "--format", "xml")
