"""Certificates: found in a folder or named as a pair, and loaded again when they change.

TLS 1.2 and later, after Mozilla's intermediate profile: https://wiki.mozilla.org/Security/Server_Side_TLS
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import (
    AcceptableCiphers,
    Certificate,
    CertificateOptions,
    TLSVersion,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from proto.errors import StartError

LAYOUTS: Final = (
    ("fullchain.pem", "privkey.pem"),  # certbot
    ("tls.crt", "tls.key"),  # Kubernetes
    ("cert.pem", "key.pem"),
)
CIPHERS: Final = AcceptableCiphers.fromOpenSSLCipherString(
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
GROUPS: Final = (b"X25519MLKEM768:X25519:P-256:P-384", b"X25519:P-256:P-384")
"""For the key exchange; the second where OpenSSL does not know the first (before 3.5)."""
RECHECK: Final = 1.0
"""Seconds between two looks at the files; a look is two stat calls, at a handshake."""

_Stamp = tuple[tuple[int, int, int], ...]


def find(text: str) -> tuple[Path, Path]:
    """The files (certificate chain, key) for `DIR` or `CERT,KEY`.  Raises StartError."""
    try:
        return _find(text)
    except OSError as error:  # a folder that only root may enter, or a name too long
        raise StartError(f"--tls {text}: {error.filename}: {error.strerror}") from error


def _find(text: str) -> tuple[Path, Path]:
    if "," in text:
        cert, _, key = text.partition(",")
        pair = Path(cert), Path(key)
    else:
        folder = Path(text)
        choices = [(folder / cert, folder / key) for cert, key in LAYOUTS]
        names = ", ".join(f"{cert} with {key}" for cert, key in LAYOUTS)
        found = [(cert, key) for cert, key in choices if cert.exists() and key.exists()]
        if not found:
            raise StartError(f"--tls {text}: no certificate there; expected {names}, or CERT,KEY")
        pair = found[0]
    for path in pair:
        if not path.is_file():
            raise StartError(f"--tls {text}: {path}: no such file; name the files as CERT,KEY")
    return pair


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """The server's side of TLS connections, with the newest certificate that loads."""

    log = Logger()

    def __init__(
        self,
        text: str,
        now: Callable[[], float],
        protocols: tuple[bytes, ...],
        client_ca: Path | None = None,
    ) -> None:
        """`text` is DIR or CERT,KEY; `protocols` are offered by ALPN.  With `client_ca` only
        clients whose certificate one of these authorities signed are let in.  Raises StartError."""
        self._cert, self._key = find(text)
        self._client_ca = client_ca
        self._now = now
        self._protocols = protocols
        self._checked = now()
        self._stamp = self._first_look()
        self._options = self._load()

    def reload(self) -> None:
        """Look at the files now; if they changed and load, new connections use them."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._options = self._load()
        except (StartError, OSError) as error:
            self.log.error("the old certificate stays in use: {error}", error=str(error))
        else:
            self.log.info("loaded the certificate {path}", path=str(self._cert))

    # The TLS layer calls this.
    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        if self._now() - self._checked >= RECHECK:
            self._checked = self._now()
            self.reload()
        return self._options.serverConnectionForTLS(protocol)

    def _first_look(self) -> _Stamp:
        try:
            return self._look()
        except OSError as error:
            raise StartError(
                f"{error.filename}: {error.strerror}; name a file in PEM form"
            ) from error

    def _look(self) -> _Stamp:
        files = [self._cert, self._key, *([self._client_ca] if self._client_ca else [])]
        return tuple(
            (each.st_ino, each.st_mtime_ns, each.st_size) for each in map(Path.stat, files)
        )

    def _load(self) -> CertificateOptions:
        try:
            # pyOpenSSL asks for these kinds of values; Twisted's annotations know its own only.
            chain: list[Any] = [*load_pem_x509_certificates(self._cert.read_bytes())]
            key: Any = load_pem_private_key(self._key.read_bytes(), None)
            options = CertificateOptions(
                privateKey=key,
                certificate=chain[0],
                extraCertChain=chain[1:],
                raiseMinimumTo=TLSVersion.TLSv1_2,
                acceptableCiphers=CIPHERS,
                acceptableProtocols=list(self._protocols) or None,
                trustRoot=_authorities(self._client_ca) if self._client_ca else None,
            )
            _choose_groups(options.getContext())
            options.getContext().check_privatekey()
        except OSError as error:
            raise StartError(f"{error.filename}: {error.strerror}") from error
        except (SSL.Error, ValueError, TypeError, UnsupportedAlgorithm) as error:
            # TypeError: the key asks for a password, or is of a kind that TLS has no use for
            raise StartError(
                f"{self._cert} and {self._key} are no PEM certificate and its key, both without "
                "a password"
            ) from error
        return options


def _choose_groups(context: SSL.Context) -> None:
    # pyOpenSSL has the function, but no method for it; as it stands OpenSSL takes slow ones, too.
    if not any(lib.SSL_CTX_set1_curves_list(context._context, names) for names in GROUPS):
        raise StartError("OpenSSL knows none of the groups for TLS; reinstall cryptography")


def _authorities(path: Path) -> Any:
    """Whose clients are let in.  Raises StartError."""
    try:
        found = load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise StartError(f"--client-ca {path}: {error.strerror}; name a PEM file") from error
    except ValueError as error:
        raise StartError(f"--client-ca {path}: no certificate in PEM form in it") from error
    return trustRootFromCertificates(Certificate(X509.from_cryptography(each)) for each in found)
