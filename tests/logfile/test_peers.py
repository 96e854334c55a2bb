from __future__ import annotations

from cryptography.x509 import load_pem_x509_certificate
from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from proto.logfile.origin import Origin
from proto.logfile.peers import origin_of
from tests.certificate import make_certificate, make_key

ADDRESS = IPv4Address("TCP", "192.0.2.1", 4711)


class Secure(StringTransport):
    """A transport behind TLS whose handshake may be over."""

    certificate: X509 | None = None

    def getPeerCertificate(self) -> X509 | None:
        return self.certificate


def test_a_peer_is_known_by_its_address() -> None:
    assert origin_of(StringTransport(peerAddress=ADDRESS)) == Origin("192.0.2.1:4711")


def test_a_peer_with_a_certificate_is_known_by_its_common_name() -> None:
    wire = Secure(peerAddress=ADDRESS)
    assert origin_of(wire) == Origin("192.0.2.1:4711")
    pem = make_certificate(make_key(), "pump 7")
    wire.certificate = X509.from_cryptography(load_pem_x509_certificate(pem))
    assert origin_of(wire) == Origin("192.0.2.1:4711", "pump 7")
