"""What the tests of the small services share."""

from __future__ import annotations

import datetime
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.testing import FakeDatagramTransport

from proto.echo.datagrams import Datagrams

Address = tuple[str, int]


def ask(
    service: Datagrams, datagram: bytes, peer: Address = ("192.0.2.1", 4242)
) -> list[tuple[bytes, Address]]:
    """The datagrams with which `service` answers this one, and where they go."""
    network = FakeDatagramTransport()
    service.transport = cast(IUDPTransport, network)
    service.datagramReceived(datagram, peer)
    return cast(list[tuple[bytes, Address]], network.written)


def self_signed() -> PrivateCertificate:
    """A certificate for `localhost` that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return cast(PrivateCertificate, PrivateCertificate.loadPEM(pem))
