"""Whatever letters a text has, many rows written at once read back as they were."""

import pytest
from django.db import DataError, connection

from tickets.models import Team

TEXTS = [
    'He said "no"', "back\\slash", '\\"', "", "NULL", "null", "{a,b}", "a,b", " lead and trail ", "line\nline\r\n\ttab",
    "it's", "æøå 🎫 \u2028", "%s", "E'x'", "\\N", "\\'",
]  # fmt: skip


@pytest.mark.django_db
def test_texts_of_any_letters_written_in_one_statement_read_back_as_they_were() -> None:
    Team.objects.bulk_create([Team(name=text) for text in TEXTS])

    assert sorted(Team.objects.values_list("name", flat=True)) == sorted(TEXTS)


@pytest.mark.django_db
def test_a_text_with_nul_is_refused_and_not_cut() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps NUL")

    with pytest.raises((DataError, ValueError), match="NUL"):
        Team.objects.bulk_create([Team(name="a"), Team(name="b\x00c")])


@pytest.mark.django_db
def test_lists_of_numbers_and_empty_lists_are_still_written() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no arrays")

    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int[], %s::text[], %s::text[]", [[1, 2], [], ["a", None]])
        assert cursor.fetchone() == ([1, 2], [], ["a", None])
