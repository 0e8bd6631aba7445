"""What is an id and what only looks like one."""

import pytest

from tickets.limits import row_id


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("²", None),
        ("٣", None),
        ("-1", None),
        ("1 ", None),
        ("", None),
        (None, None),
    ],
)
def test_only_what_a_column_can_hold_is_an_id(text: str | None, number: int | None) -> None:
    assert row_id(text) == number
