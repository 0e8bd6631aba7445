"""Only our own mail server is asked whether a sender is who he says."""

import pytest

from emailflow.inbound.authenticate import authenticate
from emailflow.inbound.parse import parse
from emailflow.mail import Verdict
from tests.emailflow.inbound.mails import mail


def _verdict(
    *results: str, ids: tuple[str, ...] = ("mx.helpdesk.example",), sender: str = "kunde@example.dk"
) -> Verdict:
    headers = [f"Authentication-Results: {result}" for result in results]
    verdict, reason = authenticate(parse(mail(f"From: {sender}", *headers)), ids)
    assert reason.endswith(".")
    return verdict


OURS = "mx.helpdesk.example"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("dmarc=pass header.from=example.dk", Verdict.PASS),
        ("dmarc=fail (p=reject) header.from=example.dk", Verdict.FAIL),
        ("dkim=pass header.d=example.dk; dmarc=fail header.from=example.dk", Verdict.FAIL),
        ("dmarc=none header.from=example.dk; dkim=pass header.d=example.dk", Verdict.PASS),
        ("dkim=pass header.i=@mail.example.dk", Verdict.PASS),
        ("dkim=pass header.d=evil.example", Verdict.NONE),
        ("dkim=pass header.d=dk", Verdict.NONE),
        ("spf=pass smtp.mailfrom=bounce@example.dk", Verdict.PASS),
        ("spf=pass smtp.mailfrom=bounce@evil.example", Verdict.NONE),
        ("spf=fail smtp.mailfrom=example.dk", Verdict.NONE),
        ("spf=fail smtp.mailfrom=example.dk; dkim=fail header.d=example.dk", Verdict.FAIL),
        ("spf=pass smtp.mailfrom=evil.example; dkim=fail header.d=example.dk", Verdict.NONE),
        ("dmarc=pass header.from=evil.example", Verdict.FAIL),
        ("none", Verdict.NONE),
        (
            "spf=pass (sender IP is 1.2.3.4) smtp.mailfrom=example.dk; dkim=pass (signature was verified)"
            " header.d=example.dk;dmarc=pass action=none header.from=example.dk;compauth=pass reason=100",
            Verdict.PASS,
        ),
        ("dmarc=pass (p=none dis=none) header.from=example.dk; ((((", Verdict.PASS),
    ],
)
def test_the_word_of_our_server_decides(result: str, expected: Verdict) -> None:
    assert _verdict(f"{OURS}; {result}") is expected


def test_without_a_configured_server_nothing_is_believed() -> None:
    assert _verdict(f"{OURS}; dmarc=pass header.from=example.dk", ids=()) is Verdict.NONE
    assert _verdict(f"{OURS}; dmarc=fail header.from=example.dk", ids=("",)) is Verdict.NONE


def test_a_header_that_the_sender_wrote_himself_counts_for_nothing() -> None:
    assert _verdict("mx.evil.example; dmarc=pass header.from=example.dk") is Verdict.NONE
    # Ours stands on top of what was there when the mail came in.
    top = f"{OURS}; dmarc=fail header.from=example.dk"
    forged = f"{OURS}; dmarc=pass header.from=example.dk"
    assert _verdict(top, forged) is Verdict.FAIL
    assert _verdict("mx.other.example; dmarc=fail header.from=example.dk", forged) is Verdict.PASS


def test_the_name_of_the_server_is_compared_without_case_and_version() -> None:
    assert _verdict("MX.Helpdesk.Example 1; dmarc=pass header.from=example.dk") is Verdict.PASS
    assert _verdict("mx.helpdesk.example.evil; dmarc=pass header.from=example.dk") is Verdict.NONE


def test_a_mail_with_two_senders_is_never_believed() -> None:
    result = f"Authentication-Results: {OURS}; dmarc=pass header.from=example.dk"
    for headers in (("From: a@example.dk", "From: b@evil.example"), ("From: a@example.dk, b@evil.example",)):
        assert authenticate(parse(mail(*headers, result)), [OURS])[0] is Verdict.FAIL


def test_a_mail_without_a_sender_is_never_believed() -> None:
    assert _verdict(f"{OURS}; dmarc=pass", sender="") is Verdict.NONE
