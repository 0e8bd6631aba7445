"""Bounces, delays and complaints of the real world, against what the authors of other recognisers expect of them.

``bounceparser_rjbs`` and ``php_bounce_handler`` hold the output of another program, not truth. Codes 5.0.9xx are
that program's own: only their class counts. A file is exempt only with its reason beside it.
"""

import functools
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.bounces.original import addresses_in
from emailflow.inbound.parsing.bounces.recognise import read_bounce
from emailflow.inbound.parsing.headers import split_message
from emailflow.inbound.parsing.mime import walk
from emailflow.inbound.screen import screen
from emailflow.mail import Bounce, Kind, ParsedMail, Report, ReportedRecipient
from tests.corpus.folder import corpus_folder, expectations

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

Row = dict[str, Any]
OLD_MAC_AND_DOS = ("/dos/", "/mac/")
SETS = ("sisimai", "flufl_bounce", "bounceparser_rjbs", "php_bounce_handler")
REAL_BOUNCES_AMONG_HAM = ("01436", "01507", "01542")
NO_DELIVERY_REPORTS = {"maildir/bsd/lhost-amazonses-13.eml": "JSON of a web service, no report of a mail server"}
CPU_P99 = 0.020


@functools.cache
def _parsed(name: str, file: str) -> ParsedMail:
    return parse((corpus_folder() / name / file).read_bytes())


def _rows(name: str) -> list[Row]:
    return [row for rows in expectations(name).values() for row in rows]


def _bounces(name: str, *folders: str) -> list[tuple[Row, list[str]]]:
    """The rows of a set that are bounces, and the recipients that are expected of each, perhaps none."""
    if name in ("sisimai", "flufl_bounce"):
        rows = [row for row in _rows(name) if row.get("is_bounce")]
        rows = [row for row in rows if not folders or any(folder in row["file"] for folder in folders)]
        return [(row, row.get("bounce_recipient") or []) for row in rows]
    told = [
        (row, [one["recipient"] for one in row.get("sisimai") or [] if one["reason"] != "feedback"])
        for row in _rows(name)
    ]
    return [(row, recipients) for row, recipients in told if any(recipients)]


def _folded(addresses: Any) -> set[str]:
    return {address.lower().strip("<>") for address in addresses}


@pytest.mark.parametrize(
    ("name", "folders", "least", "found_bar", "exact_bar"),
    [
        ("sisimai", ("/bsd/",), 250, 0.98, 0.96),
        ("sisimai", OLD_MAC_AND_DOS, 66, 0.97, 0.96),
        ("flufl_bounce", (), 111, 0.93, 0.83),
        ("bounceparser_rjbs", (), 110, 0.95, 0.95),
        ("php_bounce_handler", (), 65, 0.95, 0.95),
    ],
)
def test_bounces_are_found_with_their_recipients(
    name: str, folders: tuple[str, ...], least: int, found_bar: float, exact_bar: float
) -> None:
    missed, wrong, named = [], [], 0
    rows = _bounces(name, *folders)
    for row, expected in rows:
        bounce = _parsed(name, row["file"]).bounce
        if bounce is None or bounce.suspected:
            missed.append(row["file"])
        if expected:
            named += 1
            if bounce is None or _folded(bounce.recipients) != _folded(expected):
                wrong.append((row["file"], expected, bounce.recipients if bounce else None))
    assert len(rows) >= least
    assert 1 - len(missed) / len(rows) >= found_bar, missed
    assert 1 - len(wrong) / named >= exact_bar, wrong


def _pairs() -> Iterator[tuple[str, Row, ReportedRecipient]]:
    """What is expected of each recipient of the set sisimai, and what was read; a missing one is counted above."""
    for row, expected in _bounces("sisimai", "/bsd/"):
        bounce = _parsed("sisimai", row["file"]).bounce or Bounce()
        known = {one.address.lower(): one for one in bounce.reports}
        for number, want in enumerate(row["expect"]):
            got = known.get(expected[number].lower().strip("<>")) if number < len(expected) else None
            if got is None and len(bounce.reports) == len(row["expect"]):
                got = bounce.reports[number]
            if got is not None:
                yield row["file"], want, got


def test_the_status_code_and_its_class_are_right() -> None:
    real, exact, classes, same_class = 0, 0, 0, 0
    wrong = []
    for file, want, got in _pairs():
        if not re.fullmatch(r"[245]\.\d+\.\d+", want["status"]):
            continue
        classes += 1
        same_class += got.status[:1] == want["status"][:1]
        if not re.match(r"[245]\.0\.9\d\d", want["status"]):
            real += 1
            exact += got.status == want["status"]
        if got.status != want["status"]:
            wrong.append((file, want["status"], got.status))
    assert real > 180
    assert classes > 230
    assert exact / real >= 0.94, wrong
    assert same_class / classes >= 0.97, wrong


def test_hard_and_soft_are_right_and_a_living_address_is_hardly_ever_given_up() -> None:
    pairs = list(_pairs())
    wrong = [(file, want["hardbounce"], got.hard) for file, want, got in pairs if want["hardbounce"] is not got.hard]
    soft = sum(not want["hardbounce"] for _, want, _ in pairs)
    given_up = [file for file, expected, _ in wrong if not expected]
    assert len(pairs) > 240
    assert 1 - len(wrong) / len(pairs) >= 0.91, wrong
    assert len(given_up) / soft <= 0.025, given_up


def test_every_feedback_report_is_a_complaint() -> None:
    rows = [row for row in _rows("sisimai") if row.get("feedback_report")]
    assert len(rows) > 8
    for row in rows:
        parsed = _parsed("sisimai", row["file"])
        assert screen(parsed)[0] is Kind.COMPLAINT, row["file"]
        assert parsed.bounce is not None
        assert parsed.bounce.feedback is not None
        assert parsed.bounce.feedback.feedback_type == row["expect"][0]["feedbacktype"]
        expected = {address for address in row["bounce_recipient"] if not address.endswith(".invalid")}
        assert _folded(parsed.bounce.recipients) == _folded(expected), row["file"]


def test_absence_notes_are_no_bounces_and_what_was_delivered_is_no_failure() -> None:
    for row in _rows("sisimai"):
        if row.get("auto_reply"):
            assert _parsed("sisimai", row["file"]).bounce is None, row["file"]
        if row.get("delivery_receipt"):
            bounce = _parsed("sisimai", row["file"]).bounce
            good = bounce is not None and bounce.report is Report.SUCCESS
            assert good or row["file"] in NO_DELIVERY_REPORTS, row["file"]


def test_what_is_only_late_is_told_from_what_was_given_up() -> None:
    for row in _rows("flufl_bounce"):
        bounce = _parsed("flufl_bounce", row["file"]).bounce
        if row.get("is_bounce") and bounce is not None:
            assert (bounce.report is Report.DELAY) is row["temporary"], row["file"]


def test_no_good_mail_and_hardly_any_spam_is_taken_for_a_bounce() -> None:
    good, spam = [], []
    for row in _rows("spamassassin_public"):
        if _parsed("spamassassin_public", row["file"]).bounce is None:
            continue
        if row["spam"]:
            spam.append(row["file"])
        elif not row["file"].rpartition("/")[2].startswith(REAL_BOUNCES_AMONG_HAM):
            good.append(row["file"])
    assert good == []
    assert len(spam) <= 1, spam


def test_reading_a_report_raises_on_no_mail_and_costs_little() -> None:
    costs = []
    for name in (*SETS, "spamassassin_public"):
        for path in sorted((corpus_folder() / name).rglob("*")):
            if not path.is_file() or path.name in ("SOURCE.txt", "expected.jsonl"):
                continue
            raw = path.read_bytes()
            block, start = split_message(raw, outer=True)
            walked = walk(block, raw, start)
            sender = next(iter(addresses_in(block.first("From"), 1)), "")
            begun = time.process_time()
            read_bounce(block, walked, sender, raw[:1_000])
            costs.append(time.process_time() - begun)
    assert len(costs) > 3_500
    assert sorted(costs)[int(len(costs) * 0.99)] <= CPU_P99
