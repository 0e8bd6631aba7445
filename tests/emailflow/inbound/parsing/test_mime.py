"""Parts come out as text or as files, with names that are names."""

import base64
import hashlib

import pytest

from emailflow.inbound.parse import parse
from emailflow.mail import Report
from tests.emailflow.inbound.mails import HTML, PLAIN, inner, mail, multipart

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 16


def _file(disposition: str, content: bytes = b"%PDF-1.7 x", content_type: str = "application/pdf") -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Disposition: {disposition}\r\nContent-Transfer-Encoding: base64"
    return head.encode() + b"\r\n\r\n" + base64.encodebytes(content)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="faktura.pdf"', "faktura.pdf"),
        ("attachment; filename*=utf-8''bl%C3%A5b%C3%A6r%20gr.pdf", "blåbær gr.pdf"),
        ("attachment; filename*0*=utf-8''bl%C3%A5; filename*1=baer.pdf", "blåbaer.pdf"),
        ("attachment; filename*0=lang; filename*1=t-navn.pdf", "langt-navn.pdf"),
        ('attachment; filename="=?utf-8?q?regning_=C3=A6.pdf?="', "regning æ.pdf"),
        ("attachment; filename=uden anførsel.pdf", "uden anførsel.pdf"),
        ('attachment; filename="../../../etc/cron.d/x.pdf"', "x.pdf"),
        ('attachment; filename="C:\\\\brugere\\\\x.pdf"', "x.pdf"),
        ('attachment; filename="C:\\brugere\\x.pdf"', "x.pdf"),
        ('attachment; filename="..."', "attachment-1.pdf"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ('attachment; filename="a\u202egnp.exe"', "agnp.exe"),
        ('attachment; filename="a\x01b.pdf"', "a b.pdf"),
        ('attachment; filename="nul.pdf"', "_nul.pdf"),
        ('attachment; filename=""', "attachment-1.pdf"),
        (f'attachment; filename="{"a" * 400}.pdf"', "a" * 196 + ".pdf"),
    ],
)
def test_a_file_name_is_decoded_and_never_a_path(disposition: str, expected: str) -> None:
    parsed = parse(multipart("mixed", [PLAIN, _file(disposition)]))
    (attachment,) = parsed.attachments
    assert attachment.name == expected
    assert attachment.content == b"%PDF-1.7 x"
    assert attachment.size == 10
    assert attachment.sha256 == hashlib.sha256(b"%PDF-1.7 x").hexdigest()
    assert parsed.text == "Hej fra teksten"


def test_an_attached_mail_is_a_file_named_by_its_subject_and_never_the_text() -> None:
    inside = mail("Subject: =?utf-8?q?Gammel_sag_=2F_r=C3=A6v?=", body="det skjulte indhold")
    parsed = parse(multipart("mixed", [PLAIN, b"Content-Type: message/rfc822\r\n\r\n" + inside]))
    (attachment,) = parsed.attachments
    assert attachment.name == "Gammel sag - ræv.eml"
    assert attachment.mime_type == "message/rfc822"
    assert attachment.content == inside
    assert "skjulte" not in parsed.text
    assert parsed.subject == "Hjælp"


def test_an_invite_is_a_file_and_the_plain_part_stays_the_text() -> None:
    calendar = "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR"
    parsed = parse(multipart("alternative", [PLAIN, HTML, calendar]))
    assert parsed.text == "Hej fra teksten"
    assert [(a.name, a.mime_type) for a in parsed.attachments] == [("invite.ics", "text/calendar")]


def test_an_inline_image_keeps_its_content_id() -> None:
    image = (
        b"Content-Type: image/png\r\nContent-ID: <logo@x>\r\nContent-Disposition: inline\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(PNG)
    )
    html = 'Content-Type: text/html\r\n\r\n<p>Hej <img src="cid:logo@x"></p>'
    parsed = parse(multipart("related", [html, image]))
    (attachment,) = parsed.attachments
    assert (attachment.inline, attachment.content_id, attachment.name) == (True, "logo@x", "image-1.png")
    assert 'src="cid:logo@x"' in parsed.html


def test_a_declared_type_is_not_believed() -> None:
    def kind(content: bytes, declared: str, name: str = "x") -> str:
        part = _file(f'attachment; filename="{name}"', content, declared)
        return parse(multipart("mixed", [PLAIN, part])).attachments[0].mime_type

    assert kind(PNG, "application/octet-stream") == "image/png"
    assert kind(b"<html><script>x</script>", "image/png") == "text/html"
    assert kind(b'<?xml version="1.0"?><svg xmlns="x"/>', "image/png") == "image/svg+xml"
    assert kind(b"bare tekst", "image/png") == "text/plain"
    assert kind(b"\x01\x02\x03", "image/jpeg") == "application/octet-stream"
    assert kind(b"\xff\xd8\xff\xe0", "text/plain") == "image/jpeg"
    assert kind(b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/png") == "image/webp"
    assert kind(b"a;b\r\n1;2\r\n", "text/csv") == "text/csv"
    assert kind(b"PK\x03\x04....", "application/pdf", "brev.docx").endswith("wordprocessingml.document")


def test_a_text_that_is_an_attachment_is_no_text() -> None:
    named = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=log.txt\r\n\r\nlinje"
    parsed = parse(multipart("mixed", [PLAIN, named]))
    assert parsed.text == "Hej fra teksten"
    assert [a.name for a in parsed.attachments] == ["log.txt"]
    whole = parse(mail("Content-Disposition: attachment; filename=log.txt", body="linje"))
    assert whole.text == ""
    assert [a.name for a in whole.attachments] == ["log.txt"]


def test_parts_without_a_name_get_one() -> None:
    pdf = b"Content-Type: application/pdf\r\n\r\n%PDF-1.7"
    location = b"Content-Type: image/png\r\nContent-Location: http://x.example/a/kort.png?v=1\r\n\r\n" + PNG
    names = [a.name for a in parse(multipart("mixed", [PLAIN, pdf, location])).attachments]
    assert names == ["attachment-1.pdf", "kort.png"]


def test_other_renderings_of_the_text_are_no_files() -> None:
    amp = "Content-Type: text/x-amp-html\r\n\r\n<html amp4email></html>"
    enriched = "Content-Type: text/enriched\r\n\r\n<bold>Hej</bold>"
    parsed = parse(multipart("alternative", [PLAIN, amp, enriched, HTML]))
    assert parsed.attachments == ()
    assert parsed.text == "Hej fra teksten"


def test_a_boundary_that_lies_or_never_ends_hides_nothing() -> None:
    whole = multipart("mixed", [PLAIN])
    assert parse(whole.replace(b"--b1--\r\n", b"")).text.strip() == "Hej fra teksten"
    assert parse(whole.replace(b'boundary="b1"', b'boundary="andet"')).text.strip() == "Hej fra teksten"
    assert "hej" in parse(mail("Content-Type: multipart/mixed", body="hej")).text


def test_an_inner_part_that_never_ends_swallows_no_neighbour() -> None:
    broken = inner("alternative", [PLAIN]).replace(b"--b2--", b"")
    parsed = parse(multipart("mixed", [broken, _file('attachment; filename="x.pdf"')]))
    assert [a.name for a in parsed.attachments] == ["x.pdf"]
    assert "Hej fra teksten" in parsed.text


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("base64", b"SGVqIGRlcg", "Hej der"),
        ("base64", b"SGVq\r\n IGRl!!cg==\r\n-- \r\n", "Hej der"),
        ("quoted-printable", b"bl=C3=A5b=C3=A6r=\r\n gr=ZZ", "blåbær gr=ZZ"),
        ("x-findes-ikke", b"hej der", "hej der"),
        ("8bit", b"hej", "hej"),
    ],
)
def test_a_damaged_transfer_encoding_is_read_as_far_as_it_goes(encoding: str, body: bytes, expected: str) -> None:
    parsed = parse(mail("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", body=body))
    assert parsed.text.startswith(expected)


def test_a_delivery_report_says_who_was_not_reached() -> None:
    status = (
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        "Original-Recipient: rfc822;kunde@example.dk\r\nFinal-Recipient: rfc822; k2@example.dk\r\n"
        "Action: failed\r\nStatus: 5.1.1 (ukendt)\r\nDiagnostic-Code: smtp; 550 5.1.1 ukendt\r\n modtager"
    )
    original = "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <ours-1@helpdesk.example>\r\nSubject: Svar"
    parsed = parse(multipart('report; report-type="delivery-status"', [PLAIN, status, original]))
    assert parsed.bounce is not None
    assert parsed.bounce.recipients == ("k2@example.dk",)
    assert parsed.bounce.reports[0].addresses == ("k2@example.dk", "kunde@example.dk")
    assert (parsed.bounce.status, parsed.bounce.action) == ("5.1.1", "failed")
    assert parsed.bounce.diagnostic == "smtp; 550 5.1.1 ukendt modtager"
    assert parsed.bounce.original_message_id == "<ours-1@helpdesk.example>"
    assert parsed.text == "Hej fra teksten"
    delivered = status.replace("failed", "delivered").replace("5.1.1", "2.0.0")
    success = parse(multipart("report; report-type=delivery-status", [PLAIN, delivered])).bounce
    assert success is not None
    assert success.report is Report.SUCCESS


def test_a_bounce_in_words_is_read_only_from_a_mail_that_has_the_form_of_one() -> None:
    words = (
        "Hi. This is the qmail-send program at mx.example.\r\nI'm afraid I wasn't able to deliver your message to "
        "the following addresses.\r\n\r\n<kunde@example.dk>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n"
        "--- Below this line is a copy of the message.\r\n\r\nMessage-ID: <ours-2@helpdesk.example>\r\n"
    )
    bounced = parse(mail("From: MAILER-DAEMON@mx.example", "Return-Path: <>", body=words)).bounce
    assert bounced is not None
    assert bounced.recipients == ("kunde@example.dk",)
    assert bounced.original_message_id == "<ours-2@helpdesk.example>"
    assert parse(mail("From: kunde@example.dk", body=words)).bounce is None


def test_a_sealed_mail_says_where_its_words_are() -> None:
    parsed = parse(mail("Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", body=b"0\x80"))
    assert [a.name for a in parsed.attachments] == ["smime.p7m"]
    assert any("smime.p7m" in note for note in parsed.notes)


def test_a_bounce_that_calls_itself_auto_replied_is_a_bounce_and_an_absence_note_is_not() -> None:
    words = "This message was created automatically. A message could not be delivered to:\r\n\r\n  kunde@example.dk\r\n"
    exim = parse(
        mail(
            "From: Mail Delivery System <Mailer-Daemon@mx.example>",
            "Subject: Mail delivery failed: returning message to sender",
            "Auto-Submitted: auto-replied",
            "X-Failed-Recipients: kunde@example.dk",
            body=words,
        )
    )
    assert exim.bounce is not None
    assert exim.bounce.recipients == ("kunde@example.dk",)
    note = mail("Subject: Out of office", "Return-Path: <>", "Auto-Submitted: auto-replied", body=words)
    assert parse(note).bounce is None


def test_a_customer_who_writes_about_failed_mail_sent_no_bounce() -> None:
    assert parse(mail("Subject: Mail delivery failed", body="Min mail til jer kom retur. Kan I hjælpe?")).bounce is None
