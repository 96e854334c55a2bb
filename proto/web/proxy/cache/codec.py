"""A record <-> the bytes that stand for it outside of this process.

Bytes that are torn, altered, of another version or another key are no record.  Knows no store.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

import msgspec

from proto.web.proxy.cache.entry import Entry, Record, Variants

VERSION: Final = b"\x01"
"""Of the records' shape: it changes whenever Entry, Terms or Variants do."""
_HEAD: Final = len(VERSION) + 4
_Whole = tuple[bytes, Entry | Variants]

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Whole)


def encode(key: bytes, record: Record) -> bytes:
    """The version, a check sum, and the record with its key as MessagePack."""
    packed = _encoder.encode((key, record))
    return VERSION + crc32(packed).to_bytes(4, "big") + packed


def decode(key: bytes, data: bytes) -> Record | None:
    """The record that was encoded with that key, None when this is none."""
    if data[: len(VERSION)] != VERSION:
        return None
    packed = memoryview(data)[_HEAD:]
    if crc32(packed).to_bytes(4, "big") != data[len(VERSION) : _HEAD]:
        return None
    try:
        found, record = _decoder.decode(packed)
    except msgspec.MsgspecError:
        return None
    return record if found == key else None
