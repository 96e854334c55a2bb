from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from proto.logfile.send.connecting import Connection, context_of
from proto.logfile.send.options import Errand, Place
from proto.logfile.send.wire import Hopeless
from tests.certificate import write_pair
from tests.logfile.send.servers import Server, Talk


def shout(talk: Talk) -> None:
    """Say back what is heard, in capitals."""
    while data := talk.socket.recv(65536):
        talk.say(data.upper())


def exchange(connection: Connection) -> bytes:
    """What comes back for 300 kB."""
    out = bytearray(b"quiet " * 50_000)
    heard = b""
    while out or len(heard) < 300_000:
        if out:
            connection.write(out)
        heard += connection.read() or b""
    return heard


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connection_reads_and_writes_without_waiting(family: socket.AddressFamily) -> None:
    with Server(shout, family=family) as server:
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        connection = Connection(Errand("-", Place(host, server.port), "relp"), None)
        assert connection.read() is None
        assert exchange(connection) == b"QUIET " * 50_000
        connection.close()


def tls_server(folder: Path, name: str, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    cert, key = write_pair(folder, name)
    context.load_cert_chain(cert, key)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cert)
    return context


def test_tls_is_spoken_with_whom_the_authority_vouches_for(tmp_path: Path) -> None:
    """The one certificate here has no name that fits, so the name is not asked for."""
    with Server(shout, tls=tls_server(tmp_path, "localhost", asks=True)) as server:
        cert, key = str(tmp_path / "fullchain.pem"), str(tmp_path / "privkey.pem")
        errand = Errand("-", Place("127.0.0.1", server.port), "relp", True, cert, cert, key)
        context = context_of(errand)
        assert context is not None
        assert context.check_hostname
        context.check_hostname = False
        connection = Connection(errand, context)
        assert exchange(connection) == b"QUIET " * 50_000
        connection.close()


def test_a_server_nobody_vouches_for_is_hopeless(tmp_path: Path) -> None:
    def nobody(talk: Talk) -> None:
        raise AssertionError

    server = Server(nobody, tls=tls_server(tmp_path, "localhost"))
    with server:
        errand = Errand("-", Place("localhost", server.port), "relp", tls=True)
        with pytest.raises(Hopeless, match=f"localhost:{server.port}: self.signed certificate"):
            Connection(errand, context_of(errand))
        server._thread.join(20)
        assert [type(each) for each in server.trouble] == [ssl.SSLError]
        server.trouble.clear()


def test_a_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(Hopeless, match=r"nowhere\.pem: No such file or directory"):
        context_of(Errand("-", Place("h", 1), "relp", tls=True, ca="nowhere.pem"))


def test_without_tls_there_is_no_context() -> None:
    assert context_of(Errand("-", Place("h", 1), "relp")) is None
