"""Threads and files: notes, uploads, and downloads that cannot harm."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from tests.rest import API, SYSTEM, caller, fields_of, staff, ticket
from tickets import blobs
from tickets.models import Attachment, Comment, Contact, Participant, Source, Ticket
from tickets.services.comments import add_comment
from tickets.services.files import Upload

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def client() -> APIClient:
    return caller(staff("ada", "Agents"))


def attached(name: str, content: bytes) -> Attachment:
    add_comment(actor=SYSTEM, ticket=ticket(), body_text="See", source=Source.EMAIL, uploads=[Upload(name, content)])
    return Attachment.objects.latest("id")


def test_a_note_and_a_message_are_added_with_their_author(client: APIClient) -> None:
    opened = ticket()
    note = client.post(f"{API}/tickets/{opened.pk}/comments", {"body_text": " Called. ", "is_internal": True})
    assert note.status_code == 201, note.content
    assert note.json()["is_internal"] is True
    assert note.json()["body_text"] == " Called. "
    assert note.json()["author_user_detail"]["username"] == "ada"
    assert Ticket.objects.get().first_response_at is None
    answer = client.post(f"{API}/tickets/{opened.ticket_number}/comments/", {"body_text": "Done"}).json()
    assert (answer["is_internal"], answer["source"]) == (False, "api")
    assert Ticket.objects.get().first_response_at is not None
    one = client.get(f"{API}/tickets/{opened.pk}/comments/{answer['id']}")
    assert one.json() == answer


def test_a_comment_is_found_only_below_its_own_ticket(client: APIClient) -> None:
    comment = ticket().comments.get()
    response = client.get(f"{API}/tickets/{ticket('Another').pk}/comments/{comment.pk}")
    assert response.status_code == 404
    assert fields_of(response) == ["comment_id"]


def test_an_empty_comment_is_refused(client: APIClient) -> None:
    response = client.post(f"{API}/tickets/{ticket().pk}/comments", {"body_text": "  \n"})
    assert response.status_code == 400
    assert fields_of(response) == ["body_text"]


def strange_message(address: str = "ole@x.example") -> Comment:
    sender = Contact.objects.create(email=address)
    return add_comment(
        actor=SYSTEM, ticket=ticket(), body_text="Hi", source=Source.EMAIL, author_contact=sender, is_unverified=True
    )


def test_a_stranger_s_message_is_accepted_and_its_sender_let_in_when_asked(client: APIClient) -> None:
    for join in (False, True):
        message = strange_message(f"{join}@x.example".lower())
        address = f"{API}/tickets/{message.ticket_id}/comments/{message.pk}/accept"
        answer = client.post(address, {"join": join})
        assert (answer.status_code, answer.json()["is_unverified"]) == (200, False), answer.content
        assert Participant.objects.filter(ticket=message.ticket_id, state="confirmed").exists() is join
        again = client.post(address, {"join": join})
        assert again.status_code == 409
        assert fields_of(again) == [""]


def test_who_may_not_accept_or_let_in_is_told_so() -> None:
    message = strange_message()
    address = f"{API}/tickets/{message.ticket_id}/comments/{message.pk}/accept"
    reader, half = staff("bo", "Read-only"), staff("cy", "Read-only", rights=("tickets.change_comment",))
    assert caller(reader).post(address, {"join": False}).status_code == 403
    refused = caller(half).post(address, {"join": True})
    assert (refused.status_code, fields_of(refused)) == (403, ["join"])
    assert fields_of(caller(half).post(address, {})) == ["join"]
    assert caller(half).post(address, {"join": False}).status_code == 200
    hidden = staff("di", "Agents", visibility="own_tickets")
    assert caller(hidden).post(address, {"join": False}).status_code == 404


def test_files_go_up_with_a_comment_and_come_down_unchanged(client: APIClient) -> None:
    content = bytes(range(256)) * 10
    body = {"body_text": "Log", "attachments": [SimpleUploadedFile("log.bin", content)]}
    response = client.post(f"{API}/tickets/{ticket().pk}/comments", body, format="multipart")
    assert response.status_code == 201, response.content
    [file] = response.json()["attachments"]
    assert (file["name"], file["size"]) == ("log.bin", len(content))
    assert client.get(f"{API}/attachments/{file['id']}").json() == file
    download = client.get(file["url"])
    assert b"".join(download.streaming_content) == content
    assert download["Content-Length"] == str(len(content))


def test_a_download_is_never_sniffed_and_never_a_page(client: APIClient) -> None:
    page = attached("side.html", b"<html><script>alert(1)</script>")
    response = client.get(f"{API}/attachments/{page.pk}/download?disposition=inline")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment;")
    assert response["Content-Security-Policy"].startswith("sandbox;")
    assert response["Cache-Control"] == "private, no-cache"


def test_svg_stays_a_download_and_a_picture_may_be_shown(client: APIClient) -> None:
    svg = attached("x.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    png = attached("x.png", PNG)
    shown = client.get(f"{API}/attachments/{svg.pk}/download?disposition=inline")
    assert shown["Content-Disposition"].startswith("attachment;")
    shown = client.get(f"{API}/attachments/{png.pk}/download?disposition=inline")
    assert shown["Content-Disposition"].startswith("inline;")
    assert shown["Content-Type"] == "image/png"
    assert client.get(f"{API}/attachments/{png.pk}/download")["Content-Disposition"].startswith("attachment;")


def test_the_type_is_that_of_the_bytes_not_of_the_name(client: APIClient) -> None:
    lying = attached("picture.png", b"<html><body>hello</body></html>")
    response = client.get(f"{API}/attachments/{lying.pk}/download?disposition=inline")
    assert response["Content-Disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain.txt", "attachment; filename=\"plain.txt\"; filename*=UTF-8''plain.txt"),
        ("Blåbær.txt", "attachment; filename=\"Bl_b_r.txt\"; filename*=UTF-8''Bl%C3%A5b%C3%A6r.txt"),
        ('a"b;c%.txt', "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a%22b%3Bc%25.txt"),
    ],
)
def test_the_file_name_arrives_in_every_alphabet(client: APIClient, name: str, header: str) -> None:
    file = attached(name, b"text")
    assert client.get(f"{API}/attachments/{file.pk}/download")["Content-Disposition"] == header


def test_a_file_that_the_caller_has_is_not_sent_again(client: APIClient) -> None:
    file = attached("a.txt", b"text")
    address = f"{API}/attachments/{file.pk}/download"
    tag = client.get(address)["ETag"]
    assert tag == f'"{file.sha256}"'
    again = client.get(address, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_download_does_not_ask_for_an_accept_header(client: APIClient) -> None:
    file = attached("a.png", PNG)
    response = client.get(f"{API}/attachments/{file.pk}/download", headers={"Accept": "image/png"})
    assert response.status_code == 200


def test_a_lost_file_is_404_with_words(client: APIClient) -> None:
    file = attached("a.txt", b"gone")
    blobs.path_of(file.sha256).unlink()
    response = client.get(f"{API}/attachments/{file.pk}/download")
    assert response.status_code == 404
    assert fields_of(response) == ["attachment_id"]


def test_a_wish_for_another_disposition_is_400(client: APIClient) -> None:
    file = attached("a.txt", b"text")
    response = client.get(f"{API}/attachments/{file.pk}/download?disposition=frame")
    assert fields_of(response) == ["disposition"]
