"""HTML mail and files, shown where they can do no harm and only to those who may see them."""

import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from tests.adminkit import agent, browser, superuser
from tests.rest import ticket
from tickets import blobs
from tickets.models import Attachment, Comment, Ticket, User, Visibility
from tickets.services.files import Upload

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
HTML = (
    '<p>Hello</p><img src="cid:logo@x" alt="a &gt; b > c">'
    '<img data-src="https://far.example/p.gif?a=1&amp;b=2"><img data-src="http://plain.example/p.gif">'
    '<img src="cid:gone">'
)


def mailed(html: str = HTML, **files: Any) -> Ticket:
    uploads = [Upload("logo.png", PNG, content_id="logo@x", inline=True)]
    uploads += [Upload(name, content) for name, content in files.items()]
    return ticket("Mail", body_html=html, uploads=uploads)


def frame_of(row: Ticket) -> str:
    return reverse("comment-frame", args=[row.comments.get().pk])


def image_in(page: str) -> str:
    found = re.search(r'src="(/frames/images/[^"]+)"', page)
    assert found
    return found[1]


def test_frame_runs_nothing_and_loads_nothing_from_outside() -> None:
    answer = browser(agent()).get(frame_of(mailed()))
    assert answer["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'"
    )
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    page = answer.content.decode()
    assert "<p>Hello</p>" in page
    assert "far.example" not in page
    assert "cid:" not in page


def test_remote_images_come_after_a_click_and_over_https_only() -> None:
    answer = browser(agent()).get(frame_of(mailed()), {"images": "1"})
    page = answer.content.decode()
    assert "img-src 'self' https:;" in answer["Content-Security-Policy"]
    assert 'src="https://far.example/p.gif?a=1&amp;b=2"' in page
    assert "plain.example" not in page


def test_inline_image_needs_no_cookie_for_ten_minutes() -> None:
    row, me = mailed(), agent()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        address = image_in(browser(me).get(frame_of(row)).content.decode())
        answer = Client().get(address)
        assert b"".join(answer.streaming_content) == PNG  # type: ignore[attr-defined]
        assert answer["Content-Type"] == "image/png"
        assert answer["Cache-Control"] == "private, no-store"
        clock.shift(601)
        assert Client().get(address).status_code == 404


def test_address_of_an_image_dies_with_the_right_to_see_it() -> None:
    row, me = mailed(), agent()
    address = image_in(browser(me).get(frame_of(row)).content.decode())
    User.objects.filter(pk=me.pk).update(visibility=Visibility.OWN_TICKETS)
    assert Client().get(address).status_code == 404
    User.objects.filter(pk=me.pk).update(visibility=Visibility.ALL, is_active=False)
    assert Client().get(address).status_code == 404


def test_a_changed_address_shows_nothing() -> None:
    address = image_in(browser(agent()).get(frame_of(mailed())).content.decode())
    assert Client().get(address[:-2]).status_code == 404


def test_an_image_that_is_no_image_gets_no_address() -> None:
    row = ticket("x", body_html='<img src="cid:a">', uploads=[Upload("a.svg", b"<svg onload=x>", "a", inline=True)])
    page = browser(agent()).get(frame_of(row)).content.decode()
    assert "/frames/images/" not in page


def test_frame_and_file_of_an_invisible_ticket_do_not_exist() -> None:
    row = mailed(notes=b"secret")
    client = browser(agent(visibility=Visibility.OWN_TICKETS))
    assert client.get(frame_of(row)).status_code == 404
    for file in row.attachments.all():
        assert client.get(reverse("attachment", args=[file.pk])).status_code == 404


def test_frame_needs_the_right_to_see_messages() -> None:
    row = mailed()
    reader = agent("reader", rights=("tickets.view_ticket", "tickets.view_attachment"))
    reader.groups.clear()
    assert browser(reader).get(frame_of(row)).status_code == 404


def test_frame_and_file_ask_for_login() -> None:
    row = mailed()
    file = row.attachments.get()
    for address in (frame_of(row), reverse("attachment", args=[file.pk])):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


def test_a_message_without_html_has_no_frame() -> None:
    assert browser(superuser()).get(frame_of(ticket())).status_code == 404


def download(file: Attachment, **query: str) -> Any:
    return browser(superuser()).get(reverse("attachment", args=[file.pk]), query)


def test_file_is_a_download_with_its_name() -> None:
    row = ticket("x", uploads=[Upload("rapport æøå.txt", b"hello")])
    answer = download(row.attachments.get())
    assert b"".join(answer.streaming_content) == b"hello"
    assert answer["Content-Disposition"].endswith("filename*=UTF-8''rapport%20%C3%A6%C3%B8%C3%A5.txt")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("a.png", PNG, True),
        ("a.txt", b"plain words", True),
        ("a.html", b"<html><script>alert(1)</script>", False),
        ("a.svg", b"<svg onload='alert(1)'>", False),
        ("a.pdf", b"%PDF-1.7", False),
        ("innocent.png", b"<script>alert(1)</script>", False),
    ],
)
def test_only_what_no_browser_runs_is_shown_in_place(name: str, content: bytes, shown: bool) -> None:
    row = ticket("x", uploads=[Upload(name, content)])
    answer = download(row.attachments.get(), inline="1")
    assert answer["Content-Disposition"].startswith("inline" if shown else "attachment")
    assert answer["Content-Security-Policy"].startswith("sandbox;")


def test_a_file_whose_bytes_are_gone_is_not_found() -> None:
    row = ticket("x", uploads=[Upload("a.txt", b"gone soon")])
    file = row.attachments.get()
    blobs.path_of(file.sha256).unlink()
    assert download(file).status_code == 404


def test_page_of_the_ticket_puts_html_into_a_sandboxed_frame() -> None:
    row = mailed()
    comment = Comment.objects.get(ticket=row)
    page = browser(agent()).get(reverse("admin:tickets_ticket_change", args=[row.pk])).content.decode()
    assert re.search(rf'<iframe [^>]*sandbox [^>]*src="/frames/comments/{comment.pk}"', page)
    assert "<p>Hello</p>" not in page
