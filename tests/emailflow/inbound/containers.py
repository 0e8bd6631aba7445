"""Containers that mails come in: winmail.dat of Outlook, S/MIME. Made for the tests."""

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

BODY, TITLE, DATA, RENDERING, CODEPAGE = 0x800C, 0x8010, 0x800F, 0x9002, 0x9007


def tnef(*objects: bytes) -> bytes:
    """A TNEF stream (MS-OXTNEF section 2.1.3)."""
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(objects)


def tnef_object(level: int, name: int, data: bytes, kind: int = 6) -> bytes:
    """Level 1 is about the mail, level 2 about a file."""
    head = bytes([level]) + name.to_bytes(2, "little") + kind.to_bytes(2, "little") + len(data).to_bytes(4, "little")
    return head + data + (sum(data) & 0xFFFF).to_bytes(2, "little")


def tnef_file(name: bytes, content: bytes) -> bytes:
    return b"".join(
        (
            tnef_object(2, RENDERING, b"\0" * 14),
            tnef_object(2, TITLE, name + b"\0", kind=1),
            tnef_object(2, DATA, content),
        )
    )


@cache
def _identity() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kunde")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def signed(content: bytes) -> bytes:
    """An opaque S/MIME signature around a MIME entity, in DER."""
    key, certificate = _identity()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def encrypted(content: bytes) -> bytes:
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content).add_recipient(_identity()[1])
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
