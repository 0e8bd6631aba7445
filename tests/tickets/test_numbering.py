"""Ticket numbers: the day of the site, no end at 999, found again in any text."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.tickets.making import open_one
from tickets import numbering
from tickets.models import TicketNumber

DAYS = st.dates(min_value=date(1970, 1, 1), max_value=date(9999, 12, 31))
COUNTS = st.integers(min_value=1, max_value=999_999_999)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Copenhagen", datetime(2025, 12, 15, 22, 59, 59, tzinfo=UTC), "20251215"),
        ("Europe/Copenhagen", datetime(2025, 12, 15, 23, 0, tzinfo=UTC), "20251216"),
        ("Europe/Copenhagen", datetime(2025, 7, 1, 21, 59, tzinfo=UTC), "20250701"),
        ("Europe/Copenhagen", datetime(2025, 7, 1, 22, 0, tzinfo=UTC), "20250702"),
        ("America/New_York", datetime(2026, 1, 1, 4, 59, tzinfo=UTC), "20251231"),
    ],
)
@pytest.mark.django_db
def test_the_day_is_that_of_the_site_whoever_looks(zone: str, moment: datetime, day: str, settings: Any) -> None:
    settings.TIME_ZONE = zone
    with time_machine.travel(moment, tick=False), timezone.override("Asia/Tokyo"):
        assert open_one().ticket_number == f"TKT-{day}-001"
        assert numbering.preview(timezone.now()) == f"TKT-{day}-002"


@pytest.mark.django_db
def test_a_new_day_begins_with_one_and_the_old_one_goes_on() -> None:
    first, second = date(2025, 12, 15), date(2025, 12, 16)
    assert numbering.take(first, 2) == ["TKT-20251215-001", "TKT-20251215-002"]
    assert numbering.take(second, 1) == ["TKT-20251216-001"]
    assert numbering.take(first, 1) == ["TKT-20251215-003"]


@pytest.mark.django_db
def test_the_thousandth_of_a_day_has_four_digits() -> None:
    day = date(2025, 12, 15)
    TicketNumber.objects.create(day=day, last=998)
    assert numbering.take(day, 3) == ["TKT-20251215-999", "TKT-20251215-1000", "TKT-20251215-1001"]


@pytest.mark.django_db
def test_a_preview_touches_no_counter() -> None:
    moment = datetime(2025, 12, 15, 12, tzinfo=UTC)
    assert numbering.preview(moment) == numbering.preview(moment) == "TKT-20251215-001"
    assert not TicketNumber.objects.exists()
    numbering.take(date(2025, 12, 15), 7)
    assert numbering.preview(moment) == "TKT-20251215-008"


@given(day=DAYS, count=COUNTS, before=st.sampled_from(["", "Re: [", "(", "SV: ", "å ", "-", "\n"]))
def test_a_number_is_found_in_any_text(day: date, count: int, before: str) -> None:
    number = numbering.format_number(day, count)
    for text in (number, number.lower()):
        assert numbering.find(f"{before}{text}] {number}") == [number]


@given(day=DAYS, count=COUNTS, letter=st.sampled_from("aZ09"))
def test_a_number_inside_a_word_is_none(day: date, count: int, letter: str) -> None:
    number = numbering.format_number(day, count)
    assert numbering.find(letter + number) == []
    assert numbering.find(f"{number}x") == []


@given(st.text())
def test_any_text_gives_numbers_that_can_exist(text: str) -> None:
    for number in numbering.find(text + " TKT-२०२५१२१५-००१ \u212aKT-20251215-001 t\u212at-20251215-001"):
        assert number.isascii()
        assert numbering.find(number) == [number]


def test_each_number_is_named_once_in_order() -> None:
    text = "TKT-20251215-002 tkt-20251215-001 TKT-20251215-002 TKT-2025-1"
    assert numbering.find(text) == ["TKT-20251215-002", "TKT-20251215-001"]
