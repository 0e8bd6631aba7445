"""What comes in wrappers is taken out of them, and what cannot be shown is said in words."""

import base64

import pytest

from emailflow.inbound.parse import parse
from emailflow.mail import Address
from tests.emailflow.inbound.containers import BODY, encrypted, signed, tnef, tnef_file, tnef_object
from tests.emailflow.inbound.mails import HTML, PLAIN, inner, mail, multipart

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 16
INVITE = """BEGIN:VCALENDAR
METHOD:{method}
BEGIN:VTIMEZONE
TZID:Romance Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DESCRIPTION:{long}
{lines}
END:VEVENT
END:VCALENDAR
"""


def part(content: bytes, kind: str, name: str = "") -> bytes:
    disposition = f'Content-Disposition: attachment; filename="{name}"\r\n' if name else ""
    head = f"Content-Type: {kind}\r\n{disposition}Content-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(content)


def whole(content: bytes, kind: str) -> bytes:
    headers = (f"Content-Type: {kind}", "Content-Transfer-Encoding: base64")
    return mail(*headers, body=base64.encodebytes(content))


def winmail(*objects: bytes, text: str = PLAIN) -> bytes:
    return multipart("mixed", [text, part(tnef(*objects), "application/ms-tnef", "winmail.dat")])


# winmail.dat


def test_the_files_in_a_winmail_dat_take_its_place() -> None:
    parsed = parse(winmail(tnef_file(b"faktura.pdf", b"%PDF-1.7 x"), tnef_file(b"..\\logo.png", PNG)))
    assert [(f.name, f.mime_type, f.content) for f in parsed.attachments] == [
        ("faktura.pdf", "application/pdf", b"%PDF-1.7 x"),
        ("logo.png", "image/png", PNG),
    ]
    assert parsed.text == "Hej fra teksten"


def test_the_text_in_a_winmail_dat_is_used_where_the_mail_has_none() -> None:
    body = tnef_object(1, BODY, "Blåbær fra Outlook\r\nlinje 2".encode("cp1252"), kind=2)
    parsed = parse(winmail(body, text="Content-Type: text/plain\r\n\r\n"))
    assert parsed.text == "Blåbær fra Outlook\nlinje 2"
    assert parsed.attachments == ()
    assert parsed.notes == ()
    assert parse(winmail(body)).text == "Hej fra teksten"


@pytest.mark.parametrize("content", [b"", b"\x78\x9f\x3e\x22", b"no container at all" * 50, tnef(b"\x01\x02" * 99)])
def test_a_winmail_dat_that_cannot_be_read_stays_a_file(content: bytes) -> None:
    parsed = parse(multipart("mixed", [PLAIN, part(content, "application/ms-tnef", "winmail.dat")]))
    assert [(f.name, f.content) for f in parsed.attachments] == [("winmail.dat", content)]
    assert parsed.text == "Hej fra teksten"


def test_a_winmail_dat_that_would_never_end_is_stopped_and_told() -> None:
    endless = (1).to_bytes(4, "little") + b"\x02\x10\x01\x00" + b"\xff\xff\xff\x7f"
    parsed = parse(winmail(tnef_object(1, 0x9003, endless)))
    assert [f.name for f in parsed.attachments] == ["winmail.dat"]
    assert any("winmail.dat" in defect for defect in parsed.defects)


# Invitations


def invite(*lines: str, method: str = "REQUEST") -> tuple[str, ...]:
    text = INVITE.format(method=method, lines="\n".join(lines), long="Dagsorden " * 9_000).replace("\n", "\r\n")
    calendar = f"Content-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n{text}"
    parsed = parse(multipart("alternative", [PLAIN, HTML, calendar]))
    assert [f.name for f in parsed.attachments] == ["invite.ics"]
    assert parsed.text == "Hej fra teksten"
    return parsed.notes


ZONED = ("DTSTART;TZID=Romance Standard Time:20260302T100000", "DTEND;TZID=Romance Standard Time:20260302T113000")
FROM = 'ORGANIZER;CN="Lund, Mette":mailto:mette@nordwind.example'


@pytest.mark.parametrize(
    ("method", "lines", "expected"),
    [
        (
            "REQUEST",
            (*ZONED, "SUMMARY;LANGUAGE=da:Møde\\, stort", "LOCATION:Lokale 3", FROM),
            "Invitation: Møde, stort, on 2026-03-02 at 10:00 to 11:30 (Romance Standard Time), at Lokale 3, "
            "from Lund, Mette <mette@nordwind.example>.",
        ),
        (
            "CANCEL",
            ("DTSTART:20260302T230000Z", "DURATION:PT2H", "RRULE:FREQ=WEEKLY", "SUMMARY:Nat"),
            "Cancelled: Nat, on 2026-03-02 at 23:00 to 2026-03-03 01:00 (UTC), repeated.",
        ),
        (
            "REPLY",
            ("DTSTART;VALUE=DATE:20260302", "SUMMARY:Ferie", "ATTENDEE;PARTSTAT=DECLINED:mailto:ole@nordwind.example"),
            "Answer to an invitation: Ferie, on 2026-03-02, declined by ole@nordwind.example.",
        ),
        (
            "PUBLISH",
            ("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260305"),
            "Event: (no title), on 2026-03-02 for 3 days.",
        ),
    ],
)
def test_an_invitation_says_what_when_where_and_who(method: str, lines: tuple[str, ...], expected: str) -> None:
    assert invite(*lines, method=method) == (expected,)


@pytest.mark.parametrize(
    "lines", [("DTSTART:i morgen",), ("DTSTART;TZID=Nowhere:20260302T100000",), ("RRULE:x",), ("",)]
)
def test_an_invitation_that_makes_no_sense_is_a_file_all_the_same(lines: tuple[str, ...]) -> None:
    assert len(invite(*lines)) == 1


# Signed and encrypted


def test_a_mail_inside_its_signature_is_read_and_the_signature_kept() -> None:
    entity = inner("mixed", [PLAIN, part(b"%PDF-1.7 x", "application/pdf", "a.pdf")])
    sealed = signed(entity)
    parsed = parse(whole(sealed, 'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"'))
    assert parsed.text == "Hej fra teksten"
    assert [(f.name, f.content) for f in parsed.attachments] == [("smime.p7m", sealed), ("a.pdf", b"%PDF-1.7 x")]
    (note,) = parsed.notes
    assert "signed (S/MIME)" in note
    assert "smime.p7m" in note


def test_a_signature_that_was_streamed_is_read_too() -> None:
    """BER as OpenSSL writes it: lengths that are not known, the content in pieces (X.690 section 8.7)."""
    data, signed_type = (bytes.fromhex(f"06092a864886f70d0107{n}") for n in ("01", "02"))
    entity = PLAIN.encode()
    pieces = b"".join(
        b"\x04" + bytes([len(entity[at : at + 20])]) + entity[at : at + 20] for at in range(0, len(entity), 20)
    )
    content = b"\x30\x80" + data + b"\xa0\x80\x24\x80" + pieces + b"\0\0" * 3
    streamed = b"\x30\x80" + signed_type + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + content + b"\0\0" * 3
    parsed = parse(whole(streamed, "application/x-pkcs7-mime; name=smime.p7m"))
    assert parsed.text == "Hej fra teksten"


def test_a_detached_signature_is_a_file_beside_the_text() -> None:
    for kind, name in (("application/pkcs7-signature", "smime.p7s"), ("application/pgp-signature", "signature.asc")):
        parsed = parse(multipart("signed", [PLAIN, part(b"\x30\x03\x02\x01\x01", kind)]))
        assert parsed.text == "Hej fra teksten"
        assert [f.name for f in parsed.attachments] == [name]


def test_an_encrypted_mail_says_so() -> None:
    parsed = parse(whole(encrypted(b"hemmeligt"), 'application/pkcs7-mime; name="smime.p7m"'))
    assert parsed.text == ""
    assert parsed.notes == ("The mail is encrypted (S/MIME); what it says is in the file smime.p7m.",)
    control = part(b"Version: 1", "application/pgp-encrypted")
    pgp = parse(multipart("encrypted", [control, part(b"x", "application/octet-stream", "encrypted.asc")]))
    assert pgp.notes == ("The mail is encrypted (PGP); what it says is in the file encrypted.asc.",)


@pytest.mark.parametrize("cut", [0, 1, 5, 20, 45, 60, 90])
def test_a_damaged_signature_is_a_file_and_no_error(cut: int) -> None:
    parsed = parse(whole(signed(PLAIN.encode())[:cut] or b"x", "application/pkcs7-mime; name=smime.p7m"))
    assert [f.name for f in parsed.attachments] == ["smime.p7m"]
    assert parsed.notes != ()
    assert not any("could not be read" in defect for defect in parsed.defects)


def test_armour_in_the_text_is_taken_off_and_kept() -> None:
    armour = (
        "Hej\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nDet virker.\n- -- \nOle\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
    )
    parsed = parse(mail(body=armour))
    assert parsed.text == "Hej\nDet virker.\n-- \nOle\n"
    assert [(f.name, f.content.decode()) for f in parsed.attachments] == [("signed-text.asc", armour)]
    assert any("signed (PGP)" in note for note in parsed.notes)
    secret = parse(mail(body="-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n"))
    assert secret.notes == ("The text, or a part of it, is encrypted (PGP).",)


# AMP


def test_amp_is_left_out() -> None:
    amp = "Content-Type: text/x-amp-html\r\n\r\n<html amp4email>hemmelig</html>"
    for subtype in ("alternative", "mixed"):
        parsed = parse(multipart(subtype, [PLAIN, amp, HTML]))
        assert "hemmelig" not in parsed.text + parsed.html
        assert parsed.attachments == ()


# Forwarded


@pytest.mark.parametrize(
    ("subject", "lines"),
    [
        (
            "Fwd: Sag",
            "---------- Forwarded message ---------\nFrom: Ole <ole@kunde.example>\nDate: x\nSubject: Sag\nTo: y\n",
        ),
        (
            "Sag",
            "---------- Forwarded message ---------\nFrom: Ole <ole@kunde.example>\nDate: x\nSubject: Sag\nTo: y\n",
        ),
        ("Sag", "Start på videresendt besked:\n\n> Fra: Ole <ole@kunde.example>\n> Emne: Sag\n> Dato: x\n> Til: y\n"),
        ("VS: Sag", "Fra: Ole [mailto:ole@kunde.example]\nSendt: 2. marts 2026 10:11\nTil: Mette\nEmne: Sag\n"),
        ("WG: Sag", "Von: Ole <ole@kunde.example>\nGesendet: Montag\nAn: Mette\nBetreff: Sag\n"),
        (
            "Sag",
            "-------- Weitergeleitete Nachricht --------\nBetreff: Sag\nDatum: x\nVon: Ole <ole@kunde.example>\n",
        ),
        ("VB: Sag", "*Från:* Ole <ole@kunde.example>\n*Skickat:* den 2 mars\n*Till:* Mette\n*Ämne:* Sag\n"),
        ("Sag", "---------- Videresendt melding ---------\nFra: Ole <ole@kunde.example>\nDato: x\nEmne: Sag\nTil: y\n"),
        (
            "Sag",
            "---------- Videresendt meddelelse ---------\nFra: Ole <ole@kunde.example>\nDato: x\nEmne: Sag\nTil: y\n",
        ),
    ],
)
def test_the_first_sender_of_a_forwarded_mail_is_offered(subject: str, lines: str) -> None:
    headers = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", f"Subject: {subject}")
    parsed = parse(mail(*headers, body=f"Kan I se på det?\n\n{lines}\nDen skriver ikke ud."))
    assert parsed.forwarded_from == Address("ole@kunde.example", "Ole")
    assert parsed.sender.address == "kunde@example.dk"
    assert parsed.notes == ("Forwarded: originally from Ole <ole@kunde.example>.",)


def test_the_sender_of_an_attached_mail_is_offered() -> None:
    inside = mail("From: Ole <ole@kunde.example>")
    parsed = parse(multipart("mixed", [PLAIN, b"Content-Type: message/rfc822\r\n\r\n" + inside]))
    assert parsed.forwarded_from == Address("ole@kunde.example", "Ole")


@pytest.mark.parametrize(
    "text",
    [
        "Hej\n\n-----Original Message-----\nFrom: Ole <ole@kunde.example>\nSent: x\nTo: y\nSubject: z\n",
        "I will forward it.\nFrom: ole@kunde.example I heard that it is broken.\n",
        "---------- Forwarded message ---------\nFrom: Kunde <kunde@example.dk>\nDate: x\nSubject: Sag\nTo: y\n",
        "---------- Forwarded message ---------\nFrom: Ole Hansen\nDate: x\nSubject: Sag\nTo: y\n",
    ],
)
def test_a_quoted_mail_is_not_a_forwarded_one(text: str) -> None:
    parsed = parse(mail("Subject: SV: Sag", body=text))
    assert parsed.forwarded_from is None
    assert parsed.notes == ()


# Nothing to read


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (mail(body=""), "The mail has no text."),
        (mail("Content-Type: text/html", body="<div><br></div>"), "The mail has no text: its HTML holds no words."),
        (whole(PNG, "image/png"), "The mail has no text: only an image."),
        (multipart("mixed", [part(PNG, "image/png")] * 2), "The mail has no text: only images."),
        (whole(b"%PDF-1.7", "application/pdf"), "The mail has no text: only an attachment."),
        (
            multipart("mixed", [part(PNG, "image/png"), part(b"%PDF-1.7", "application/pdf")]),
            "The mail has no text: only attachments.",
        ),
    ],
)
def test_a_mail_without_text_says_why(raw: bytes, expected: str) -> None:
    assert parse(raw).notes == (expected,)
