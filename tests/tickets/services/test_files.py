"""File names are never a path, and types are what the bytes are."""

import os.path
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tickets.making import open_one
from tickets import blobs
from tickets.models import SearchText, Ticket
from tickets.search import search
from tickets.services.files import INLINE_TYPES, Upload, clean_name, sniff


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\kim\\bill.pdf", "bill.pdf"),
        ("a/b\\..", "file"),
        ("..", "file"),
        (". . hidden", "hidden"),
        ("", "file"),
        ("\0\r\n\t", "file"),
        ("line\r\nbreak: x.txt", "linebreak: x.txt"),
        ("gepj.\u202excod.exe", "gepj.xcod.exe"),
        ("årsrapport   æøå.pdf", "årsrapport æøå.pdf"),
        ("A\u030a.txt", "Å.txt"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_name_is_never_a_path(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text(st.characters() | st.sampled_from("/\\.\0\n \u202e"), max_size=300))
def test_any_text_becomes_a_plain_name(text: str) -> None:
    name = clean_name(text)
    assert 0 < len(name) <= 200
    assert name == os.path.basename(name)
    assert not name.startswith((".", " "))
    assert not set(name) & set("/\\\0\r\n")
    assert all(unicodedata.category(char)[0] != "C" for char in name)
    name.encode()


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        ("blå".encode(), "text/plain"),
        (b"", "text/plain"),
        ("blå".encode("latin-1"), "application/octet-stream"),
        (b"MZ\0\0", "application/octet-stream"),
        (b" \n<!DOCTYPE HTML><p>", "text/html"),
        (b"<svg onload=alert(1)>", "text/html"),
        (b"<?xml version='1.0'?><svg/>", "text/html"),
        (b"x <SCRIPT>alert(1)</SCRIPT>", "text/html"),
    ],
)
def test_the_type_is_what_the_bytes_are(content: bytes, mime_type: str) -> None:
    assert sniff(content) == mime_type


@given(st.binary(max_size=200))
def test_what_a_browser_may_take_for_a_page_is_never_shown_inside_ours(content: bytes) -> None:
    assert sniff(b"<html>" + content) not in INLINE_TYPES
    assert sniff(content + b"<script>") != "text/plain"


@pytest.mark.django_db
def test_a_file_keeps_its_bytes_and_is_found_by_its_name() -> None:
    ticket = open_one(
        uploads=[
            Upload("/tmp/faktura-2025.pdf", b"%PDF-1"),
            Upload("logo.png", b"\x89PNG\r\n\x1a\n", content_id="cid@x", inline=True),
        ]
    )
    bill, logo = ticket.attachments.order_by("id")
    assert (bill.name, bill.size, bill.mime_type, bill.is_inline) == ("faktura-2025.pdf", 6, "application/pdf", False)
    assert blobs.read(bill.sha256) == b"%PDF-1"
    assert (logo.cid, logo.is_inline, logo.mime_type) == ("cid@x", True, "image/png")
    for words in ("faktura", "faktura-2025.pdf", "2025", "pdf"):
        assert list(search(Ticket.objects.all(), words)) == [ticket], words
    assert not SearchText.objects.filter(text__contains="logo").exists()
