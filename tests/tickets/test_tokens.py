"""Signed marks lead to their own ticket, and to no other however they are bent."""

from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tickets import numbering, tokens

NUMBER = "TKT-20251215-001"
NUMBERS = st.builds(
    numbering.format_number, st.dates(min_value=date(1970, 1, 1)), st.integers(min_value=1, max_value=99_999)
)
KEYS = st.from_regex(r"[an]?[0-9]{1,18}", fullmatch=True).filter(str.isascii)


@given(NUMBERS, KEYS)
def test_a_token_and_a_message_id_are_found_in_a_text_in_any_case(number: str, key: str) -> None:
    for token in (tokens.thread_token(number), tokens.thread_message_id(number, key, "help.example.org")):
        for text in (token, token.lower(), token.upper(), f"see support+{token}@help.example.org, thanks"):
            assert tokens.verified_numbers(text) == [number]


@given(NUMBERS, NUMBERS, KEYS, KEYS)
def test_a_signature_is_good_for_nothing_else(number: str, other: str, key: str, other_key: str) -> None:
    assume(number != other and key.lower() != other_key.lower())
    token = tokens.thread_token(number)
    message_id = tokens.thread_message_id(number, key, "h.example")
    signature = token.rpartition("-")[2]
    assert tokens.verified_numbers(token.replace(number, other)) == []
    assert tokens.verified_numbers(message_id.replace(f"{number}-{key}-", f"{number}-{other_key}-")) == []
    assert tokens.verified_numbers(f"{number}-{key}-{signature}") == []


@given(st.integers(min_value=0, max_value=15), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_letter_is_no_token(place: int, letter: str) -> None:
    head, _, signature = tokens.thread_token(NUMBER).rpartition("-")
    assume(signature[place] != letter)
    assert tokens.verified_numbers(f"{head}-{signature[:place]}{letter}{signature[place + 1 :]}") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        NUMBER,
        f"{NUMBER}-aaaaaaaaaaaaaaaa",
        # Letters that are one of [a-z] only to a pattern that knows no case: the long s and the Kelvin sign.
        f"{NUMBER}-aaaaaaaaaaaaaaa\u017f",
        f"{NUMBER}-aaaaaaaaaaaaaaa\u212a",
        "T\u212aT-20251215-001-aaaaaaaaaaaaaaaa",
        "TKT-२०२५१२१५-००१-aaaaaaaaaaaaaaaa",
    ],
)
def test_what_is_not_signed_finds_nothing(text: str) -> None:
    assert tokens.verified_numbers(text) == []


@given(st.text(st.characters() | st.sampled_from("TKT-0123456789abckſ\u212a"), max_size=200))
def test_no_text_breaks_the_search_for_tokens(text: str) -> None:
    assert tokens.verified_numbers(f"{NUMBER}-{text}") in ([], [NUMBER])


def test_an_old_key_still_verifies_and_a_removed_one_does_not(settings: Any) -> None:
    settings.TOKEN_KEYS = ["old"]
    token, message_id = tokens.thread_token(NUMBER), tokens.thread_message_id(NUMBER, "a5", "h.example")
    settings.TOKEN_KEYS = ["new", "old"]
    assert tokens.verified_numbers(f"{token} {message_id}") == [NUMBER]
    assert tokens.thread_token(NUMBER) != token
    settings.TOKEN_KEYS = ["new"]
    assert tokens.verified_numbers(f"{token} {message_id}") == []


def test_a_long_text_is_read_quickly_and_only_from_its_beginning() -> None:
    token = tokens.thread_token(NUMBER)
    assert tokens.verified_numbers(token + " TKT-20251215-001-" * 10_000) == [NUMBER]
    assert tokens.verified_numbers("x" * 100_000 + " " + token) == []
