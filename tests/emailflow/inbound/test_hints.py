"""Tags and priority are what the sender wrote into the new text, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.inbound.hints import hashtags, priority


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Production server is down #critical #server", ("critical", "server")),
        ("This is a test #testing", ("testing",)),
        ("#Først på linjen", ("først",)),
        ("#Blåbærgrød, #ål-røgeri.", ("blåbærgrød", "ål-røgeri")),
        ("linje\n#anden linje\t#tredje", ("anden", "tredje")),
        ("#vpn #VPN #Vpn", ("vpn",)),
        ("sag #1234 og #ab og #a1", ()),
        ("#fff #a1b2c3 #AABBCCDD #deadbeef", ()),
        ("#feedback #abcd", ("feedback", "abcd")),
        ("se https://x.example/side#afsnit og x#tag (#parentes)", ()),
        ("> #citat\n   > #indrykket\n#nyt", ("nyt",)),
        ("##dobbelt # ensom #", ()),
        ("#" + "a" * 60, ()),
        (" ".join(f"#tag{n:02}" for n in range(20)), tuple(f"tag{n:02}" for n in range(10))),
        ("#e\u0301te\u0301", ("\u00e9t\u00e9",)),
        ("", ()),
    ],
)
def test_tags_of_the_new_text(text: str, expected: tuple[str, ...]) -> None:
    assert hashtags(text) == expected


@settings(deadline=None)
@given(st.text(max_size=500))
def test_any_text_gives_at_most_ten_clean_tags(text: str) -> None:
    tags = hashtags(text)
    assert len(tags) <= 10
    assert len(set(tags)) == len(tags)
    for tag in tags:
        assert 3 <= len(tag) <= 50
        assert tag == tag.lower()
        assert tag[0].isalpha()
        assert not any(char.isspace() or char == "#" for char in tag)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[g-zæøå][a-zæøå0-9]{2,10}", fullmatch=True), max_size=10, unique=True))
def test_written_tags_come_back_in_their_order(words: list[str]) -> None:
    assert hashtags("tekst " + " ".join(f"#{word}" for word in words)) == tuple(words)


@pytest.mark.parametrize(
    ("subject", "tags", "expected"),
    [
        ("URGENT: Server down!", (), "critical"),
        ("Help with network issue", (), None),
        ("Serveren er NEDE", (), "critical"),
        ("Kritisk fejl", (), "critical"),
        ("Det er akut", (), "critical"),
        ("Høj prioritet", (), "high"),
        ("Vigtig besked", (), "high"),
        ("Det haster lidt", (), "high"),
        ("Important question", (), "high"),
        ("Question about high load, urgent", (), "critical"),
        ("Spørgsmål om faktura", (), "low"),
        ("Info", (), "low"),
        ("info@example.dk svarer ikke", (), None),
        ("https://x.example/urgent", (), None),
        ("Download of a slow breakdown", (), None),
        ("Højskole og information", (), None),
        ("Hej", ("critical",), "critical"),
        ("Spørgsmål", ("haster",), "high"),
        ("Haster", ("low",), "high"),
        ("Ho\u0308j", (), None),
        ("", (), None),
    ],
)
def test_priority_is_the_highest_level_that_is_named(subject: str, tags: tuple[str, ...], expected: str | None) -> None:
    level, reason = priority(subject, tags)
    assert level == expected
    assert reason


@settings(deadline=None)
@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=5))
def test_any_subject_gives_a_level_or_none(subject: str, tags: list[str]) -> None:
    assert priority(subject, tags)[0] in {None, "low", "high", "critical"}


@settings(deadline=None)
@given(st.sampled_from(["urgent", "kritisk", "nede"]), st.sampled_from(["info", "high", "lav"]), st.booleans())
def test_the_highest_level_wins_wherever_it_stands(critical: str, other: str, first: bool) -> None:
    words = (critical, other) if first else (other, critical)
    assert priority(" ".join(words), ())[0] == "critical"
    assert priority(other, (critical,))[0] == "critical"
