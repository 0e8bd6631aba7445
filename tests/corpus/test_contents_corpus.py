"""Wrapped mail of the real world: winmail.dat of many Outlooks, encrypted and signed mail."""

import base64

import pytest

from emailflow.inbound.parse import parse
from tests.corpus.folder import corpus_folder
from tests.emailflow.inbound.mails import PLAIN, multipart

pytestmark = [pytest.mark.corpus, pytest.mark.slow]


def test_every_real_winmail_dat_is_unpacked_or_stays_a_file() -> None:
    files = sorted((corpus_folder() / "tnefparse").rglob("*.tnef"))
    unpacked = 0
    for file in files:
        head = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        parsed = parse(multipart("mixed", [PLAIN, head + base64.encodebytes(file.read_bytes())]))
        assert not any("could not be unpacked" in defect for defect in parsed.defects), file.name
        assert parsed.text == "Hej fra teksten"
        unpacked += "winmail.dat" not in [attachment.name for attachment in parsed.attachments]
    assert len(files) > 15
    # The others hold nothing but a text in Outlook's own format.
    assert unpacked >= 0.8 * len(files)


def test_real_encrypted_mail_says_so() -> None:
    files = sorted((corpus_folder() / "notmuch" / "crypto").iterdir())
    assert files
    for file in files:
        notes = parse(file.read_bytes()).notes
        assert any("encrypted (PGP)" in note for note in notes), file.name


def test_real_mail_inside_its_signature_is_read() -> None:
    parsed = parse((corpus_folder() / "notmuch" / "pkcs7" / "smime-onepart-signed.eml").read_bytes())
    assert parsed.text.startswith("Bob, we need to cancel this contract.")
    assert [attachment.name for attachment in parsed.attachments] == ["smime.p7m"]
