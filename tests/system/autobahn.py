"""The cases of the Autobahn test suite, as a table: what is said, what comes back, how it ends.

The numbers are the suite's.  The long messages of chapter 9 are cut to a sixteenth, which fits what
the echo takes; chapters 12 and 13, which send thousands of compressed messages, are `SIZES` and
`OFFERS`.  https://github.com/crossbario/autobahn-testsuite
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tests.system.autobahn_text import GREEK, texts
from tests.web.sockets import masked

SCALE: Final = 16
HELLO: Final = b"Hello, world!"
MIXED: Final = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
ONE: Final = b"fragment1"
TWO: Final = b"fragment2"
SURROGATE: Final = GREEK + b"\xed\xa0\x80edited"
BINARY: Final = b"\x00\xfe\x23\xfa\xf0"
WORDS: Final = "Hello-µ@ßöäüàá-UTF-8!!".encode()

Said = tuple[int, bytes]


@dataclass(frozen=True)
class Case:
    """What is said in one case, and what has to come back."""

    number: str
    sends: bytes
    echoes: tuple[Said, ...] = ()
    code: int | None = 1000
    """That of the server's close frame, None for an empty one."""
    closes: bool = False
    """The close frame is among what is sent; else it follows the echoes, if the code is 1000."""
    chop: int = 0
    """Bytes that are sent at a time, 0: all at once."""
    reason: bytes | None = None
    """That of the server's close frame, if it matters."""

    @property
    def fails(self) -> bool:
        """The server has to end it."""
        return self.code != 1000 and not self.closes


def closing(code: int, reason: bytes = b"") -> bytes:
    return masked(8, code.to_bytes(2, "big") + reason)


def pieces(opcode: int, payload: bytes, size: int) -> bytes:
    """A message in pieces of that size."""
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(parts) - 1
    return b"".join(
        masked(0 if place else opcode, part, fin=place == last) for place, part in enumerate(parts)
    )


def repeated(pattern: bytes, size: int) -> bytes:
    return (pattern * (size // len(pattern) + 1))[:size]


def lengths() -> Iterator[Case]:
    sizes = (0, 125, 126, 127, 128, 65535, 65536)
    for section, opcode, fill in ((1, 1, b"*"), (2, 2, b"\xfe")):
        for place, size in enumerate(sizes, 1):
            frame = masked(opcode, fill * size)
            yield Case(f"1.{section}.{place}", frame, ((opcode, fill * size),))
        long = fill * 65536
        yield Case(f"1.{section}.8", masked(opcode, long), ((opcode, long),), chop=997)


def pings() -> Iterator[Case]:
    full = b"\xfe" * 125
    for place, payload in enumerate((b"", HELLO, MIXED, full), 1):
        yield Case(f"2.{place}", masked(9, payload), ((10, payload),))
    yield Case("2.5", masked(9, full + b"\xfe"), code=1002)
    yield Case("2.6", masked(9, full), ((10, full),), chop=1)
    yield Case("2.7", masked(10, b""))
    yield Case("2.8", masked(10, b"unsolicited pong payload"))
    asked = masked(10, b"unsolicited pong payload") + masked(9, b"ping payload")
    yield Case("2.9", asked, ((10, b"ping payload"),))
    ten = [b"payload-%d" % number for number in range(10)]
    all_ten = Case(
        "2.10", b"".join(masked(9, each) for each in ten), tuple((10, each) for each in ten)
    )
    yield all_ten
    yield replace(all_ten, number="2.11", chop=1)


def reserved() -> Iterator[Case]:
    hello, ping, heard = masked(1, HELLO), masked(9, b""), ((1, HELLO),)
    yield Case("3.1", masked(1, HELLO, rsv=1), code=1002)
    for place, chop in ((2, 0), (3, 0), (4, 1)):
        sends = hello + masked(1, HELLO, rsv=place) + ping
        yield Case(f"3.{place}", sends, heard, 1002, chop=chop)
    yield Case("3.5", masked(2, MIXED, rsv=5), code=1002)
    yield Case("3.6", masked(2, HELLO, rsv=6), code=1002)
    yield Case("3.7", masked(8, b"", rsv=7), code=1002)
    for section, first in ((1, 3), (2, 11)):
        number = f"4.{section}"
        yield Case(f"{number}.1", masked(first, b""), code=1002)
        yield Case(f"{number}.2", masked(first + 1, b"reserved opcode payload"), code=1002)
        for place, payload, chop in ((3, b"", 0), (4, HELLO, 0), (5, HELLO, 1)):
            sends = hello + masked(first + place - 1, payload) + ping
            yield Case(f"{number}.{place}", sends, heard, 1002, chop=chop)


def fragments() -> Iterator[Case]:
    one, two = masked(1, ONE, fin=False), masked(0, TWO)
    ping, pong = masked(9, b"ping payload"), (10, b"ping payload")
    both = (1, ONE + TWO)
    yield Case("5.1", masked(9, ONE, fin=False) + two, code=1002)
    yield Case("5.2", masked(10, ONE, fin=False) + two, code=1002)
    for place, chop in ((3, 0), (4, 0), (5, 1)):
        yield Case(f"5.{place}", one + two, (both,), chop=chop)
        yield Case(f"5.{place + 3}", one + ping + two, (pong, both), chop=chop)
    hello = masked(1, HELLO)
    for place, fin in ((9, True), (12, False)):
        stray = masked(0, b"non-continuation payload", fin=fin) + hello
        yield Case(f"5.{place}", stray, code=1002)
        yield Case(f"5.{place + 1}", stray, code=1002)
        yield Case(f"5.{place + 2}", stray, code=1002, chop=1)
    stray = masked(0, b"fragment3", fin=False) + masked(1, b"fragment4")
    yield Case("5.15", one + two + stray, (both,), 1002)
    for place, fin in ((16, False), (17, True)):
        begun = masked(0, ONE, fin=fin) + masked(1, TWO, fin=False) + masked(0, b"fragment3")
        yield Case(f"5.{place}", begun * 2, code=1002)
    yield Case("5.18", one + masked(1, TWO), code=1002)
    sends = one + masked(0, TWO, fin=False) + masked(9, b"pongme 1!")
    sends += masked(0, b"fragment3", fin=False) + masked(0, b"fragment4", fin=False)
    sends += masked(9, b"pongme 2!") + masked(0, b"fragment5")
    five = (1, b"".join(b"fragment%d" % number for number in range(1, 6)))
    heard = ((10, b"pongme 1!"), (10, b"pongme 2!"), five)
    yield Case("5.19", sends, heard)
    yield Case("5.20", sends, heard)


def characters() -> Iterator[Case]:
    empty, nothing = masked(1, b"", fin=False), masked(0, b"", fin=False)
    middle = b"middle frame payload"
    yield Case("6.1.1", masked(1, b""), ((1, b""),))
    yield Case("6.1.2", empty + nothing + masked(0, b""), ((1, b""),))
    sends = empty + masked(0, middle, fin=False) + masked(0, b"")
    yield Case("6.1.3", sends, ((1, middle),))
    yield Case("6.2.1", masked(1, WORDS), ((1, WORDS),))
    cut = len("Hello-µ@ßöä".encode())
    halves = masked(1, WORDS[:cut], fin=False) + masked(0, WORDS[cut:])
    yield Case("6.2.2", halves, ((1, WORDS),))
    yield Case("6.2.3", pieces(1, WORDS, 1), ((1, WORDS),))
    yield Case("6.2.4", pieces(1, GREEK, 1), ((1, GREEK),))
    yield Case("6.3.1", masked(1, SURROGATE), code=1007)
    yield Case("6.3.2", pieces(1, SURROGATE, 1), code=1007)
    # The rest is never sent: what is wrong has to be noticed before it comes, in 6.4.3 and 6.4.4
    # within a frame.
    begun = masked(1, GREEK, fin=False)
    yield Case("6.4.1", begun + masked(0, b"\xf4\x90\x80\x80", fin=False), code=1007)
    begun = masked(1, GREEK + b"\xf4", fin=False)
    yield Case("6.4.2", begun + masked(0, b"\x90", fin=False), code=1007)
    whole = masked(1, GREEK + b"\xf4\x90\x80\x80edited")
    yield Case("6.4.3", whole[: -len(b"edited")], code=1007, chop=6 + len(GREEK))
    yield Case("6.4.4", whole[: -len(b"\x80\x80edited")], code=1007, chop=7 + len(GREEK))
    for number, text, is_good in texts():
        if is_good:
            yield Case(number, masked(1, text), ((1, text),))
        else:
            yield Case(number, masked(1, text), code=1007)


def closes() -> Iterator[Case]:
    hello, normal = masked(1, b"Hello World!"), closing(1000)
    said = (1, b"Hello World!")
    yield Case("7.1.1", hello, (said,))
    for place, after in ((2, masked(8, b"")), (3, masked(9, b"")), (4, hello)):
        yield Case(f"7.1.{place}", normal + after, closes=True)
    begun = masked(1, ONE, fin=False)
    yield Case("7.1.5", begun + normal + masked(0, TWO), closes=True)
    long = repeated(b"BAsd7&jh23", 262144)
    sends = masked(1, long) + hello + normal + masked(9, b"")
    yield Case("7.1.6", sends, ((1, long), said), closes=True)
    yield Case("7.3.1", masked(8, b""), code=None, closes=True)
    yield Case("7.3.2", masked(8, b"a"), code=1002, closes=True)
    for place, reason in ((3, b""), (4, b"Hello World!"), (5, b"*" * 123)):
        yield Case(f"7.3.{place}", closing(1000, reason), closes=True, reason=reason)
    yield Case("7.3.6", closing(1000, b"*" * 124), code=1002, closes=True)
    yield Case("7.5.1", closing(1000, SURROGATE), code=1007, closes=True)
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for place, code in enumerate(good, 1):
        yield Case(f"7.7.{place}", closing(code), code=code, closes=True)
    bad = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
    for place, code in enumerate(bad, 1):
        yield Case(f"7.9.{place}", closing(code), code=1002, closes=True)
    yield Case("7.13.1", closing(5000), code=1002, closes=True)
    yield Case("7.13.2", closing(65535), code=1002, closes=True)


def long_messages() -> Iterator[Case]:
    for section, opcode, pattern in ((1, 1, b"BAsd7&jh23"), (2, 2, BINARY)):
        for place, size in enumerate((1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 23, 1 << 24), 1):
            message = repeated(pattern, size // SCALE)
            yield Case(f"9.{section}.{place}", masked(opcode, message), ((opcode, message),))
        message = repeated(pattern, (1 << 20) // SCALE)
        for place, chop in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            sends = masked(opcode, message)
            yield Case(f"9.{section + 4}.{place}", sends, ((opcode, message),), chop=chop)
    for section, opcode, fill in ((3, 1, b"*"), (4, 2, b"\xfe")):
        message = fill * ((1 << 22) // SCALE)
        for place in range(1, 10):
            sends = pieces(opcode, message, 64 * 4 ** (place - 1))
            yield Case(f"9.{section}.{place}", sends, ((opcode, message),))
    for section, opcode, fill in ((7, 1, b"*"), (8, 2, b"\xfe")):
        for place, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            many = 1000 // SCALE
            frames, echo = masked(opcode, fill * size) * many, (opcode, fill * size)
            yield Case(f"9.{section}.{place}", frames, (echo,) * many)
    message = b"*" * 65536
    yield Case("10.1.1", pieces(1, message, 1300), ((1, message),))


CASES: Final = [
    *lengths(),
    *pings(),
    *reserved(),
    *fragments(),
    *characters(),
    *closes(),
    *long_messages(),
]

SIZES: Final = [
    *((size, 0) for size in (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)),
    *((size, 256) for size in (8192, 16384, 32768, 65536, 131072)),
    *((131072, piece) for piece in (1024, 4096, 32768)),
]
"""12.X.1 to 12.X.18 and 13.X.1 to 13.X.18: bytes of a message, and of its pieces if it has any."""
OFFERS: Final = {
    "13.1": "permessage-deflate; client_max_window_bits",
    "13.2": "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    "13.3": "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
    "13.4": "permessage-deflate; server_max_window_bits=15; client_max_window_bits",
    "13.5": "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; "
    "client_max_window_bits",
    "13.6": "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; "
    "client_max_window_bits",
    "13.7": "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, "
    "permessage-deflate; server_no_context_takeover, permessage-deflate",
}
"""What a client offers, by sections of chapter 13; chapter 12 always offers the first."""
