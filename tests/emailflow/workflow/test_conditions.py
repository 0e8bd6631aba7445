"""Each condition, true and false, in both directions."""

from typing import Any

import pytest

from emailflow.mail import Address, Header, Kind, Verdict
from emailflow.workflow import registry
from emailflow.workflow.base import Facts, StepError
from tests.emailflow.workflow.making import HOLDING, LOGO, make_facts, make_mail


def holds(slug: str, facts: Facts | None = None, **params: Any) -> bool:
    """The condition with "is"; with "is not" it must say the opposite."""
    condition = registry.conditions[slug]
    held, reason = condition.holds(facts or make_facts(), {"operator": "is", **params})
    assert condition.holds(facts or make_facts(), {"operator": "is_not", **params})[0] is not held
    assert reason
    return held


@pytest.mark.parametrize("slug", HOLDING)
def test_every_condition_holds_and_does_not_hold_when_turned_round(slug: str) -> None:
    assert holds(slug, **{name: value for name, value in HOLDING[slug].items() if name != "operator"})


def test_every_registered_condition_and_action_describes_itself() -> None:
    assert set(registry.conditions) >= set(HOLDING)
    for plugin in [*registry.conditions.values(), *registry.actions.values()]:
        assert plugin.label
        assert plugin.help


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("address", "METTE@example.DK", True),
        ("address", "mette@example.d", False),
        ("domain", "@Example.dk", True),
        ("domain", "dk", False),
        ("domain", "ample.dk", False),
        ("name", "holm", True),
        ("name", "Hansen", False),
    ],
)
def test_sender(part: str, value: str, expected: bool) -> None:
    assert holds("sender", part=part, values=["nobody@nowhere.example", value]) is expected


def test_a_sender_of_a_subdomain_is_not_of_the_domain() -> None:
    facts = make_facts(make_mail(sender=Address("x@mail.example.dk")))
    assert not holds("sender", facts, part="domain", values=["example.dk"])


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("address", "Support@hub.example", True),
        ("address", "chef@example.dk", True),
        ("address", "alias@hub.example", True),
        ("address", "sales@hub.example", False),
        ("domain", "hub.example", True),
        ("domain", "other.example", False),
    ],
)
def test_recipient_counts_to_cc_and_where_it_was_delivered(part: str, value: str, expected: bool) -> None:
    facts = make_facts(make_mail(headers=(Header("Delivered-To", "alias@hub.example"),)))
    assert holds("recipient", facts, part=part, values=[value]) is expected


@pytest.mark.parametrize(
    ("match", "value", "expected"),
    [
        ("words", "NEDE", True),
        ("words", "er  nede", True),
        ("words", "ned", False),
        ("anywhere", "ned", True),
        ("equals", "printeren er nede", True),
        ("equals", "printeren er", False),
        ("starts", "Printeren", True),
        ("starts", "er nede", False),
        ("words", ".*", False),
        ("anywhere", "(a+)+$", False),
    ],
)
def test_subject(match: str, value: str, expected: bool) -> None:
    assert holds("subject", match=match, values=["faktura", value]) is expected


def test_danish_letters_match_in_either_composition() -> None:
    decomposed = make_facts(make_mail(subject="Spo\u0308rgsma\u030al om fakturaen"))
    assert holds("subject", decomposed, match="anywhere", values=["SPÖRGSMÅL"])


def test_body_is_the_new_text_only() -> None:
    assert holds("body", match="words", values=["2. sal"])
    assert not holds("body", match="words", values=["old words"])


def test_mailbox() -> None:
    assert holds("mailbox", mailboxes=["sales", "support"])
    assert not holds("mailbox", mailboxes=["sales"])


@pytest.mark.parametrize(
    ("test", "values", "expected"),
    [
        ("name_ends_with", [".pdf"], True),
        ("name_ends_with", [".docx"], False),
        ("type", ["application/PDF"], True),
        ("type", ["application/*"], True),
        ("type", ["application"], False),
        ("type", ["image/*"], False),
    ],
)
def test_attachment(test: str, values: list[str], expected: bool) -> None:
    assert holds("attachment", test=test, values=values) is expected


def test_a_logo_in_the_text_is_no_attachment() -> None:
    assert holds("attachment", test="any")
    assert not holds("attachment", make_facts(make_mail(attachments=(LOGO,))), test="any")
    assert not holds("attachment", make_facts(make_mail(attachments=())), test="any")


def test_any_attachment_with_a_list_of_names_is_an_error() -> None:
    with pytest.raises(StepError, match="values"):
        holds("attachment", test="any", values=[".pdf"])


def test_kind() -> None:
    assert holds("kind", make_facts(kind=Kind.LIST), kinds=["list", "auto_generated"])
    assert not holds("kind", make_facts(kind=Kind.PERSON), kinds=["list", "auto_generated"])


def test_verdict() -> None:
    assert holds("verdict", make_facts(verdict=Verdict.FAIL), verdicts=["fail"])
    assert not holds("verdict", make_facts(verdict=Verdict.PASS), verdicts=["fail", "none"])


def test_words_are_taken_as_letters_never_as_a_pattern() -> None:
    """As a pattern, the second one would not come back on this mail."""
    facts = make_facts(make_mail(reply_text="a" * 200_000 + " !"))
    assert not holds("body", facts, match="words", values=["aa" * 50, "(a+)+$"])
