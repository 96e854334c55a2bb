"""Every command line that the README shows, as a real twistd, on both reactors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import sys
from pathlib import Path

import pytest

from tests.system.programs import (
    DEADLINE,
    ROOT,
    TWISTD,
    Program,
    Twistd,
    dial,
    environment,
    program,
    read_all,
    read_until,
    run,
)

REACTORS = [None, "asyncio", "lean"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a page."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<html><body>the page</body></html>")
    return folder


def say_hello(port: int, name: str) -> str:
    """Join the chat, take a name, say hello, leave; the result is what was read."""
    with dial(port) as person:
        heard = read_until(person, b"\r\nYou are ")
        person.sendall(b"/NAME %s\r\nhello\r\n/EXIT\r\n" % name.encode())
        return (heard + read_all(person)).decode()


def fetch(port: int, path: str) -> str:
    """The answer to a GET, head and body."""
    with dial(port) as browser:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        browser.sendall(request.encode())
        return read_all(browser).decode()


def send_lines(port: int, data: bytes) -> None:
    """Send to the log receiver and wait until it has hung up."""
    with dial(port) as sender:
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        assert read_all(sender) == b""


@pytest.mark.parametrize("reactor", REACTORS)
def test_twistd_chat(tmp_path: Path, reactor: str | None) -> None:
    with Twistd("chat", "--port", "0", cwd=tmp_path, reactor=reactor) as server:
        heard = say_hello(server.port("chat"), "bob")
        assert "127.0.0.1 changed name to bob\r\nbob says hello\r\n" in heard
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("reactor", REACTORS)
def test_twistd_web(tmp_path: Path, site: Path, reactor: str | None) -> None:
    with Twistd("web", "--path", "static", "-p", "0", cwd=tmp_path, reactor=reactor) as server:
        port = server.port("web")
        assert "the page" in fetch(port, "/")
        assert "Hello, you!" in fetch(port, "/hello/you")
        assert '"web":true' in fetch(port, "/health")
        assert 'proto_connections_total{service="web"}' in fetch(port, "/metrics")
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("reactor", REACTORS)
def test_twistd_echo(tmp_path: Path, reactor: str | None) -> None:
    with Twistd("echo", "--port", "0", cwd=tmp_path, reactor=reactor) as server:
        with dial(server.port("echo")) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"hello"
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("reactor", REACTORS)
def test_twistd_logfile(tmp_path: Path, reactor: str | None) -> None:
    command = ("logfile", "--file", "log.txt", "--port", "0")
    with Twistd(*command, cwd=tmp_path, reactor=reactor) as server:
        send_lines(server.port("logfile"), b"one\ntwo\r\n")
        assert server.end(signal.SIGTERM) == 0
    assert (tmp_path / "log.txt").read_bytes() == b"one\ntwo\n"


def write_config(tmp_path: Path) -> Path:
    """The example configuration with port 0 everywhere."""
    text = re.sub(r'^port = "\d+"', 'port = "tcp:0:interface=127.0.0.1"', example(), flags=re.M)
    path = tmp_path / "proto.toml"
    path.write_text(text)
    return path


def example() -> str:
    """The configuration that the project ships."""
    return (ROOT / "proto.toml").read_text()


def use_all_four(server: Program) -> None:
    """Use every service of the suite once."""
    assert "bob says hello" in say_hello(server.port("chat"), "bob")
    assert "the page" in fetch(server.port("web"), "/")
    send_lines(server.port("logfile"), b"a line\n")
    with dial(server.port("echo")) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"


@pytest.mark.parametrize("reactor", REACTORS)
def test_twistd_proto_serves_all_four_on_one_reactor(
    tmp_path: Path, site: Path, reactor: str | None
) -> None:
    write_config(tmp_path)
    with Twistd("proto", "--config", "proto.toml", cwd=tmp_path, reactor=reactor) as server:
        use_all_four(server)
        metrics = fetch(server.port("web"), "/metrics")
        for service in ("chat", "web", "logfile", "echo"):
            assert f'proto_connections_total{{service="{service}"}} ' in metrics
        assert server.end(signal.SIGTERM) == 0
    assert (tmp_path / "log.txt").read_bytes() == b"a line\n"


def test_what_is_said_in_the_chat_is_copied_to_the_log_receivers_file(tmp_path: Path) -> None:
    config = '[chat]\nport = "0"\ncopy-to-logfile = true\n[logfile]\nport = "0"\nfile = "x.log"\n'
    (tmp_path / "x.toml").write_text(config)
    with Twistd("proto", "--config", "x.toml", cwd=tmp_path) as server:
        say_hello(server.port("chat"), "bob")
        assert server.end(signal.SIGTERM) == 0
    assert (tmp_path / "x.log").read_bytes() == b"[lobby] bob says hello\n"


@pytest.mark.parametrize("reactor", REACTORS)
def test_serve_tac(tmp_path: Path, site: Path, reactor: str | None) -> None:
    write_config(tmp_path)
    (tmp_path / "serve.tac").write_text((ROOT / "serve.tac").read_text())
    with Twistd("-y", "serve.tac", cwd=tmp_path, reactor=reactor) as server:
        use_all_four(server)
        assert server.end(signal.SIGTERM) == 0


def test_serve_tac_tells_a_wrong_configuration_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "proto.toml").write_text("[chat]\nprt = 1\n")
    (tmp_path / "serve.tac").write_text((ROOT / "serve.tac").read_text())
    done = run(TWISTD, "--pidfile=", "-ny", "serve.tac", cwd=tmp_path)
    assert done.returncode == 1
    assert b"Traceback" not in done.stdout + done.stderr
    assert done.stderr.decode().splitlines() == [
        'twistd -y serve.tac: proto.toml, line 2: chat.prt = 1: no such key; did you mean "port"?'
    ]


def test_check_says_what_would_listen_where(tmp_path: Path, site: Path) -> None:
    (tmp_path / "proto.toml").write_text(example())
    done = run(TWISTD, "-n", "proto", "--check", "--config", "proto.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "chat would listen on tcp 0.0.0.0:12345",
        "web would listen on tcp 0.0.0.0:8080",
        "logfile would listen on tcp 0.0.0.0:1514",
        "echo would listen on tcp 0.0.0.0:8007",
        f"{tmp_path}/proto.toml: no mistake found",
    ]


def test_a_daemon_writes_its_pid_and_log_and_stops_with_exit_code_0(tmp_path: Path) -> None:
    command = [TWISTD, "--pidfile=chat.pid", "--logfile=chat.log", "chat", "--port", "0"]
    done = run(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with Program("tail", "-n", "+1", "-F", "chat.log", cwd=tmp_path) as log:
        port = int(log.wait_for(r"chat listens on tcp \S*:(\d+)$")[1])
        pid = int((tmp_path / "chat.pid").read_text())
        with Program("tail", f"--pid={pid}", "-f", "/dev/null", cwd=tmp_path) as waiting:
            assert "bob says hello" in say_hello(port, "bob")
            signal_process(pid, signal.SIGTERM)
            assert waiting.end() == 0
        log.wait_for(r"Server Shut Down")
    assert not (tmp_path / "chat.pid").exists()


def signal_process(pid: int, number: signal.Signals) -> None:
    """Signal a daemon that a test started."""
    os.kill(pid, number)


def test_a_daemon_tells_a_port_in_use_on_the_terminal_that_started_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(
            TWISTD,
            "--pidfile=x.pid",
            "--logfile=x.log",
            "chat",
            "--port",
            f"tcp:{port}:interface=127.0.0.1",
            cwd=tmp_path,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"twistd chat: tcp 127.0.0.1:{port} is in use; "
        "stop what listens there, or choose another port\n"
    )
    assert not (tmp_path / "x.pid").exists()


@pytest.mark.parametrize(
    "arguments",
    [["-n", "echo", "-p", "0"], ["echo", "-p", "0"], ["-n", "proto"], ["-ny", "serve.tac"]],
    ids=" ".join,
)
@pytest.mark.parametrize("option", ["--pidfile", "--logfile"])
def test_a_place_where_twistd_cannot_write_is_one_line(
    tmp_path: Path, arguments: list[str], option: str
) -> None:
    (tmp_path / "proto.toml").write_text("[echo]\nport = 0\n")
    (tmp_path / "serve.tac").write_text((ROOT / "serve.tac").read_text())
    other = "--logfile=x.log" if option == "--pidfile" else "--pidfile="
    done = run(TWISTD, other, f"{option}={tmp_path}/none/x", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    name = {"proto": "proto", "serve.tac": "-y serve.tac"}.get(arguments[-1], "echo")
    assert done.stderr.decode() == (
        f"twistd {name}: {option} {tmp_path}/none/x: no such folder; "
        f"create it: mkdir -p {tmp_path}/none\n"
    )


def test_our_web_is_the_only_web_and_the_built_in_one_is_twisted_web(tmp_path: Path) -> None:
    done = run(TWISTD, "--help", cwd=tmp_path)
    listed = re.findall(r"^    (web|twisted-web) +(.+)$", done.stdout.decode(), re.M)
    assert listed == [
        ("twisted-web", "A general-purpose web server which can serve from a"),
        ("web", "A web server for files and Python handlers."),
    ]
    assert run(TWISTD, "-n", "twisted-web", "--help", cwd=tmp_path).returncode == 0


def test_listing_the_plugins_imports_no_reactor(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from twisted.plugin import getPlugins\n"
        "from twisted.application.service import IServiceMaker\n"
        "names = {each.tapname for each in list(getPlugins(IServiceMaker))}\n"
        "assert {'echo', 'chat', 'logfile', 'web', 'proto', 'twisted-web'} <= names, names\n"
        "import proto.tap.suite, proto.client.__main__\n"
        "assert 'twisted.internet.reactor' not in sys.modules\n"
    )
    done = run(sys.executable, "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_twistd_listens_on_unix_sockets_ipv6_and_several_ports_at_once(tmp_path: Path) -> None:
    ports = ["unix:echo.sock:mode=600", "tcp6:0:interface=\\:\\:1", "tcp:0:interface=127.0.0.1"]
    options = [word for port in ports for word in ("--port", port)]
    with Twistd("echo", *options, cwd=tmp_path) as server:
        v4 = int(server.wait_for(r"echo listens on tcp 127\.0\.0\.1:(\d+)$")[1])
        v6 = int(server.wait_for(r"echo listens on tcp \[::1\]:(\d+)$")[1])
        server.wait_for(r"echo listens on unix echo\.sock$")
        assert (tmp_path / "echo.sock").stat().st_mode & 0o777 == 0o600
        socat = program("socat", "socat")
        for target in (
            f"TCP4:127.0.0.1:{v4}",
            f"TCP6:[::1]:{v6}",
            f"UNIX-CONNECT:{tmp_path}/echo.sock",
        ):
            done = run(socat, "-t5", "-", target, cwd=tmp_path, stdin=b"over socat")
            assert (done.returncode, done.stdout) == (0, b"over socat")
        assert server.end(signal.SIGTERM) == 0
    assert not (tmp_path / "echo.sock").exists()


def test_twistd_serves_tls_and_takes_a_renewed_certificate_without_a_restart(
    tmp_path: Path, site: Path
) -> None:
    certs = tmp_path / "certs"
    certs.mkdir()
    make_certificate(certs, "first.example")
    with Twistd(
        "web", "--path", "static", "--port", "tls:0", "--tls", "certs", cwd=tmp_path
    ) as server:
        port = server.port("web", "tls")
        assert common_name(port) == "first.example"
        make_certificate(certs, "second.example")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(r"loaded the certificate certs/fullchain\.pem")
        assert common_name(port) == "second.example"
        curl = program("curl", "curl")
        done = run(curl, "-sk", f"https://127.0.0.1:{port}/", cwd=tmp_path)
        assert b"the page" in done.stdout
        assert server.end(signal.SIGTERM) == 0


def make_certificate(folder: Path, name: str) -> None:
    """A self-signed certificate and its key, as openssl makes them."""
    done = run(
        *[program("openssl", "openssl"), "req", "-x509", "-newkey", "ec"],
        *["-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
        *["-subj", f"/CN={name}", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr


def common_name(port: int) -> str:
    """The name in the certificate that is served."""
    from cryptography import x509

    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=DEADLINE)
    names = x509.load_pem_x509_certificate(pem.encode()).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    return str(names[0].value)


def test_the_peer_behind_a_trusted_proxy_is_the_real_one(tmp_path: Path) -> None:
    options = ("--port", "0", "--proxy-protocol", "127.0.0.0/8")
    with Twistd("chat", *options, cwd=tmp_path) as server, dial(server.port("chat")) as proxy:
        proxy.sendall(b"PROXY TCP4 203.0.113.9 127.0.0.1 5000 12345\r\n/WHO\r\n")
        assert b"You are 203.0.113.9, in lobby." in read_until(proxy, b"In lobby: 203.0.113.9.\r\n")
        server.wait_for(r"203\.0\.113\.9 joined from 203\.0\.113\.9:5000")


def test_json_logs_are_json_in_the_file_that_twistd_was_given(tmp_path: Path) -> None:
    with Twistd(
        "--logfile=x.log", "echo", "-p", "0", "--log-format", "json", cwd=tmp_path
    ) as server:
        with Program("tail", "-n", "+1", "-F", "x.log", cwd=tmp_path) as log:
            log.wait_for(r"echo listens on tcp")
        assert server.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in (tmp_path / "x.log").read_text().splitlines()]
    told = [line for line in lines if line["message"].startswith("echo listens on tcp")]
    assert told[0]["level"] == "info"
    assert told[0]["service"] == "echo"
    assert lines[-1]["message"] == "Server Shut Down."


def test_the_json_log_of_serve_tac_goes_on_in_a_new_file_after_sighup(tmp_path: Path) -> None:
    (tmp_path / "proto.toml").write_text('[proto]\nlog-format = "json"\n[echo]\nport = 0\n')
    (tmp_path / "serve.tac").write_text((ROOT / "serve.tac").read_text())
    with Twistd("--logfile=x.log", "-y", "serve.tac", cwd=tmp_path) as server:
        with Program("tail", "-n", "+1", "-F", "x.log", cwd=tmp_path) as log:
            log.wait_for(r'"message": "ready: echo on tcp 0\.0\.0\.0:\d+; Ctrl-C or SIGTERM stops"')
            (tmp_path / "x.log").rename(tmp_path / "x.log.1")
            server.process.send_signal(signal.SIGHUP)
            log.wait_for(r"SIGHUP, reloading")
        assert server.end(signal.SIGTERM) == 0
    assert json.loads((tmp_path / "x.log").read_text().splitlines()[-1])["level"] == "info"
    assert "received SIGHUP" in (tmp_path / "x.log.1").read_text()
    assert "Server Shut Down." in (tmp_path / "x.log").read_text()


def test_health_and_metrics_move_to_a_port_of_their_own(tmp_path: Path) -> None:
    options = ("--port", "0", "--metrics-port", "tcp:0:interface=127.0.0.1")
    with Twistd("echo", *options, cwd=tmp_path) as server:
        port = server.port("metrics")
        assert '"ready":true' in fetch(port, "/health")
        metrics = fetch(port, "/metrics")
        assert "proto_reactor_lag_seconds_count" in metrics
        assert 'proto_connections_open{service="echo"} 0.0' in metrics


def test_python_m_proto_client_is_the_delayed_client_of_the_tutorial(tmp_path: Path) -> None:
    with Twistd("echo", "--port", "0", cwd=tmp_path) as server:
        where = f"localhost:{server.port('echo')}"
        done = run(
            *[sys.executable, "-m", "proto.client", where, "--send", "Hello"],
            *["--after", "0.1", "--send", " world", "--after", "0.1", "--hang-up"],
            cwd=tmp_path,
            env=environment(),
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello world", b"")
