"""Staff read in plain words who was not reached and why, with the code."""

import pytest

from emailflow.inbound.parsing.bounces.words import in_words, reason
from emailflow.mail import Bounce, Feedback, Report, ReportedRecipient


def _one(status: str, action: str = "failed", *, hard: bool = False, original: str = "") -> Bounce:
    kinds = {"failed": Report.BOUNCE, "delayed": Report.DELAY}
    one = ReportedRecipient("k@x.dk", action=action, status=status, hard=hard, original=original)
    return Bounce(kinds.get(action, Report.SUCCESS), (one,))


@pytest.mark.parametrize(
    ("status", "hard", "expected"),
    [
        ("5.1.1", True, "The address does not exist"),
        ("5.1.2", True, "The domain of the address does not exist"),
        ("5.2.2", False, "The mailbox is full"),
        ("4.2.2", False, "The mailbox is full"),
        ("5.7.26", False, "It was refused by policy"),
        ("5.3.4", False, "The mail is too big"),
        ("5.4.999", False, "The receiving mail server could not be reached"),
        ("5.0.0", True, "The address does not exist"),
        ("5.0.0", False, "The mail server gives no reason that could be read"),
        ("", False, "The mail server gives no reason that could be read"),
    ],
)
def test_a_code_is_put_into_words(status: str, hard: bool, expected: str) -> None:
    assert reason(status, hard=hard) == expected


@pytest.mark.parametrize(
    ("bounce", "english", "danish"),
    [
        (
            _one("5.1.1", hard=True),
            "Mail to k@x.dk was not delivered: The address does not exist (5.1.1).",
            "Mail til k@x.dk blev ikke leveret: Adressen findes ikke (5.1.1).",
        ),
        (
            _one("4.4.1", "delayed"),
            "Mail to k@x.dk is delayed: The receiving mail server did not answer; it will be tried again by the mail "
            "server (4.4.1).",
            "Mail til k@x.dk er forsinket: Modtagerens mailserver svarede ikke; mailserveren prøver igen (4.4.1).",
        ),
        (
            _one("4.2.2"),
            "Mail to k@x.dk was not delivered: The mailbox is full, and the mail server has given up (4.2.2).",
            "Mail til k@x.dk blev ikke leveret: Postkassen er fuld, og mailserveren har givet op (4.2.2).",
        ),
        (_one("2.0.0", "delivered"), "Mail to k@x.dk was delivered.", "Mail til k@x.dk blev leveret."),
        (
            Bounce(suspected=True),
            "This looks like a delivery report, but it does not say who was not reached.",
            "Det ligner en leveringsrapport, men den siger ikke, hvem der ikke blev nået.",
        ),
        (
            Bounce(Report.COMPLAINT, (ReportedRecipient("k@x.dk", action=""),), feedback=Feedback("abuse")),
            "k@x.dk reported our mail as spam.",
            "k@x.dk har meldt vores mail som spam.",
        ),
        (
            Bounce(Report.COMPLAINT, feedback=Feedback("fraud")),
            "A receiving mail server sent a complaint about mail to a recipient that it does not name (fraud).",
            "En modtagende mailserver sendte en klage over mail til en modtager, som den ikke nævner (fraud).",
        ),
    ],
)
def test_a_report_is_one_sentence_in_both_languages(bounce: Bounce, english: str, danish: str) -> None:
    assert in_words(bounce) == english
    assert in_words(bounce, "da") == danish


def test_the_address_that_we_wrote_to_is_named_beside_the_one_that_failed() -> None:
    words = in_words(_one("5.1.1", original="info@x.dk"))
    assert words == "Mail to k@x.dk (sent to info@x.dk) was not delivered: The address does not exist (5.1.1)."


def test_many_recipients_are_counted_and_those_who_failed_come_first() -> None:
    late = ReportedRecipient("late@x.dk", action="delayed", status="4.4.1")
    gone = [ReportedRecipient(f"{n}@x.dk", status="5.1.1") for n in range(4)]
    words = in_words(Bounce(Report.BOUNCE, (late, *gone)))
    assert words.startswith("Mail to 0@x.dk was not delivered")
    assert words.endswith("It names 2 more.")
