"""Answers in a store, and their variants: what answers this request, if anything.

Knows how answers vary, and nothing of freshness.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from proto.web.proxy.cache.entry import Entry, Variants
from proto.web.proxy.cache.keys import MOST_NAMES, variant_key, vary_names
from proto.web.proxy.cache.store import Store
from proto.web.proxy.messages import Fields

IsWorth = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """What a store has for a request."""

    entry: Entry | None
    variants: Variants | None
    place: bytes
    """The key under which the entry is, or would be."""


class Shelf:
    """The answers in a store.

    Where they vary, the record of the target only says by what, and each variant has a key of its
    own, which only that record tells: without it, all variants are forgotten.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, key: bytes, fields: Fields) -> Found:
        """What there is for a request with these fields."""
        record = await self._store.get(key)
        if not isinstance(record, Variants):
            return Found(record, None, key)
        place = variant_key(key, record, fields)
        variant = await self._store.get(place)
        return Found(variant if isinstance(variant, Entry) else None, record, place)

    async def keep(self, key: bytes, fields: Fields, entry: Entry, is_worth: IsWorth) -> bool:
        """Keep the answer to a request with these fields, as long as it is worth it.

        Whether it is kept.
        """
        names = vary_names(entry.fields) or ()
        known = await self._store.get(key)
        variants = _variants(names, known if isinstance(known, Variants) else None)
        if not is_worth():
            return False
        if variants is None:
            return await self._store.put(key, entry)
        if variants is not known and not await self._store.put(key, variants):
            return False
        if not is_worth():
            return False
        return await self._store.put(variant_key(key, variants, fields), entry)

    async def drop(self, key: bytes) -> None:
        """Forget it, and all its variants."""
        await self._store.remove(key)


def _variants(names: tuple[bytes, ...], known: Variants | None) -> Variants | None:
    """By what the answers vary, now that one of them varies by these names.

    By all names together: a variant that answers too few requests is merely asked for again.
    """
    all_names = {*names, *(known.names if known is not None else ())}
    if len(all_names) > MOST_NAMES:
        all_names = set(names)
    if not all_names:
        return None
    listed = tuple(sorted(all_names))
    if known is not None and known.names == listed:
        return known
    return Variants(listed, os.urandom(8))
