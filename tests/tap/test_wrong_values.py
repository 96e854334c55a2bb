"""Every option and every key with a wrong value: one line, with the remedy, and exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.config import settings_of
from proto.tap import chat, echo, logfile, suite, web
from proto.tap.options import ProcessSettings, SettingsOptions

WRONG: dict[str, list[object]] = {
    "port": ["", "x", "-1", "65536", "tcp:", "tcp:1:nonsense=2", "tcp:1:interface=x", True, 1.5],
    "interface": ["", "localhost", "256.0.0.1", "::x", 1],
    "proxy-protocol": ["", "x", "10.0.0.0/33", "10.0.0.1/8", 1],
    "max-connections": ["", "x", "-1", "1.5", True, 1.5, "1e3"],
    "max-per-address": ["x", -1],
    "max-per-minute": ["x", -1],
    "accept-rate": ["x", -1],
    "idle": ["x", "-1", "nan", "inf", True],
    "grace": ["", "x", "-1", "nan"],
    "log-format": ["", "xml", 1],
    "metrics-port": ["x", "99999"],
    "service": ["", "ech", 1],
    "delimiter": ["", 1],
    "delay": ["x", "-1"],
    "max-request": ["0", "x", "1 KB", "-1", True],
    "hold-input": ["1", "x"],
    "state": ["", "postgressql://chat:secret@localhost/chat", "mysql://x/y", 1],
    "keep-lines": ["-1", "x"],
    "keep-days": ["-1", "x"],
    "keep-rooms": ["-1", "x"],
    "origin": ["", "example.org", "https://example.org/path", 1],
    "last-lines": ["-1", "x", "1000"],
    "flood-lines": ["0", "x"],
    "flood-rate": ["x", "-1"],
    "send-queue": ["1", "x"],
    "stuck-after": ["0", "x"],
    "max-line": ["0", "x", "1 TiB"],
    "file": ["", 1],
    "framing": ["", "crlf", 1],
    "format": ["", "xml", 1],
    "sync": ["", "sometimes", "0", "-1", "nan", "4000", True],
    "relp": ["x", "99999"],
    "http": ["x", "99999"],
    "rotate-size": ["-1", "x"],
    "rotate-age": ["-1", "x"],
    "keep": ["-1", "x", True],
    "keep-age": ["-1", "x"],
    "keep-size": ["-1", "x"],
    "compress": ["", "bzip2", 1],
    "split-by": ["", "name", 1],
    "client-ca": ["", 1],
    "path": ["", 1],
    "index": ["", "a/b", "..", 1],
    "ignore-ext": ["", "html", 1],
    "mime-type": ["", "text", 1],
    "type": ["", "log=text/plain", ".log", ".log=text", 1],
    "visits": ["", 1],
    "logfile": ["", 1],
    "add-header": ["", "x", "a b: c", "X: \u2028", "X: a\rb", 1],
    "max-body": ["x", "-1"],
    "keep-alive": ["0", "x"],
    "head-timeout": ["0", "x"],
    "stall-timeout": ["0", "x"],
    "stat-interval": ["-1", "x"],
    "body-rate": ["0", "x"],
    "spool": ["", 1],
    "max-spooled": ["0", "x"],
    "resource-script": ["", 1],
    "alias": ["", "/media", "media=x", "/=x", "/a/../b=x", "/media=", 1],
    "try-files": ["", "uri", "$uri $args", "=404", "/a/../b", "=404 $uri", 1],
    "expires": ["", "image/*", "image=1d", "image/*=1q", "image/*=-1", 1],
    "error-page": ["", "404", "200=/x", "404=x", "404=/", "404=/../x", 1],
    "hsts": ["", "x", "-1", True],
    "upload-token-file": ["", 1],
    "max-upload": ["0", "x", "-1"],
    "rate-limit": ["", "/api", "/api=10", "/api=0/s", "api=1/s", "/a=1/s burst=0", "/..=1/s", 1],
    "auth": ["", "/private", "/private=", "private=x", "/a?b=x", "/%zz=x", 1],
    "workers": ["x", "-1", "129", "1.5", True],
    "api-db": ["", "mysql://x/y", 1],
    "api-tokens": ["", 1],
    "api-origin": ["", "*", "example.org", "https://example.org/path", 1],
    "ws-echo": ["", "x", "/", "/a?b", 1],
    "ws-echo-origin": ["", "example.org", 1],
    "rpc": ["", "x", "x:", ":x", 1],
    "rpc-path": ["", "x", "/", 1],
    "rpc-xml-path": ["", "x", "/", 1],
    "rpc-origin": ["", "example.org", 1],
    "rpc-at-once": ["0", "x", True],
    "wsgi": ["", "app", "/a", "/a=app", "/a?b=m:a", "/%zz=m:a", "m:a b", 1],
    "wsgi-path": ["", 1],
    "wsgi-middleware": ["", "around", "m:", 1],
    "wsgi-threads": ["0", "x", "1025", True],
    "wsgi-queue": ["-1", "x", True],
    "dav": ["", "/files=", "/a?b=c", "/../x=y", 1],
    "dav-users": ["", 1],
    "dav-max-upload": ["0", "x", "-1"],
    "handlers": ["", 1],
    "cgi": ["", "/=x", "/x=", "/../a=x", 1],
    "cgi-env": ["", "A", "HTTP_X=y", "QUERY_STRING=x", 1],
    "cgi-timeout": ["0", "x"],
    "cgi-silence": ["0", "x"],
    "cgi-max-output": ["0", "x"],
    "cgi-max": ["0", "x", True],
    "proxy": [
        "",
        "/app",
        "app=http://a",
        "/app=a:8000",
        "/app=http://a weight=0",
        "/a=http://b/x,http://c",
        1,
    ],
    "proxy-method": ["", "any", 1],
    "proxy-host": ["", "mine", True],
    "proxy-trust": ["", "everybody", "10.0.0.1/8", 1],
    "proxy-keepalive": ["x", "-1", "10001"],
    "proxy-idle-timeout": ["0", "x"],
    "proxy-connect-timeout": ["0", "x"],
    "proxy-send-timeout": ["0", "x"],
    "proxy-read-timeout": ["0", "x"],
    "proxy-tunnel-timeout": ["0", "x"],
    "proxy-max-body": ["x", "-1"],
    "proxy-check": ["", "health", "/x interval=0", 1],
    "proxy-cache": ["", "disk", "memory:1", "files:x", 1],
    "proxy-cache-max-object": ["x", "-1"],
    "proxy-cache-stale": ["x", "-1"],
}
ANY_TEXT = {"tls", "quote", "message", "motd", "class"}
"""Text is never of the wrong form; in TOML a number is."""

COMMANDS: dict[str, type[SettingsOptions]] = {
    "echo": echo.Options,
    "chat": chat.Options,
    "logfile": logfile.Options,
    "web": web.Options,
}


def options() -> Iterator[tuple[str, str, str]]:
    """Every option of every service with each wrong text."""
    for command, cls in COMMANDS.items():
        for group in cls.groups:
            for key, (_, what) in settings_of(group).items():
                if what.kind.expected != "true or false" and key not in ANY_TEXT:
                    for value in WRONG[key]:
                        if isinstance(value, str):
                            yield command, key, value


def keys() -> Iterator[tuple[str, str, object]]:
    """Every key of every table with each wrong value."""
    tables: dict[str, type] = {name: kind.settings for name, kind in suite.KINDS.items()}
    tables["proto"] = ProcessSettings
    for table, cls in tables.items():
        for key, (_, what) in settings_of(cls).items():
            if what.kind.expected == "true or false":
                yield table, key, "yes"
                yield table, key, 1
            else:
                for value in [1] if key in ANY_TEXT else WRONG[key]:
                    yield table, key, value


@pytest.mark.parametrize(("command", "key", "value"), list(options()))
def test_a_wrong_option_ends_in_one_line_that_names_it(command: str, key: str, value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        COMMANDS[command]().parseOptions([f"--{key}", value])
    line = str(ended.value.code)
    shown = value.encode("unicode_escape").decode()
    assert line.startswith(f"twistd {command}: --{key} {shown}: ")
    assert "expected " in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(("table", "key", "value"), list(keys()))
def test_a_wrong_value_in_toml_ends_in_one_line_that_names_it(
    table: str, key: str, value: object, tmp_path: Path
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f"# a comment\n[{table}]\n\n{key} = {as_toml(value)}\n")
    with pytest.raises(SystemExit) as ended:
        suite.Options().parseOptions(["--config", str(path)])
    line = str(ended.value.code)
    if table == "proto":
        assert "proto" in line
    assert f"{path}, line 4: {table}.{key} = " in line or "no service in it" in line
    assert len(line.splitlines()) == 1


def as_toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(f"\\u{ord(c):04x}" if not c.isprintable() else c for c in value)
        return f'"{escaped}"'
    return str(value)


@pytest.mark.parametrize("command", [*COMMANDS, "proto"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nonsense", "1"], "--nonsense: no such option; see twistd {} --help"),
        (["static"], "'static' is no option; options begin with --, see twistd {} --help"),
        (["--"], None),
    ],
)
def test_what_is_no_option_ends_in_one_line(
    command: str, arguments: list[str], told: str | None
) -> None:
    cls = COMMANDS.get(command, suite.Options)
    if told is None:
        arguments = ["--", "x"]
        told = "'x' is no option; options begin with --, see twistd {} --help"
    with pytest.raises(SystemExit) as ended:
        cls().parseOptions(arguments)
    assert ended.value.code == f"twistd {command}: " + told.format(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_without_its_value_ends_in_one_line(command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        COMMANDS[command]().parseOptions(["--port"])
    assert ended.value.code == f"twistd {command}: option --port requires argument"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "{}: no service in it; add a table: [chat], [web], [logfile], [echo]"),
        ("[chatt]\n", '{}, line 1: chatt: no such service; did you mean "chat"?'),
        ("[zzz]\n", "{}, line 1: zzz: no such service; the tables are proto, chat, web, "),
        ("port = 1\n[chat]\n", '{}, line 1: port: no such key; did you mean "proto"?'),
        ("chat = 1\n", "{}, line 1: chat: expected a table: [chat]"),
        ("[chat]\nprot = 1\n", '{}, line 2: chat.prot = 1: no such key; did you mean "port"?'),
        ("[chat]\nx = [", "{}: not valid TOML: "),
        ("[chat]\nx = 1\nx = 2\n", "{}: not valid TOML: "),
        ('[chat]\nport = ["1", "x"]\n', "{}, line 2: chat.port = "),
    ],
)
def test_a_wrong_file_ends_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        suite.Options().parseOptions(["--config", str(path)])
    line = str(ended.value.code)
    assert line.startswith("twistd proto: " + told.format(path))
    assert len(line.splitlines()) == 1


def test_a_missing_file_and_a_folder_end_in_one_line(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.toml", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(SystemExit) as ended:
            suite.Options().parseOptions(["--config", str(path)])
        assert str(ended.value.code).startswith(f"twistd proto: {path}: {why}")


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("echo", ["--udp", "--service", "quote"], "--udp: quote has no UDP form"),
        ("echo", ["--message", "a\nb"], "--message: greeting sends one line"),
        ("chat", ["--hold-input", "2 MiB"], "hold-input 2097152 must be below send-queue"),
        (
            "web",
            ["--path", "/nonexistent"],
            "--path /nonexistent: no such folder; create it: mkdir",
        ),
        ("web", ["--path", "a" * 5000], "--path " + "a" * 5000 + ": File name too long; name a"),
        ("web", ["--path", "/etc/passwd"], "--path /etc/passwd: no such folder; name a folder"),
        ("web", ["--path", "/", "--class", "x.Y"], "--path and --class: only one of them"),
        ("web", ["--class", "no.such.Thing"], "--class no.such.Thing cannot be used"),
        ("web", ["--resource-script", "/nonexistent"], "--resource-script /nonexistent cannot be"),
        ("web", ["--logfile", "/nonexistent/x"], "the access log /nonexistent/x cannot be opened"),
        ("web", ["--visits", "/nonexistent/x"], "--visits /nonexistent/x cannot be written"),
        ("web", ["--display-tracebacks", "--notracebacks"], "--display-tracebacks and --notrace"),
        ("logfile", ["--file", "/nonexistent/x"], "/nonexistent/x: no such folder; create it"),
        ("logfile", ["--file", "/"], "/: "),
        ("echo", ["--tls", "/nonexistent"], "--tls /nonexistent: no certificate there"),
        ("echo", ["--tls", "/x,/y"], "--tls /x,/y: /x: no such file"),
        ("echo", ["--port", "tls:0"], "tls:0: no certificate; add --tls DIR or :certs=DIR"),
        ("echo", ["--port", "nosuch:1"], "--port nosuch:1: not an endpoint that Twisted can make"),
        ("echo", ["--port", "systemd:domain=INET:index=0"], "--port systemd:domain=INET:index=0: "),
        ("echo", ["--port", "unix:/nonexistent/x"], "unix /nonexistent/x: no such folder; create"),
        ("echo", ["--port", "unix:/etc/passwd"], "unix /etc/passwd is in use"),
        ("echo", ["--interface", "203.0.113.1"], "tcp 203.0.113.1:8007: this machine has no such"),
    ],
)
def test_what_does_not_fit_together_or_is_not_there_ends_in_one_line(
    command: str, arguments: list[str], told: str
) -> None:
    module = {"echo": echo, "chat": chat, "logfile": logfile, "web": web}[command]
    options = COMMANDS[command]()
    options.parseOptions(arguments)
    with pytest.raises(SystemExit) as ended:
        module.makeService(options)
    line = str(ended.value.code)
    assert line.startswith(f"twistd {command}: {told}")
    assert len(line.splitlines()) == 1
