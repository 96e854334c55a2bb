r"""A record of the log -> the text that is shown of it.  Plain values.

Bytes that are no UTF-8 are shown as `\xff`; a very long record is shown in part, and it is told how
much is left out.
"""

from __future__ import annotations

from typing import Any


def shown(record: bytes, most: int) -> dict[str, Any]:
    """The record without LF as an object for JSON; `most` is in bytes, at least one.

    Only a record that is longer has `left_out`, in bytes.
    """
    if len(record) <= most:
        return {"text": record.decode("utf-8", "backslashreplace")}
    cut = most
    # Not within a character, which has at most four bytes.
    while cut > max(1, most - 4) and record[cut] & 0xC0 == 0x80:
        cut -= 1
    text = record[:cut].decode("utf-8", "backslashreplace")
    return {"text": text, "left_out": len(record) - cut}
