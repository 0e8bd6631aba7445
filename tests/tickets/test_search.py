"""The search: the same answers on both databases, for any input, and nothing that the searcher may not see."""

from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tickets.making import ADDRESS, HUB, comment_on, contact_of, open_one, team_of
from tickets import search as module
from tickets.models import SearchText, Ticket, User
from tickets.querysets import tickets_for
from tickets.search import search
from tickets.services.files import Upload
from tickets.services.tickets import change_ticket

pytestmark = pytest.mark.django_db


def found(text: str) -> set[str]:
    return set(search(Ticket.objects.all(), text).values_list("subject", flat=True))


@pytest.fixture
def three(db: None) -> None:
    printer = open_one("Printeren er død", body_text="Hjælp: toner missing in print_server01.nordwind.example")
    comment_on(printer, "The cartridge 12.5 costs 300 kr; see https://shop.example/toner?id=7&x=%20blå")
    open_one("Telephone", body_text="Ingen klartone. Skriv til per@kunde.example", contact=contact_of())
    open_one("Rechnung", body_text="Die Tür über Straße", uploads=[Upload("Årsregnskab-2025_final.v2.PDF", b"%PDF-")])


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("toner", {"Printeren er død"}),
        ("CARTRIDGE kr", {"Printeren er død"}),
        ("toner elephant", set()),
        ("toner missing", {"Printeren er død"}),
        ("dØd", {"Printeren er død"}),
        ("print", {"Printeren er død"}),
        ("tele", {"Telephone"}),
        ("tele phone", set()),
        ("nord missing", set()),
        ("missing nord", {"Printeren er død"}),
        ("server01", {"Printeren er død"}),
        ("nordwind.example", {"Printeren er død"}),
        ("print_server01", {"Printeren er død"}),
        ("shop toner 20blå", {"Printeren er død"}),
        ("12.5", {"Printeren er død"}),
        ("kunde", {"Telephone"}),
        ("straße", {"Rechnung"}),
        ("årsregnskab", {"Rechnung"}),
        ("Årsregnskab-2025_final.v2.PDF", {"Rechnung"}),
        ("final pdf", {"Rechnung"}),
        ("regnskab", set()),
        ("", {"Printeren er død", "Telephone", "Rechnung"}),
        ("  ", {"Printeren er død", "Telephone", "Rechnung"}),
    ],
)
def test_all_words_are_found_and_the_last_one_may_go_on(three: None, text: str, subjects: set[str]) -> None:
    assert found(text) == subjects


def test_a_requesters_address_finds_the_tickets(three: None) -> None:
    assert found(ADDRESS.upper()) == {"Telephone"}
    assert found("nobody@x.example") == set()


def test_a_number_finds_exactly_its_ticket(three: None) -> None:
    with time_machine.travel(datetime(2025, 12, 15, 12, tzinfo=UTC)):
        first = open_one("first of the day")
        for number in range(9):
            open_one(f"no {number}")
    assert first.ticket_number == "TKT-20251215-001"
    assert found("tkt-20251215-001") == found("Re: [TKT-20251215-001] hello") == {"first of the day"}
    assert found("TKT-20251215-099") == set()


HOSTILE = [
    '"', "'", "''", '"toner', "toner'--", "&", "|", "!", "&&&", ":*", "toner:*", "*", "toner*", "(", ")", "(toner",
    "NEAR(", "NEAR(toner death, 2)", "toner AND", "OR", "NOT", "text:toner", "^toner", "-toner", "+", "\\", "toner\\",
    "%", "%s", "%(a)s", "{}", "{text}", "\0", "to\0ner", "\ud800", "a\0@x.example", "\ud800@x.example", "@", "a@b@c",
    "';DROP TABLE users", "toner; SELECT 1", "<->", "toner <-> missing", "𝕿", "日本語", "e\u0301", "\u202e", "_", "__",
    "x" * 5000, "ø" * 3000, "w " * 5000, "1" * 400, "a.b" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_no_input_breaks_the_search(three: None, text: str) -> None:
    assert found(text) <= {"Printeren er død", "Telephone", "Rechnung"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters() | st.sampled_from("'\"&|!:*()<->\\ \0%_@"), max_size=60))
def test_no_text_at_all_breaks_the_search(text: str) -> None:
    found(text)


@pytest.mark.parametrize("text", ['"toner"', "toner:*", "(toner)", "'toner", "toner -", "toner, missing!"])
def test_signs_around_a_word_do_not_hide_it(three: None, text: str) -> None:
    assert found(text) == {"Printeren er død"}


def test_a_word_too_long_for_the_database_is_found_by_its_beginning() -> None:
    open_one("long", body_text="y" * 1500)
    assert found("y" * 1500) == {"long"}
    assert found("y" * 3000) == {"long"}


@pytest.mark.parametrize("letter", ["x", "ø", "字", "𝔘"])
def test_a_text_above_a_megabyte_is_kept_whole_and_found(letter: str) -> None:
    text = "beginning " + " ".join(f"{letter}{number}" for number in range(250_000))
    assert len(text.encode()) > 1_000_000
    ticket = open_one("huge", body_text=text)
    assert found("beginning") == found(f"{letter}77") == {"huge"}
    assert ticket.comments.get().body_text == text


def test_what_is_changed_or_deleted_is_found_no_more() -> None:
    ticket = open_one("Giraffe", body_text="elephant")
    change_ticket(actor=HUB, ticket=ticket, changes={"subject": "Zebra"})
    assert found("giraffe") == set()
    assert found("zebra") == found("elephant") == {"Zebra"}
    Ticket.objects.all().delete()
    assert not SearchText.objects.exists()
    assert found("elephant") == set()


def test_nobody_finds_what_they_may_not_see() -> None:
    kim = User.objects.create_user("kim", visibility="own_tickets")
    ole = User.objects.create_user("ole", visibility="own_teams")
    contact = contact_of()
    hers = open_one("hers", body_text="elephant", assigned_to_user=kim)
    theirs = open_one("theirs", body_text="elephant", assigned_team=team_of(ole))
    hidden = open_one("hidden", body_text="elephant", contact=contact)
    comment_on(hidden, "giraffe", is_internal=True, uploads=[Upload("zebra.txt", b"z")])

    for user, seen in ((kim, {hers}), (ole, {theirs})):
        assert set(search(tickets_for(user), "elephant")) == seen
        for text in ("giraffe", "zebra", "hidden", hidden.ticket_number, contact.email):
            assert not search(tickets_for(user), text), text


def test_newer_texts_of_others_do_not_hide_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEWEST", 3)
    kim = User.objects.create_user("kim", visibility="own_tickets")
    mine = open_one("mine", body_text="elephant", assigned_to_user=kim)
    for number in range(5):
        open_one(f"other {number}", body_text="elephant")
    assert list(search(tickets_for(kim), "elephant")) == [mine]
    everyone = User.objects.create_user("all")
    assert search(tickets_for(everyone), "elephant").count() == 3
    assert list(search(tickets_for(everyone).filter(subject="mine"), "elephant")) == [mine]
