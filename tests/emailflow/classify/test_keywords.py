"""What a mail is about, from its form and its words; a good mail is never called spam."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.classify.base import Classification
from emailflow.classify.keywords import KeywordClassifier, classify
from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.mail import Kind, ParsedMail
from tests.emailflow.inbound.mails import mail

LABELS = {
    "support_request",
    "invoice",
    "order",
    "newsletter",
    "spam",
    "auto_reply",
    "bounce",
    "general",
}


def _classify(subject: str, body: str, *headers: str) -> Classification:
    parsed = parse(mail(f"Subject: {subject}", *headers, body=body))
    return classify(parsed, screen(parsed)[0])


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Help with network issue", "Our internet is down. Can you help?"),
        ("Printeren virker ikke", "Hej, vores printer virker ikke siden i går. Kan I hjælpe?"),
        ("VPN", "I cannot connect to the VPN since this morning, please help."),
        ("Adgang", "Jeg kan ikke logge på Outlook, den siger fejl i adgangskode"),
        ("Login", "Hi, could you please help me to reset my password?"),
        ("Mail nede", "Hele vores mailserver er nede, og vi har brug for hjælp hurtigst muligt."),
        ("Error message in the portal", "I get an error code 503 and the page does not load."),
    ],
)
def test_a_clear_call_for_help_is_a_support_request(subject: str, body: str) -> None:
    result = _classify(subject, body)
    assert result.label == "support_request"
    assert result.confidence >= 0.7
    assert result.reasons


def test_who_works_from_home_is_no_spammer() -> None:
    result = _classify("VPN drops", "Since Monday my VPN drops after thirty seconds. I work from home all week.")
    assert result.label != "spam"


@pytest.mark.parametrize(
    ("subject", "body", "label"),
    [
        ("Faktura 10023", "Hermed faktura. Forfaldsdato 1.3.2026. Beløb i alt 500 kr inkl. moms", "invoice"),
        ("Invoice no. 2026-17", "Please find attached invoice. Amount due 500 EUR.", "invoice"),
        ("Ordrebekræftelse 12345", "Tak for din ordre. Leveringsdato 12. marts", "order"),
        ("Your order #55512", "Thank you for your order. It has shipped.", "order"),
        ("Frokost", "Skal vi spise frokost på torsdag?", "general"),
        ("Test ticket", "This is a test #testing", "general"),
    ],
)
def test_ordinary_mail_gets_its_label(subject: str, body: str, label: str) -> None:
    assert _classify(subject, body).label == label


def test_a_newsletter_needs_the_form_of_one() -> None:
    body = "Se denne mail i browser. Afmeld nyhedsbrevet her."
    headers = ("List-Unsubscribe: <https://x.example>", "Precedence: bulk")
    result = _classify("Nyhedsbrev marts", body, *headers)
    assert (result.label, result.confidence >= 0.9) == ("newsletter", True)
    assert _classify("Afmeld mig fra nyhedsbrevet", "Jeg vil gerne afmelde jeres nyhedsbrev.").confidence < 0.7


def test_a_customer_who_writes_to_a_group_address_is_no_newsletter() -> None:
    headers = (
        "List-Unsubscribe: <https://groups.example>",
        "List-Post: <mailto:support@x.example>",
        "Precedence: list",
    )
    result = _classify("Printer", "Our printer does not work.\n\nTo unsubscribe from this group, mail us.", *headers)
    assert result.label == "support_request"


def test_spam_is_called_so_only_on_strong_evidence() -> None:
    strong = (
        "Dear friend, you have won the lottery! Claim your prize now: 100% free, risk-free. Make money fast from home."
        " Act now, click here. This is not spam."
    )
    assert _classify("$$$ MAKE MONEY $$$", strong).label == "spam"
    assert _classify("$$$ MAKE MONEY $$$", strong).confidence >= 0.9
    assert _classify("x", "hej", "X-Spam-Flag: YES").confidence >= 0.9
    for body in (
        "Our free trial ends on Friday, please click here to see the invoice.",
        "Kunden spørger til money-back guarantee på ordren, kan I svare?",
        "I forgot my VISA card at your office.",
    ):
        result = _classify("Spørgsmål", body)
        assert not (result.label == "spam" and result.confidence >= 0.9)


@pytest.mark.parametrize(
    ("kind", "label"),
    [(Kind.BOUNCE, "bounce"), (Kind.COMPLAINT, "bounce"), (Kind.AUTO_REPLY, "auto_reply")],
)
def test_the_form_of_a_machine_decides_before_any_word(kind: Kind, label: str) -> None:
    result = KeywordClassifier().classify(ParsedMail(subject="Help", text="Can you help?"), kind)
    assert (result.label, result.confidence >= 0.9) == (label, True)


def test_words_in_a_quote_count_for_nothing() -> None:
    assert _classify("Re: x", "Tak.\n> Our server is down. Can you help?").label == "general"


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=500), st.sampled_from(list(Kind)))
def test_any_mail_gets_a_known_label_and_a_reason(subject: str, text: str, kind: Kind) -> None:
    result = classify(ParsedMail(subject=subject, text=text), kind)
    assert result.label in LABELS
    assert 0 <= result.confidence <= 1
    assert result.reasons
