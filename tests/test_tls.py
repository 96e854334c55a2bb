"""Certificates: found, loaded, refused in one line, and loaded again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory

from proto.errors import StartError
from proto.tls import LAYOUTS, RECHECK, Certificates, find
from tests.certificate import make_certificate, make_key, write_pair


def texts(events: Sequence[LogEvent]) -> list[str]:
    return [str(event.get("log_format", "")) for event in events]


def server_side(certificates: Certificates) -> SSL.Connection:
    """What the TLS layer is given for a new peer."""
    layer = TLSMemoryBIOFactory(certificates, False, Factory.forProtocol(Protocol), Clock())
    protocol = layer.buildProtocol(None)
    connection = certificates.serverConnectionForTLS(protocol)
    connection.set_app_data(protocol)
    return connection


def served(certificates: Certificates, *, alpn: list[bytes] | None = None) -> tuple[str, bytes]:
    """The common name that a client sees, and the protocol that both agreed on."""
    server = server_side(certificates)
    context = SSL.Context(SSL.TLS_METHOD)
    if alpn:
        context.set_alpn_protos(alpn)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    shake_hands(server, client)
    certificate = client.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return certificate.subject.rfc4514_string(), client.get_alpn_proto_negotiated()


def shake_hands(server: SSL.Connection, client: SSL.Connection) -> None:
    server.set_accept_state()
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))


# --- finding -------------------------------------------------------------------------------


@pytest.mark.parametrize(("cert", "key"), LAYOUTS)
def test_a_folder_of_each_layout_is_understood(cert: str, key: str, tmp_path: Path) -> None:
    (tmp_path / cert).touch()
    (tmp_path / key).touch()
    assert find(str(tmp_path)) == (tmp_path / cert, tmp_path / key)


def test_the_first_layout_wins_and_half_a_layout_is_none(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem", "tls.crt", "tls.key", "fullchain.pem"):
        (tmp_path / name).touch()
    assert find(str(tmp_path)) == (tmp_path / "tls.crt", tmp_path / "tls.key")


def test_a_pair_is_named_with_a_comma(tmp_path: Path) -> None:
    cert, key = tmp_path / "a", tmp_path / "b"
    cert.touch()
    key.touch()
    assert find(f"{cert},{key}") == (cert, key)


def test_what_is_not_there_is_told_with_the_names_that_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "fullchain.pem").mkdir()
    (tmp_path / "privkey.pem").touch()
    long = "x" * 300
    for text, told in [
        (f"{tmp_path}/none", f"--tls {tmp_path}/none: no certificate there; expected fullchain"),
        (f"{tmp_path}/a", f"--tls {tmp_path}/a: no certificate there; expected fullchain.pem with"),
        (f"{tmp_path}/a,{tmp_path}/b", f"--tls {tmp_path}/a,{tmp_path}/b: {tmp_path}/b: no such"),
        (f"{tmp_path}/a,", f"--tls {tmp_path}/a,: .: no such file; name the files as CERT,KEY"),
        (str(tmp_path), f"--tls {tmp_path}: {tmp_path}/fullchain.pem: no such file; name the"),
        (long, f"--tls {long}: {long}/fullchain.pem: File name too long"),
        (f"a,{long}", f"--tls a,{long}: "),
        ("a\0b", "--tls a\0b: no certificate there; expected "),
    ]:
        with pytest.raises(StartError) as refusal:
            find(text)
        assert str(refusal.value).startswith(told)
        assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    write_pair(tmp_path)
    tmp_path.chmod(0)
    try:
        with pytest.raises(StartError, match="Permission denied"):
            find(str(tmp_path))
    finally:
        tmp_path.chmod(0o700)


# --- loading -------------------------------------------------------------------------------


def test_the_certificate_is_served_and_the_protocol_agreed_on(tmp_path: Path) -> None:
    write_pair(tmp_path, "chat.example")
    certificates = Certificates(str(tmp_path), Clock().seconds, (b"h2", b"http/1.1"))
    assert served(certificates) == ("CN=chat.example", b"")
    assert served(certificates, alpn=[b"http/1.1"]) == ("CN=chat.example", b"http/1.1")
    assert served(certificates, alpn=[b"http/1.1", b"h2"]) == ("CN=chat.example", b"h2")


def test_a_chain_is_served_whole(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "leaf.example")
    other = make_certificate(make_key(), "authority.example")
    cert.write_bytes(b"# the leaf\n" + cert.read_bytes() + b"\n# above it\n" + other)
    certificates = Certificates(str(tmp_path), Clock().seconds, ())
    server = server_side(certificates)
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    client.set_connect_state()
    shake_hands(server, client)
    chain = client.get_peer_cert_chain(as_cryptography=True)
    assert chain is not None
    assert [each.subject.rfc4514_string() for each in chain] == [
        "CN=leaf.example",
        "CN=authority.example",
    ]


def client_of(folder: Path) -> SSL.Connection:
    """A TLS client that shows the certificate in that folder."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_chain_file(str(folder / "fullchain.pem"))
    context.use_privatekey_file(str(folder / "privkey.pem"))
    client = SSL.Connection(context, None)
    client.set_connect_state()
    return client


def test_with_an_authority_only_its_clients_are_let_in_and_are_known_by_name(
    tmp_path: Path,
) -> None:
    for name in ("server", "known", "stranger"):
        (tmp_path / name).mkdir()
        write_pair(tmp_path / name, f"{name}.example")
    authority = tmp_path / "known" / "fullchain.pem"
    certificates = Certificates(str(tmp_path / "server"), Clock().seconds, (), authority)
    server = server_side(certificates)
    shake_hands(server, client_of(tmp_path / "known"))
    certificate = server.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    assert certificate.subject.rfc4514_string() == "CN=known.example"
    for client in (
        client_of(tmp_path / "stranger"),
        SSL.Connection(SSL.Context(SSL.TLS_METHOD), None),
    ):
        client.set_connect_state()
        with pytest.raises(SSL.Error):
            shake_hands(server_side(certificates), client)


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"nothing", "no certificate in PEM form")]
)
def test_an_authority_that_cannot_be_read_is_told_in_one_line(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    write_pair(tmp_path)
    authority = tmp_path / "ca.pem"
    if content is not None:
        authority.write_bytes(content)
    with pytest.raises(StartError, match=rf"ca\.pem: {why}"):
        Certificates(str(tmp_path), Clock().seconds, (), authority)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_tls_1_2_and_1_3_are_spoken(version: int, tmp_path: Path) -> None:
    assert speaks(version, tmp_path)


def test_tls_1_1_is_not_spoken(tmp_path: Path) -> None:
    with pytest.raises(SSL.Error):
        speaks(SSL.TLS1_1_VERSION, tmp_path)


@pytest.mark.parametrize("group", [b"X25519MLKEM768", b"X25519", b"P-256", b"P-384"])
def test_keys_are_exchanged_in_the_groups_of_the_profile(group: bytes, tmp_path: Path) -> None:
    assert speaks(SSL.TLS1_3_VERSION, tmp_path, group)


@pytest.mark.parametrize("group", [b"X448", b"P-521"])
def test_keys_are_exchanged_in_no_other_group(group: bytes, tmp_path: Path) -> None:
    with pytest.raises(SSL.Error):
        speaks(SSL.TLS1_3_VERSION, tmp_path, group)


def speaks(version: int, folder: Path, group: bytes = b"") -> bool:
    write_pair(folder)
    certificates = Certificates(str(folder), Clock().seconds, ())
    server = server_side(certificates)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if group:
        assert lib.SSL_CTX_set1_curves_list(context._context, group)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    shake_hands(server, client)
    return client.get_peer_certificate(as_cryptography=True) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        "empty certificate",
        "garbage certificate",
        "empty key",
        "garbage key",
        "another key",
        "key for certificate",
        "encrypted key",
    ],
)
def test_files_that_are_no_pair_are_told_in_one_line(spoil: str, tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path)
    broken = {
        "empty certificate": (cert, b""),
        "garbage certificate": (
            cert,
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        ),
        "empty key": (key, b""),
        "garbage key": (key, b"\xff\x00garbage"),
        "another key": (key, make_key()),
        "key for certificate": (cert, key.read_bytes()),
        "encrypted key": (key, make_key(password=b"secret")),
    }
    path, content = broken[spoil]
    path.write_bytes(content)
    with pytest.raises(StartError) as refusal:
        Certificates(f"{cert},{key}", Clock().seconds, ())
    assert str(refusal.value).startswith(f"{cert} and {key} are no PEM certificate and its key")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    _, key = write_pair(tmp_path)
    key.chmod(0)
    with pytest.raises(StartError, match=f"{key}: Permission denied"):
        Certificates(str(tmp_path), Clock().seconds, ())


def test_a_file_that_is_gone_between_two_looks_is_told_in_one_line(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path)
    certificates = Certificates(str(tmp_path), Clock().seconds, ())
    cert.unlink()
    cert.mkdir()
    with capturedLogs() as events:
        certificates.reload()
    assert [event["error"] for event in events] == [f"{cert}: Is a directory"]


# --- loading again -------------------------------------------------------------------------


def test_a_new_certificate_is_served_when_it_is_time_to_look(tmp_path: Path) -> None:
    clock = Clock()
    write_pair(tmp_path, "old.example")
    certificates = Certificates(str(tmp_path), clock.seconds, ())
    write_pair(tmp_path, "new.example")
    clock.advance(RECHECK - 0.1)
    assert served(certificates)[0] == "CN=old.example"
    clock.advance(0.1)
    with capturedLogs() as events:
        assert served(certificates)[0] == "CN=new.example"
    assert texts(events) == ["loaded the certificate {path}"]


def test_files_that_did_not_change_are_not_loaded_again(tmp_path: Path) -> None:
    write_pair(tmp_path)
    certificates = Certificates(str(tmp_path), Clock().seconds, ())
    with capturedLogs() as events:
        certificates.reload()
    assert events == []


def test_the_old_certificate_stays_while_the_new_one_is_broken(tmp_path: Path) -> None:
    clock = Clock()
    cert, key = write_pair(tmp_path, "old.example")
    certificates = Certificates(str(tmp_path), clock.seconds, ())

    # certbot writes one file after the other: for a moment they do not fit
    fresh = make_key()
    cert.write_bytes(make_certificate(fresh, "new.example"))
    with capturedLogs() as events:
        certificates.reload()
        certificates.reload()
    assert [event["error"] for event in events] == [
        f"{cert} and {key} are no PEM certificate and its key, both without a password"
    ]
    assert served(certificates)[0] == "CN=old.example"

    key.write_bytes(fresh)
    certificates.reload()
    assert served(certificates)[0] == "CN=new.example"


def test_the_old_certificate_stays_when_the_files_are_gone(tmp_path: Path) -> None:
    clock = Clock()
    cert, _ = write_pair(tmp_path, "old.example")
    certificates = Certificates(str(tmp_path), clock.seconds, ())
    cert.unlink()
    with capturedLogs() as events:
        clock.advance(RECHECK)
        assert served(certificates)[0] == "CN=old.example"
    assert texts(events) == ["the old certificate stays in use: {error}"]
    write_pair(tmp_path, "new.example")
    clock.advance(RECHECK)
    assert served(certificates)[0] == "CN=new.example"
