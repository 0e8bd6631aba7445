"""Looking for all phrases in one pass finds what looking for each by itself finds."""

import re

import pytest

from emailflow.classify.keywords import _PHRASES
from emailflow.classify.together import Together, starts

TEXTS = [
    "hej, kan i hjælpe os? printeren virker ikke, og vi kan ikke logge ind. det haster",
    "please find attached our invoice. amount due: 400. unsubscribe here",
    "we can't open the file; it's down. error code 7 on a blue screen, as soon as possible",
    "100% free! act now, click here: http://10.0.0.1 and make $$ fast",
    "du modtager denne mail, fordi du er tilmeldt nyhedsbrevet. 50 % rabat",
    "ordre nr. 12345 er afsendt; track your parcel. leveringsdato følger",
]


@pytest.mark.parametrize("text", TEXTS)
def test_one_pass_finds_every_phrase_that_a_search_of_its_own_finds(text: str) -> None:
    for number, (_, phrase) in enumerate(_PHRASES):
        alone = re.search(rf"(?<!\w)(?:{phrase.words})", text)

        found = dict(Together({number: phrase.words}).find(text))

        assert bool(found) is bool(alone), phrase.words


def test_the_first_letters_of_a_pattern_are_told() -> None:
    assert starts(r"(?:the |an? )?issue(?!\w)") == {"th", "an", "a ", "is"}
    assert starts(r"[ab]?\d{2,} kr") == {f"{a}{b}" for a in "ab" for b in "0123456789"} | {
        f"{a}{b}" for a in "0123456789" for b in "0123456789 "
    }


def test_a_pattern_that_may_begin_with_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with"):
        Together({1: r"\w+ here"})
