"""A part is the same bytes whether it is decoded at once or, because it is big, in pieces."""

import base64
import quopri
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.inbound.parsing import transfer
from emailflow.inbound.parsing.transfer import decode_in_pieces, decode_payload


@pytest.fixture(autouse=True)
def _small_pieces() -> Iterator[None]:
    before = transfer.PIECE
    transfer.PIECE = 7
    yield
    transfer.PIECE = before


def in_pieces(body: bytes, encoding: str) -> tuple[bytes, set[str]]:
    notes: list[str] = []
    framed = b"xx" + body + b"yy"
    content = b"".join(decode_in_pieces(framed, 2, len(framed) - 2, encoding, notes.append))
    return content, set(notes) - {""}


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 30))
def test_a_base64_file_comes_out_whole(content: bytes, width: int) -> None:
    encoded = base64.b64encode(content)
    lines = b"\r\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert in_pieces(lines, "base64") == (content, set())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_quoted_printable_file_comes_out_whole(content: bytes) -> None:
    encoded = quopri.encodestring(content)
    assert in_pieces(encoded, "Quoted-Printable")[0] == decode_payload(encoded, "quoted-printable")[0]


@settings(deadline=None)
@given(st.text("AB+/= \n!", max_size=120))
def test_damaged_base64_reads_the_same_in_pieces(text: str) -> None:
    whole, defect = decode_payload(text.encode(), "base64")
    assert in_pieces(text.encode(), "base64") == (whole, {defect} - {""})


def test_uuencode_and_plain_bytes_come_out_whole() -> None:
    uuencoded = b"begin 644 x\n#0V%T\n#0V%T\n#0V%T\n`\nend\n"
    assert in_pieces(uuencoded, "x-uuencode")[0] == decode_payload(uuencoded, "x-uuencode")[0] == b"CatCatCat"
    assert in_pieces(bytes(range(100)), "8bit") == (bytes(range(100)), set())
    content, notes = in_pieces(b"hello hello hello", "rot13")
    assert content == b"hello hello hello"
    assert len(notes) == 1
