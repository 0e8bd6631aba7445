"""A mail is named by its form: what a machine sent gets no automatic answer, what a person sent does."""

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.mail import Kind
from tests.emailflow.inbound.mails import PLAIN, mail, multipart
from tickets.tokens import thread_message_id

OURS = frozenset({"support@helpdesk.example"})
OUR_IDS = frozenset({"helpdesk.example"})


def _kind(raw: bytes) -> Kind:
    kind, reason = screen(parse(raw), OURS, OUR_IDS)
    assert reason.endswith(".")
    return kind


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("X-Ordinary: x", Kind.PERSON),
        ("Auto-Submitted: no", Kind.PERSON),
        ("Auto-Submitted: auto-replied", Kind.AUTO_REPLY),
        ("Auto-Submitted: auto-replied (vacation)", Kind.AUTO_REPLY),
        ("Auto-Submitted: auto-generated", Kind.AUTO_GENERATED),
        ("Auto-Submitted: auto-notified; owner-email=x@example.dk", Kind.AUTO_GENERATED),
        ("X-Autoreply: yes", Kind.AUTO_REPLY),
        ("X-Autorespond: x", Kind.AUTO_REPLY),
        ("X-Mail-Autoreply: 1", Kind.AUTO_REPLY),
        ("Precedence: auto_reply", Kind.AUTO_REPLY),
        ("Precedence: bulk", Kind.LIST),
        ("Precedence: list", Kind.LIST),
        ("Precedence: junk", Kind.LIST),
        ("List-Id: <nyt.example.dk>", Kind.LIST),
        ("List-Unsubscribe: <mailto:x@example.dk>", Kind.LIST),
        ("X-Auto-Response-Suppress: All", Kind.AUTO_GENERATED),
        ("X-Loop: andre@example.dk", Kind.AUTO_GENERATED),
        ("Return-Path: <>", Kind.AUTO_GENERATED),
        ("Return-Path: <kunde@example.dk>", Kind.PERSON),
        ("From: MAILER-DAEMON@mx.example", Kind.AUTO_GENERATED),
        ("From: postmaster@mx.example", Kind.AUTO_GENERATED),
        ("From: no-reply@shop.example", Kind.AUTO_GENERATED),
        ("From: noreply+abc@shop.example", Kind.AUTO_GENERATED),
        ("From: ordre.do_not_reply@shop.example", Kind.AUTO_GENERATED),
        ("From: svar-ikke@shop.example", Kind.AUTO_GENERATED),
        ("From: nora.reply@shop.example", Kind.PERSON),
        ("From: postmand@example.dk", Kind.PERSON),
    ],
)
def test_a_header_names_the_kind(header: str, expected: Kind) -> None:
    assert _kind(mail(header)) is expected


@pytest.mark.parametrize(
    "subject",
    [
        "Automatisk svar: Din ordre 1234",
        "Autosvar: Ferie",
        "Fraværende: Re: [#1234] Svar",
        "Ikke til stede: Svar",
        "Out of Office: Re: order",
        "Out of the office until Monday",
        "Automatic reply: Hello",
        "AutoReply: x",
        "Auto: Re: x",
        "Re: Automatic reply: x",
        "Abwesenheitsnotiz: Urlaub",
        "Automatische Antwort: Frage",
        "Autosvar: Frånvarande",
        "Frånvaro: semester",
        "Automatiskt svar: Hej",
        "Fraværsmelding: ferie",
        "Er fraværende: ferie",
    ],
)
def test_out_of_office_wording_at_the_start_of_a_subject_is_an_automatic_answer(subject: str) -> None:
    assert _kind(mail(f"Subject: {subject}")) is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "subject",
    [
        "Spørgsmål om ferie og automatisk svar",
        "How do I set up an out of office reply?",
        "Autobahn closed",
        "Automation of invoices",
        "Fraværsregistrering virker ikke",
        "Autosave does not work",
        "Automatisk svartjeneste",
        "On vacations policy",
        "Automatikgear",
    ],
)
def test_a_customer_may_write_about_holidays_and_automatic_answers(subject: str) -> None:
    assert _kind(mail(f"Subject: {subject}")) is Kind.PERSON


def test_exchange_calls_its_own_out_of_office_generated_and_it_is_an_answer_all_the_same() -> None:
    raw = mail("Subject: Automatisk svar: x", "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All")
    assert _kind(raw) is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    [
        "From: Support <Support@Helpdesk.example>",
        "Message-ID: {ours}",
        "X-Hub: helpdesk.example",
        "X-Loop: support@helpdesk.example",
    ],
)
def test_our_own_mail_is_a_loop_even_when_it_looks_like_a_bounce(header: str) -> None:
    header = header.format(ours=thread_message_id("TKT-20251215-001", "17", "helpdesk.example"))
    assert _kind(mail(header)) is Kind.LOOP
    assert _kind(mail(header, "Auto-Submitted: auto-replied", "Return-Path: <>")) is Kind.LOOP


def test_a_reply_to_our_mail_and_a_number_of_somebody_else_are_no_loop() -> None:
    assert _kind(mail("In-Reply-To: <TKT-20251215-001-17-abcd@helpdesk.example>")) is Kind.PERSON
    assert _kind(mail("Message-ID: <TKT-20251215-001-17-abcd@other.example>")) is Kind.PERSON
    assert _kind(mail("X-Hub-Ticket: TKT-20251215-001")) is Kind.PERSON
    assert _kind(mail("X-Hub: other.example")) is Kind.PERSON


def test_reports_are_told_apart() -> None:
    status = "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; k@x.dk"
    report = "report; report-type=delivery-status"
    assert _kind(multipart(report, [PLAIN, f"{status}\r\nAction: failed\r\nStatus: 5.1.1"])) is Kind.BOUNCE
    assert _kind(multipart(report, [PLAIN, f"{status}\r\nAction: delayed\r\nStatus: 4.4.1"])) is Kind.BOUNCE
    delivered = multipart(report, [PLAIN, f"{status}\r\nAction: delivered\r\nStatus: 2.0.0"])
    assert _kind(delivered) is Kind.BOUNCE  # it opens no ticket either; what it reports says that it is good news
    receipt = "Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action; displayed"
    assert _kind(multipart("report; report-type=disposition-notification", [PLAIN, receipt])) is Kind.AUTO_REPLY
    feedback = "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x"
    original = b"Content-Type: message/rfc822\r\n\r\n" + mail("From: support@helpdesk.example")
    complaint = multipart("report; report-type=feedback-report", [PLAIN, feedback, original])
    assert _kind(complaint) is Kind.COMPLAINT


def test_forged_message_id_of_our_form_is_no_loop() -> None:
    assert _kind(mail("Message-ID: <TKT-20251215-001-17-aaaaaaaaaaaaaaaa@helpdesk.example>")) is Kind.PERSON
