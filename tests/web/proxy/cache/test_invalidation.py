from __future__ import annotations

import pytest

from proto.web.proxy.cache.invalidation import outdated_targets
from tests.web.proxy.cache.origin import ask, lines


def targets(*fields: str, method: str = "POST", status: int = 200) -> list[bytes]:
    return outdated_targets(ask(method=method, target="/a/b?c"), status, lines(*fields))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "PURGE"])
@pytest.mark.parametrize("status", [200, 201, 204, 299, 302, 303])
def test_what_may_have_changed_is_worthless(method: str, status: int) -> None:
    assert targets(method=method, status=status) == [b"/a/b?c"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "M-SEARCH"])
@pytest.mark.parametrize("status", [400, 404, 409, 500, 502])
def test_what_failed_has_changed_nothing(method: str, status: int) -> None:
    assert targets(method=method, status=status) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_safe_methods_change_nothing(method: str) -> None:
    assert targets("Location: /x", method=method) == []


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/x", b"/x"),
        ("x?y=1", b"/a/x?y=1"),
        ("../x", b"/x"),
        ("http://a.test/x", b"/x"),
        ("https://A.test/x", b"/x"),
        ("http://a.test", b"/"),
        ("?q", b"/a/b?q"),
        ("/x#part", b"/x"),
        ("/%C3%A9", b"/%C3%A9"),
        ("/caf\u00e9", "/caf\u00e9".encode("latin-1")),
    ],
)
def test_so_is_what_the_answer_names_on_the_same_host(
    name: str, reference: str, expected: bytes
) -> None:
    assert targets(f"{name}: {reference}") == [b"/a/b?c", expected]


@pytest.mark.parametrize(
    "reference",
    [
        "http://b.test/x",
        "http://a.test:8080/x",
        "ftp://a.test/x",
        "http://[x/",
        "//b.test/",
        "/a/b?c",
    ],
)
def test_nobody_can_name_another_host(reference: str) -> None:
    assert targets(f"Location: {reference}") == [b"/a/b?c"]
