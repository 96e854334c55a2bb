"""Who is at the other end of a transport, as it is written beside their lines."""

from __future__ import annotations

from typing import Any, Final

from cryptography.x509.oid import NameOID

from proto.addresses import peer_name
from proto.logfile.origin import Origin

LONGEST_SUBJECT: Final = 128
"""Characters of a common name that are kept; RFC 5280 allows 64."""


def origin_of(transport: Any) -> Origin:
    """The peer's address, and what its certificate calls it."""
    return Origin(peer_name(transport.getPeer()), subject_of(transport))


def subject_of(transport: Any) -> str:
    """The common name of the peer's certificate, once TLS has seen one."""
    certificate = getattr(transport, "getPeerCertificate", lambda: None)()
    if certificate is None:
        return ""
    names = certificate.to_cryptography().subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value)[:LONGEST_SUBJECT] if names else ""
