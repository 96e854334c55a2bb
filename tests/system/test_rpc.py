"""`--rpc` of a real twistd, called by the clients that people use."""

from __future__ import annotations

import json
import socket
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jsonrpcclient
import pytest

from tests.certificate import write_pair
from tests.system.programs import DEADLINE, Twistd, dial, program, read_all, run
from tests.web.wire import request_bytes

MODULE: Final = '''
from datetime import datetime

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from proto.web.rpc.faults import RPCError
from proto.web.rpc.registry import Registry


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def divide(a: float, b: float) -> float:
    if b == 0:
        raise RPCError(1, "division by nothing", {"a": a})
    return a / b


async def slowly(value: str) -> str:
    return await deferLater(reactor, 0.05, lambda: value)


def forever() -> Deferred[None]:
    print("begun")
    return Deferred(lambda _: print("cancelled"))


def tomorrow(at: datetime, data: bytes) -> dict[str, object]:
    return {"at": at.replace(day=at.day + 1), "data": data[::-1], "none": None}


def fail() -> None:
    raise RuntimeError("a secret of ours")


registry = Registry()
for function in (divide, slowly, forever, tomorrow, fail):
    registry.register("more." + function.__name__, function)
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    folder = tmp_path_factory.mktemp("rpc")
    (folder / "calc.py").write_text(MODULE)
    write_pair(folder)
    command = ["web", "--rpc", "calc:add", "--rpc", "calc:registry", "--rpc-at-once", "4"]
    listen = ["--listen", "tcp:0:interface=127.0.0.1", "--listen"]
    with Twistd(*command, *listen, "tls:0:interface=127.0.0.1:certs=.", cwd=folder) as twistd:
        yield twistd
        assert "Unhandled" not in twistd.output


def url_of(server: Twistd, path: str) -> str:
    return f"http://127.0.0.1:{server.port('web')}{path}"


def post(server: Twistd, body: Any, path: str = "/rpc") -> Any:
    """Send what jsonrpcclient made, as its manual does; the answer as it reads it."""
    request = urllib.request.Request(
        url_of(server, path), json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        raw = answer.read()
    return jsonrpcclient.parse(json.loads(raw)) if raw else None


def curl(server: Twistd, *arguments: str, path: str = "/rpc") -> tuple[str, str]:
    """The status and the body."""
    done = run(
        *(program("curl", "curl"), "-sS", "-m", "30", "-w", "%{stderr}%{http_code}"),
        *(*arguments, url_of(server, path)),
        cwd=Path("/"),
    )
    return done.stderr.decode(), done.stdout.decode()


def test_python_calls_over_xml_rpc(server: Twistd) -> None:
    with xmlrpc.client.ServerProxy(
        url_of(server, "/RPC2"), allow_none=True, use_builtin_types=True
    ) as proxy:
        assert proxy.add(2, 3) == 5
        assert proxy.more.slowly("grüß\n<&>") == "grüß\n<&>"
        at = datetime(2020, 1, 2, 3, 4, 5)
        told = {"at": at.replace(day=3), "data": b"\xff\0", "none": None}
        assert proxy.more.tomorrow(at, b"\0\xff") == told
        assert "more.divide" in proxy.system.listMethods()  # type: ignore[operator]
        assert proxy.system.methodHelp("add") == "Add two numbers."
        assert proxy.system.methodSignature("add") == [["int"] * 2, ["int"] * 3]
        for call, code, text in (
            (lambda: proxy.nothing(), -32601, "Method not found"),
            (lambda: proxy.add("1"), -32602, "Invalid params: a: Expected `int`, got `str`"),
            (lambda: proxy.more.divide(1, 0), 1, "division by nothing"),
            (lambda: proxy.more.fail(), -32603, "Internal error"),
        ):
            with pytest.raises(xmlrpc.client.Fault) as caught:
                call()
            assert (caught.value.faultCode, caught.value.faultString) == (code, text)


def test_many_calls_of_python_go_in_one_request(server: Twistd) -> None:
    with xmlrpc.client.ServerProxy(url_of(server, "/RPC2")) as proxy:
        many = xmlrpc.client.MultiCall(proxy)
        for number in range(3):
            many.add(number, 10)
        many.more.divide(1, 0)
        results = many()
        assert [results[place] for place in range(3)] == [10, 11, 12]
        with pytest.raises(xmlrpc.client.Fault, match="division by nothing"):
            results[3]


def test_jsonrpcclient_calls_over_json_rpc(server: Twistd) -> None:
    assert post(server, jsonrpcclient.request("add", params=(2, 3), id=7)) == jsonrpcclient.Ok(5, 7)
    named = jsonrpcclient.request_uuid("add", params={"b": 3, "a": 2})
    assert post(server, named) == jsonrpcclient.Ok(5, named["id"])
    assert post(server, jsonrpcclient.notification("add", params=(1,))) is None
    refused = post(server, jsonrpcclient.request("more.divide", params=(1, 0), id=1))
    assert refused == jsonrpcclient.Error(1, "division by nothing", {"a": 1.0}, 1)
    batch = [jsonrpcclient.request("more.slowly", params=(str(id),), id=id) for id in range(20)]
    batch.insert(3, jsonrpcclient.notification("add", params=(1,)))
    assert list(post(server, batch)) == [jsonrpcclient.Ok(str(id), id) for id in range(20)]
    document = post(server, jsonrpcclient.request("rpc.discover", id=1)).result
    assert "more.tomorrow" in [method["name"] for method in document["methods"]]


def test_curl_gets_an_answer_whatever_it_sends(server: Twistd) -> None:
    as_json = ["-H", "Content-Type: application/json"]
    call = '{"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": 1}'
    assert curl(server, "--json", call) == ("200", '{"jsonrpc":"2.0","result":3,"id":1}')
    for arguments, status, told in (
        ([*as_json, "-d", "{"], "200", '"code":-32700'),
        ([*as_json, "-d", "[]"], "200", '"code":-32600'),
        ([*as_json, "-d", call.replace("add", "nothing")], "200", '"code":-32601'),
        ([*as_json, "-d", call.replace("1,", '"1",')], "200", '"code":-32602'),
        (["-d", call], "415", "application/json"),
        (["-H", "Content-Type: text/plain", "-d", call], "415", "application/json"),
        ([], "405", "POST"),
        ([*as_json, "-X", "PUT", "-d", call], "405", "POST"),
        (["--json", call, "-H", "Origin: http://evil.example"], "403", "another origin"),
    ):
        answer = curl(server, *arguments)
        assert answer[0] == status
        assert told in answer[1]
    assert curl(server, "--json", call, path="/rpc/below")[0] == "404"
    as_xml = ["-H", "Content-Type: text/xml"]
    for body, code in (
        ("", -32700),
        ("<!DOCTYPE a><a/>", -32600),
        ("<methodCall><methodName>x</methodName></methodCall>", -32601),
    ):
        status, text = curl(server, *as_xml, "--data-binary", body, path="/RPC2")
        assert status == "200"
        assert f"<int>{code}</int>" in text


def test_over_http2_and_tls_it_is_the_same(server: Twistd) -> None:
    url = f"https://127.0.0.1:{server.port('web', 'tls')}/rpc"
    call = '{"jsonrpc": "2.0", "method": "more.slowly", "params": ["x"], "id": null}'
    own = ["-H", f"Origin: {url.removesuffix('/rpc')}"]
    command = [program("curl", "curl"), "-sSk", "--http2", "-w", "%{http_version}", "--json", call]
    done = run(*command, *own, url, cwd=Path("/"))
    assert done.stdout == b'{"jsonrpc":"2.0","result":"x","id":null}2'


def test_who_leaves_cancels_the_call_and_makes_room(server: Twistd) -> None:
    body = b'{"jsonrpc": "2.0", "method": "more.forever", "id": 1}'
    raw = request_bytes("/rpc", "POST", {"Content-Type": "application/json"}, body)
    before = len(server.output)
    peers: list[socket.socket] = []
    try:
        for _ in range(4):
            peers.append(socket.create_connection(("127.0.0.1", server.port("web")), DEADLINE))
            peers[-1].sendall(raw)
        server.wait_for(r"(?s)(begun.*){4}", after=before)
        with dial(server.port("web")) as other:
            other.sendall(raw.replace(b"Host: localhost", b"Host: localhost\r\nConnection: close"))
            answer = read_all(other)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in answer
    finally:
        for peer in peers:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            peer.close()
    server.wait_for(r"(?s)(cancelled.*){4}", after=before)
    assert post(server, jsonrpcclient.request("add", params=(1, 1), id=1)).result == 2


def test_what_happened_is_counted_and_a_mistake_is_in_the_log(server: Twistd) -> None:
    assert post(server, jsonrpcclient.request("more.fail", id=1)).code == -32603
    post(server, jsonrpcclient.request("add", params=(1,), id=1))
    post(server, jsonrpcclient.notification("nothing"))
    server.wait_for(r"RuntimeError: a secret of ours")
    server.wait_for(r"a notification of 'nothing' failed: -32601")
    told = curl(server, path="/metrics")[1]
    for method, outcome in (("more.fail", "failed"), ("add", "ok"), ("unknown", "refused")):
        assert f'proto_rpc_calls_total{{method="{method}",outcome="{outcome}"}} ' in told


def test_a_wrong_start_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "calc.py").write_text(MODULE)
    command = ["web", "-p", "0", "--rpc", "calc:add", "--rpc-xml-path", "/rpc"]
    with Twistd(*command, cwd=tmp_path) as server:
        assert server.end() == 1
        told = "twistd web: /rpc is given twice; mount each at a path of its own\n"
        assert server.output == told
