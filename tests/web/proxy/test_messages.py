from __future__ import annotations

import asyncio

from proto.web.proxy.messages import Reply


def test_the_values_of_a_field_are_found_however_its_name_is_written() -> None:
    reply = Reply(200, b"OK", [(b"Vary", b"a"), (b"X", b"y"), (b"vary", b"b")])
    assert reply.values(b"vary") == [b"a", b"b"]
    assert reply.values(b"none") == []


def test_an_answer_has_no_body_unless_it_is_given_one() -> None:
    async def whole() -> list[bytes]:
        return [chunk async for chunk in Reply(204, b"No Content", ()).body]

    assert asyncio.run(whole()) == []
