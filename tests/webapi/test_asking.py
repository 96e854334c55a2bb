from __future__ import annotations

import pytest

from proto.webapi.asking import check_accept
from proto.webapi.problems import Refused


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "*/*",
        "application/json",
        "APPLICATION/JSON",
        "application/*;q=0.1",
        "text/html, application/json;q=0.9",
        "application/json;q=0.001",
        "application/json;q=x",
        "*/*;q=0, application/json",
        "application/json;q=0, application/json",
    ],
)
def test_who_takes_json_at_all_gets_it(header: str) -> None:
    check_accept(header)


@pytest.mark.parametrize(
    "header",
    [
        "text/html",
        "application/problem+json",
        "application/json;q=0",
        "*/*, application/json;q=0.000",
        "application/*; q=0, */*",
        "text/*, */*;Q=0",
    ],
)
def test_who_takes_none_is_told(header: str) -> None:
    with pytest.raises(Refused) as caught:
        check_accept(header)
    assert caught.value.status == 406
