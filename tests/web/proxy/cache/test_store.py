from __future__ import annotations

import pytest

from proto.web.proxy.cache.store import (
    FilesStoreSpec,
    MemcachedStoreSpec,
    MemoryStoreSpec,
    StoreSpec,
    parse_store,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory:64M", MemoryStoreSpec(64 * 1024**2)),
        ("memory:1000000", MemoryStoreSpec(1_000_000)),
        ("memory:64MiB", MemoryStoreSpec(64 * 1024**2)),
        ("memory:1g", MemoryStoreSpec(1024**3)),
        ("files:/var/cache/proto:1G", FilesStoreSpec("/var/cache/proto", 1024**3)),
        ("files:a:b:512K", FilesStoreSpec("a:b", 512 * 1024)),
        ("memcached:127.0.0.1:11211", MemcachedStoreSpec("127.0.0.1", 11211)),
        ("memcached:cache.local:1", MemcachedStoreSpec("cache.local", 1)),
        ("memcached:[::1]:11211", MemcachedStoreSpec("::1", 11211)),
    ],
)
def test_a_store_is_named(text: str, expected: StoreSpec) -> None:
    assert parse_store(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "none of memory"),
        ("redis:a:1", "none of memory"),
        ("memory", "no size"),
        ("memory:", "no size"),
        ("memory:64X", "no size"),
        ("memory:-1", "no size"),
        ("memory:1.5G", "no size"),
        ("memory:1K", "too little"),
        ("files:/a", "a folder and a size"),
        ("files::1G", "a folder and a size"),
        ("files:/a:big", "no size"),
        ("memcached:a", "a host and a port"),
        ("memcached::11211", "a host and a port"),
        ("memcached:a:0", "a host and a port"),
        ("memcached:a:65536", "a host and a port"),
        ("memcached:a:x", "a host and a port"),
        ("memcached:::1:11211", "brackets"),
    ],
)
def test_what_names_no_store_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_store(text)
