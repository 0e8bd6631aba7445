"""Reports in the form of RFC 3464 and RFC 5965 say what happened, to whom, and to which of our mails."""

from datetime import UTC, datetime

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.mail import Kind, Report
from tests.emailflow.inbound.mails import PLAIN, mail, multipart
from tests.emailflow.inbound.parsing.bounces.letters import (
    DAEMON,
    FAILED,
    ORIGINAL,
    OURS,
    RETURNED,
    bounce_of,
    report,
    status,
)

GONE = """Final-Recipient: rfc822; kunde@example.dk
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <kunde@example.dk>: Recipient address
    rejected: User unknown"""
FULL = "Final-Recipient: rfc822; bo@example.dk\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 Mailbox full"
LATE = "Final-Recipient: rfc822; bo@example.dk\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: smtp; timed out"
GOOD = "Final-Recipient: rfc822; bo@example.dk\nAction: delivered\nStatus: 2.0.0"


def test_each_recipient_has_its_own_result() -> None:
    bounce = bounce_of(report(status(GONE, FULL, LATE, GOOD.replace("bo@", "eva@")), RETURNED))

    told = [(one.address, one.action, one.status, one.hard) for one in bounce.reports]
    assert told[:2] == [("kunde@example.dk", "failed", "5.1.1", True), ("bo@example.dk", "failed", "5.2.2", False)]
    assert told[-1] == ("eva@example.dk", "delivered", "2.0.0", False)
    assert bounce.report is Report.BOUNCE
    assert bounce.recipients == ("kunde@example.dk", "bo@example.dk")
    assert bounce.reports[0].diagnostic.endswith("Recipient address rejected: User unknown")
    assert not bounce.hard  # one of them has a full mailbox
    assert not bounce.suspected


def test_the_original_is_known_from_the_whole_mail_or_from_its_headers() -> None:
    headers = f"Content-Type: text/rfc822-headers\r\n\r\n{ORIGINAL}"
    for returned in (RETURNED, headers):
        original = bounce_of(report(status(GONE), returned)).original
        assert original.message_id == OURS
        assert (original.sender, original.to, original.cc) == (
            "support@helpdesk.example",
            ("kunde@example.dk",),
            ("bo@example.dk",),
        )
        assert original.subject == "Svar på din sag"
        assert original.in_reply_to == ("<m1@example.dk>",)
        assert original.references == ("<m0@example.dk>", "<m1@example.dk>")


def test_a_delay_warning_a_success_and_a_failure_are_told_apart_and_none_is_a_persons_mail() -> None:
    failed, delayed, good = (report(status(group), RETURNED) for group in (GONE, LATE, GOOD))

    assert [bounce_of(raw).report for raw in (failed, delayed, good)] == [Report.BOUNCE, Report.DELAY, Report.SUCCESS]
    assert {screen(parse(raw))[0] for raw in (failed, delayed, good)} == {Kind.BOUNCE}
    assert screen(parse(delayed))[1] == "It reports that mail to bo@example.dk is delayed."
    assert screen(parse(good))[1] == "It reports that mail to bo@example.dk was delivered."
    assert not bounce_of(delayed).hard


@pytest.mark.parametrize("action", ["relayed", "expanded"])
def test_what_was_passed_on_is_no_failure(action: str) -> None:
    bounce = bounce_of(report(status(GOOD.replace("delivered", action))))
    assert (bounce.report, bounce.action) == (Report.SUCCESS, action)


def test_the_action_decides_and_not_the_code() -> None:
    given_up = bounce_of(report(status(LATE.replace("delayed", "failed"))))
    assert (given_up.report, given_up.status, given_up.hard) == (Report.BOUNCE, "4.4.1", False)


def test_the_address_that_we_wrote_to_is_kept_beside_the_one_that_it_became() -> None:
    both = "Original-Recipient: rfc822;info@example.dk\nFinal-Recipient: rfc822;ole@intern.example.dk\nAction: failed"
    local = "Original-Recipient: rfc822;info@example.dk\nFinal-Recipient: x-unix; ole\nAction: failed\nStatus: 5.1.1"
    route = "Original-Recipient: rfc822;info@example.dk\nFinal-Recipient: rfc822;@mx:ole\nAction: failed"

    one = bounce_of(report(status(both))).reports[0]
    assert (one.address, one.final, one.original) == (
        "ole@intern.example.dk",
        "ole@intern.example.dk",
        "info@example.dk",
    )
    assert one.addresses == ("ole@intern.example.dk", "info@example.dk")
    assert bounce_of(report(status(local))).recipients == ("info@example.dk",)
    assert bounce_of(report(status(route))).recipients == ("info@example.dk",)


def test_a_code_that_says_nothing_gives_way_to_the_one_in_the_words() -> None:
    def told(field: str, diagnostic: str) -> str:
        group = f"Final-Recipient: rfc822; k@x.dk\nAction: failed\n{field}Diagnostic-Code: {diagnostic}"
        return bounce_of(report(status(group))).status

    assert told("Status: 5.0.0\n", "smtp; 552 5.2.2 Over quota") == "5.2.2"
    assert told("", "smtp; 550 5.7.1 no") == "5.7.1"
    assert told("", "smtp; 451 later") == "4.0.0"
    assert told("", "smtp; mx [5.1.1.25] said: 554 no") == "5.0.0"  # an IP address is no code
    assert told("Status: 5.4.4 (no host)\n", "smtp; 5.1.1") == "5.4.4"


def test_a_report_that_names_nobody_in_its_fields_names_him_in_its_words_or_by_its_original() -> None:
    empty = "Final-Recipient: x-local; 17\nAction: failed\nStatus: 5.2.2"

    named = bounce_of(report(status(empty), RETURNED, words="<kunde@example.dk>: the mailbox is full"))
    assert (named.recipients, named.status, named.suspected) == (("kunde@example.dk",), "5.2.2", False)
    nameless = bounce_of(report(status(empty)))
    assert (nameless.recipients, nameless.status, nameless.suspected) == ((), "5.2.2", True)


def test_the_fields_are_found_where_the_boundary_never_comes_and_in_every_line_end() -> None:
    whole = report(status(GONE), RETURNED)
    lost = whole.replace(b'boundary="b1"', b'boundary="other"').replace(b"\r\nContent-Type", b"\r\nX-Type")

    for raw in (whole, whole.replace(b"\r\n", b"\n"), whole.replace(b"\r\n", b"\r"), lost):
        bounce = bounce_of(raw)
        assert bounce.recipients == ("kunde@example.dk",)
        assert (bounce.status, bounce.report) == ("5.1.1", Report.BOUNCE)
        assert bounce.original_message_id == OURS


def test_the_line_of_an_mbox_file_is_no_part_of_the_report() -> None:
    raw = b"From MAILER-DAEMON Mon Mar  2 10:11:12 2026\r\n" + report(status(GONE), headers=(FAILED,))
    assert bounce_of(raw).recipients == ("kunde@example.dk",)


def test_a_report_in_a_report_is_read_once() -> None:
    within = report(status(GONE), RETURNED).decode()
    wrapped = multipart(
        "mixed", [PLAIN, f"Content-Type: message/rfc822\r\n\r\n{within}"], *DAEMON, FAILED, boundary="o"
    )
    assert bounce_of(wrapped).recipients == ("kunde@example.dk",)

    twice = multipart(
        "mixed",
        [PLAIN, f"Content-Type: message/rfc822\r\n\r\n{wrapped.decode()}"],
        *DAEMON,
        FAILED,
        boundary="p",
    )
    assert bounce_of(twice).suspected


def test_a_person_who_passes_a_report_on_stays_a_person() -> None:
    attached = f"Content-Type: message/rfc822\r\n\r\n{report(status(GONE), RETURNED).decode()}"
    forwards = [
        multipart("mixed", [PLAIN, attached], "Subject: Fwd: Undelivered Mail Returned to Sender", boundary="o"),
        multipart("mixed", [PLAIN, status(GONE)], "Subject: Mine mails kommer retur", boundary="o"),
        mail("Subject: VS: Undeliverable", body=f"Se her:\r\n\r\n{GONE}\r\n"),
        mail("Subject: Undeliverable mail", "In-Reply-To: <m0@x.dk>", body=f"Your mail to us:\r\n\r\n{GONE}\r\n"),
    ]
    for raw in forwards:
        assert parse(raw).bounce is None
        assert screen(parse(raw))[0] is Kind.PERSON


def test_a_read_receipt_and_an_absence_note_are_no_bounces() -> None:
    receipt = "Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; k@x.dk\r\nDisposition: x"
    assert parse(multipart("report; report-type=disposition-notification", [PLAIN, receipt])).bounce is None
    away = mail("Subject: Out of office", "Return-Path: <>", "Auto-Submitted: auto-replied", body="I am away. k@x.dk")
    assert parse(away).bounce is None


COMPLAINT = """Content-Type: message/feedback-report\r
\r
Feedback-Type: Abuse\r
User-Agent: SomeGenerator/1.0\r
Version: 1\r
Original-Mail-From: <bounce+7@helpdesk.example>\r
Original-Rcpt-To: <kunde@example.dk>\r
Arrival-Date: Mon, 2 Mar 2026 10:11:12 +0100\r
"""


def test_a_complaint_says_what_kind_it_is_and_about_which_mail() -> None:
    parsed = parse(multipart("report; report-type=feedback-report", [PLAIN, COMPLAINT, RETURNED]))

    assert parsed.is_complaint
    assert screen(parsed)[0] is Kind.COMPLAINT
    bounce = parsed.bounce
    assert bounce is not None
    assert (bounce.report, bounce.recipients) == (Report.COMPLAINT, ("kunde@example.dk",))
    assert not bounce.hard
    assert bounce.feedback is not None
    assert bounce.feedback.feedback_type == "abuse"
    assert bounce.feedback.original_recipients == ("kunde@example.dk",)
    assert bounce.feedback.original_mail_from == "bounce+7@helpdesk.example"
    assert bounce.feedback.arrival_date == datetime(2026, 3, 2, 9, 11, 12, tzinfo=UTC)
    assert bounce.original.message_id == OURS


def test_a_complaint_that_hides_its_recipient_is_about_the_to_of_our_mail() -> None:
    hidden = COMPLAINT.replace("Original-Rcpt-To: <kunde@example.dk>\r\n", "")
    bounce = bounce_of(multipart("report; report-type=feedback-report", [PLAIN, hidden, RETURNED]))
    assert bounce.recipients == ("kunde@example.dk",)
    assert bounce.feedback is not None
    assert bounce.feedback.original_recipients == ()
