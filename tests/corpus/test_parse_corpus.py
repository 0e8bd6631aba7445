"""The parser on thousands of real mails, against what other parsers' authors expect of them.

A file is exempt only where the expectation itself breaks a rule of an RFC; at most 3 % of a set.
"""

import email
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from emailflow.classify.keywords import classify
from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.mail import Kind, MailAttachment, ParsedMail, Report
from tests.corpus.folder import all_mails, corpus_folder, expectations

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

MAX_SECONDS = 5.0

EXEMPT = {
    "imap_tools": {
        "messages/plain_emails/raw_email_incorrect_header.eml": (
            "RFC 5322 section 2.2: one malformed line does not end the headers; expected is an empty From"
        ),
        "messages/attachment_emails/attachment_message_rfc822.eml": (
            "RFC 2046 section 5.2.1: an attached message is one unit; expected are its inner files too"
        ),
        "messages/multipart_report_emails/multipart_report_multiple_status.eml": (
            "RFC 2046 section 5.2.1: an attached message is one unit; expected are its inner texts as files"
        ),
    },
}

Row = dict[str, Any]


def _squeezed(text: str | None) -> str:
    return "".join((text or "").split())


def _same(expected: str, got: str) -> bool:
    """Equal, where a letter that the other parser could not read may be any."""
    expected = "".join(_C1.get(char, char) for char in expected)
    if expected == got:
        return True
    if "\ufffd" not in expected:
        return False
    pattern = ".{0,3}".join(re.escape(piece) for piece in re.split("\ufffd+", expected))
    return re.fullmatch(pattern, got, re.DOTALL) is not None


# That parser reads Latin-1 to the letter; ours, like mail programs, as its superset Windows-1252.
_C1 = {chr(byte): bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0xA0)}


def _share_right(name: str, key: str, holds: Callable[[Row, ParsedMail], bool | None]) -> tuple[float, list[str]]:
    """The share of the files of a set for which one of the expected rows holds, and the files that fail."""
    rows = expectations(name)
    exempt = EXEMPT.get(name, {})
    assert len(exempt) <= 0.03 * len(rows)
    counted, wrong = 0, []
    for file, candidates in rows.items():
        relevant = [row for row in candidates if key in row]
        path = corpus_folder() / name / file
        if not relevant or file in exempt or not path.exists():
            continue
        parsed = parse(path.read_bytes())
        answers = [holds(row, parsed) for row in relevant]
        if all(answer is None for answer in answers):
            continue
        counted += 1
        if not any(answers):
            wrong.append(file)
    assert counted > 10
    return 1 - len(wrong) / counted, wrong


SETS = ["imap_tools", "letters", "mailcore2", "edge_synthetic"]


@pytest.mark.parametrize("name", SETS)
def test_from_is_right(name: str) -> None:
    def holds(row: Row, parsed: ParsedMail) -> bool:
        return (row["from"] or "").lower() == parsed.sender.address.lower()

    share, wrong = _share_right(name, "from", holds)
    assert share >= 0.98, wrong


@pytest.mark.parametrize("name", SETS)
def test_subject_is_right(name: str) -> None:
    def holds(row: Row, parsed: ParsedMail) -> bool:
        return _same(_squeezed(row["subject"]), _squeezed(parsed.subject))

    share, wrong = _share_right(name, "subject", holds)
    assert share >= 0.98, wrong


@pytest.mark.parametrize("name", ["imap_tools", "letters"])
def test_text_is_right(name: str) -> None:
    def holds(row: Row, parsed: ParsedMail) -> bool | None:
        expected, got = _squeezed(row["body_text"]), _squeezed(parsed.text)
        if not expected and row.get("has_html"):
            return None  # that parser makes no text of HTML
        if any(a.mime_type == "message/rfc822" for a in parsed.attachments):
            # That parser appends the texts of attached mails; ours keeps them out of the text.
            return expected.startswith(got)
        return _same(expected, got)

    share, wrong = _share_right(name, "body_text", holds)
    assert share >= 0.95, wrong


def _sizes(attachment: MailAttachment) -> set[int]:
    if attachment.mime_type != "message/rfc822":
        return {attachment.size}
    # Expected are sizes after a parse and a print by the standard library, with LF line ends.
    printed = email.message_from_bytes(attachment.content).as_bytes()
    return {
        attachment.size,
        len(attachment.content.replace(b"\r\n", b"\n")),
        len(printed.replace(b"\r\n", b"\n")),
    }


def test_attachments_are_right() -> None:
    def holds(row: Row, parsed: ParsedMail) -> bool:
        expected = row["attachments"]
        return len(expected) == len(parsed.attachments) and all(
            (not want["name"] or _same(want["name"], got.name)) and want["size"] in _sizes(got)
            for want, got in zip(expected, parsed.attachments, strict=True)
        )

    share, wrong = _share_right("imap_tools", "attachments", holds)
    assert share >= 0.98, wrong


def test_hard_cases_come_out_as_written_down() -> None:
    for file, (row,) in expectations("edge_synthetic").items():
        parsed = parse((corpus_folder() / "edge_synthetic" / file).read_bytes())
        for piece in row.get("body_text_contains", []):
            assert piece in parsed.text, file
        for piece in row.get("reply_text_contains", []):
            assert piece in parsed.reply_text, file
        if "reply_text" in row:
            assert parsed.reply_text == row["reply_text"], file
        kind, _ = screen(parsed, frozenset({"support@helpdesk.example"}))
        if "auto_reply" in row:
            assert (kind is Kind.AUTO_REPLY) is row["auto_reply"], file
        if "is_bounce" in row:
            # A report that all went well is of the same kind, for it reaches no rules either.
            good = parsed.bounce is not None and parsed.bounce.report is Report.SUCCESS
            assert (kind is Kind.BOUNCE and not good) is row["is_bounce"], file
        if "bounce_recipient" in row:
            assert parsed.bounce is not None
            assert list(parsed.bounce.recipients) == row["bounce_recipient"], file
            assert parsed.bounce.status == row["status"], file


def test_every_mail_is_read_in_time_and_fits_a_database() -> None:
    slow, broken, seen = [], [], 0
    for path in all_mails():
        raw = path.read_bytes()
        started = time.monotonic()
        parsed = parse(raw)
        kind, _ = screen(parsed)
        classify(parsed, kind)
        if time.monotonic() - started > MAX_SECONDS:
            slow.append(str(path))
        if any(defect.startswith("The mail could not be read") for defect in parsed.defects):
            broken.append(str(path))
        for text in (parsed.subject, parsed.text, parsed.reply_text, parsed.html, *parsed.defects):
            assert "\x00" not in text
            text.encode("utf-8")
        assert "\n" not in parsed.subject
        assert all("/" not in a.name and "\\" not in a.name and 0 < len(a.name) <= 200 for a in parsed.attachments)
        seen += 1
    assert seen > 1_000
    assert slow == []
    assert broken == []


def test_good_mail_is_not_called_spam() -> None:
    good = spam = called = caught = 0
    for file, (row,) in expectations("spamassassin_public").items():
        parsed = parse((corpus_folder() / "spamassassin_public" / file).read_bytes())
        result = classify(parsed, screen(parsed)[0])
        is_called = result.label == "spam" and result.confidence >= 0.9
        if row["spam"]:
            spam, caught = spam + 1, caught + is_called
        else:
            good, called = good + 1, called + is_called
    assert called < 0.003 * good
    assert caught > 0.1 * spam
