"""A template holds words and known placeholders. Nothing that is written in one, or put into one, is run."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailflow.models import OutboxKind
from emailflow.outbound.templates import DEFAULTS, LANGUAGES, PLACEHOLDERS, check, choose, render
from tickets.errors import ServiceError

VALUES = {"ticket_number": "TKT-20251215-001", "subject": "Hej", "customer_name": "Anna", "mailbox_name": "Support"}


@dataclass
class Row:
    kind: str = "acknowledgement"
    language: str = "en"
    mailbox_id: int | None = None
    subject: str = ""
    body: str = "general"


@pytest.mark.parametrize("field", ["subject", "body"])
@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Hi {nmae}", "{nmae}"),
        ("{ticket_number.__class__}", "{ticket_number.__class__}"),
        ("{ticket_number!r}", "{ticket_number!r}"),
        ("{ticket_number:>1000000000}", "{ticket_number:>1000000000}"),
        ("{0}", "{0}"),
        ("{}", "{}"),
        ("{ ticket_number }", "{ ticket_number }"),
        ("{Ticket_Number}", "{Ticket_Number}"),
        ("{" + "x" * 5_000 + "}", "{" + "x" * 60 + "…}"),
        ("{message}", "{message}"),
    ],
)
def test_an_unknown_placeholder_is_refused_with_its_name_and_field(field: str, text: str, named: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check("acknowledgement", **{"subject": "x", "body": "x", field: text})
    assert caught.value.field == field
    assert f"no placeholder {named}." in caught.value.message
    assert "{ticket_number}" in caught.value.message


@pytest.mark.parametrize("text", ["{{", "}}", "{", "a } b", "{{ticket_number}}", "{ticket_number", "{{subject}"])
def test_a_lone_brace_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="brace"):
        check("acknowledgement", "", f"x {text}")


@pytest.mark.parametrize("text", ["%s %(ticket_number)s", "${ticket_number}", "\\n", "<b>"])
def test_the_signs_of_other_template_languages_are_text(text: str) -> None:
    check("acknowledgement", "", text)
    assert render(text, VALUES) == text.replace("{ticket_number}", VALUES["ticket_number"])


def test_rendering_runs_nothing_and_names_what_has_no_value() -> None:
    for text in ("{ticket_number.__class__}", "{0}", "{ticket_number!r}", "{ticket_number:>10}", "{}"):
        with pytest.raises(ServiceError, match="no value for the placeholder"):
            render(text, VALUES)
    assert render("{{ %s {{x", VALUES) == "{{ %s {{x"


@given(st.text(max_size=80) | st.sampled_from(["{subject}", "{ticket_number.__class__}", "\\1 \\g<0>", "{{", "%s"]))
def test_a_value_is_data_whatever_is_in_it(value: str) -> None:
    text = render("[{customer_name}] {subject}", VALUES | {"customer_name": value})
    assert text == f"[{value}] Hej"


def test_a_reply_without_the_agents_words_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"needs \{message\}") as caught:
        check("reply", "", "Hi {customer_name}")
    assert caught.value.field == "body"
    with pytest.raises(ServiceError) as caught:
        check("reply", "{message}", "{message}")
    assert caught.value.field == "subject"


@pytest.mark.parametrize(("kind", "body", "field"), [("alert", "x", "kind"), ("acknowledgement", " \n", "body")])
def test_an_unknown_kind_and_an_empty_text_are_refused(kind: str, body: str, field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check(kind, "", body)
    assert caught.value.field == field


def test_every_kind_has_words_of_ours_in_every_language_that_can_be_sent() -> None:
    for kind in OutboxKind.values:
        for language in LANGUAGES:
            words = DEFAULTS[kind, language]
            check(kind, words.subject, words.body)
            filled = render(words.body, dict.fromkeys(PLACEHOLDERS[kind], "{x}"))
            assert "{x}" in filled
            assert not any(f"{{{name}}}" in filled for name in PLACEHOLDERS[kind])


def test_the_mailboxs_own_words_come_before_the_general_and_those_before_ours() -> None:
    general, own, other = Row(), Row(mailbox_id=1, body="own"), Row(mailbox_id=2, body="other")
    assert choose([general, other, own], "acknowledgement", "en", 1).body == "own"
    assert choose([general, other], "acknowledgement", "en", 1).body == "general"
    assert choose([own], "acknowledgement", "en", None) == DEFAULTS["acknowledgement", "en"]
    assert choose([Row(kind="reply")], "acknowledgement", "en", 1) == DEFAULTS["acknowledgement", "en"]


def test_the_language_of_the_customer_comes_first_and_english_is_the_last_resort() -> None:
    rows = [Row(mailbox_id=1, body="own English"), Row(language="da", body="dansk")]
    assert choose(rows, "acknowledgement", "da", 1).body == "dansk"
    assert choose(rows[:1], "acknowledgement", "da", 1) == DEFAULTS["acknowledgement", "da"]
    assert choose(rows, "acknowledgement", "de", 1).body == "own English"
    assert choose([], "acknowledgement", "de", 1) == DEFAULTS["acknowledgement", "en"]


def test_a_kind_without_words_is_an_error_not_an_empty_mail() -> None:
    with pytest.raises(ServiceError):
        choose([], "alert", "en", None)
