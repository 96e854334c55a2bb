"""Chapter 6 of the Autobahn test suite: what is UTF-8 and what is not.

From 6.5 on these are Markus Kuhn's sequences for decoders, in hexadecimal, with its numbers.
https://github.com/crossbario/autobahn-testsuite, https://www.cl.cam.ac.uk/~mgk25/ucs/examples/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

GREEK: Final = bytes.fromhex("cebae1bdb9cf83cebcceb5")
_WHOLE_PREFIXES: Final = (2, 5, 7, 9, 11)
"""Lengths at which no character of GREEK is cut."""
_TAILS: Final = ["c0", "e080", "f08080", "f8808080", "fc80808080"]
_CUT: Final = [*_TAILS, "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"]
_PLANES: Final = [
    "efbf", *(f"f{plane // 4:x}{0x8F + plane % 4 * 16:x}bf" for plane in range(1, 17))
]  # fmt: skip

GOOD: Final[dict[int, list[str]]] = {
    5: [
        "68656c6c6f24776f726c64",
        "68656c6c6fc2a2776f726c64",
        "68656c6c6fe282ac776f726c64",
        "68656c6c6ff0a4ada2776f726c64",
        GREEK.hex(),
    ],
    6: [GREEK[:size].hex() if size in _WHOLE_PREFIXES else "" for size in range(1, 12)],
    7: ["00", "c280", "e0a080", "f0908080"],
    9: ["7f", "dfbf", "efbfbf", "f48fbfbf"],
    11: ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf"],
    22: [start + last for start in _PLANES for last in ("be", "bf")],
    23: [f"efbf{last:x}" for last in range(0xB9, 0xC0)],
}
"""Of each section; an empty text is a number that belongs to a bad one."""
BAD: Final[dict[int, list[str]]] = {
    6: ["" if size in _WHOLE_PREFIXES else GREEK[:size].hex() for size in range(1, 12)],
    8: ["f888808080", "fc8480808080"],
    10: ["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"],
    11: ["", "", "", "", "f4908080"],
    12: [
        *("80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"),
        bytes(range(0x80, 0xBF)).hex(),
    ],
    13: [
        "".join(f"{each:x}20" for each in range(first, end))
        for first, end in [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)]
    ],
    14: _CUT,
    15: ["".join(_CUT)],
    16: ["fe", "ff", "fefeffff"],
    17: ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
    18: ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
    19: ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
    20: ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
    21: [
        high + low
        for high in ("eda080", "edadbf", "edae80", "edafbf")
        for low in ("edb080", "edbfbf")
    ],
}


def texts() -> Iterator[tuple[str, bytes, bool]]:
    """The number, what is sent as one text, and whether that is UTF-8."""
    for table, is_good in ((GOOD, True), (BAD, False)):
        for section, sequences in table.items():
            for place, sequence in enumerate(sequences, 1):
                if sequence:
                    yield f"6.{section}.{place}", bytes.fromhex(sequence), is_good
