"""A store as it was named on the command line, opened.

Told who connects and which thread is the reactor's; knows neither settings nor a reactor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from proto.errors import StartError
from proto.web.aside import CallInReactor, DiskThreads
from proto.web.proxy.cache.files import FileStore
from proto.web.proxy.cache.folder import Folder
from proto.web.proxy.cache.memcached import MemcachedStore
from proto.web.proxy.cache.memory import MemoryStore
from proto.web.proxy.cache.store import (
    FilesStoreSpec,
    MemcachedStoreSpec,
    MemoryStoreSpec,
    Store,
    StoreSpec,
)

THREADS: Final = 8
"""For the disk; one half may read and one half may write."""

Dial = Callable[[str, int], IStreamClientEndpoint]
"""What connects to a host and port."""


def check_store(spec: StoreSpec) -> None:
    """Raises StartError when a store cannot be opened; leaves nothing behind."""
    if isinstance(spec, FilesStoreSpec):
        folder = Path(spec.folder)
        known = folder if folder.exists() else folder.absolute().parent
        if not known.is_dir() or not os.access(known, os.R_OK | os.W_OK | os.X_OK):
            raise _no_folder(spec, "no folder that can be written")


def open_store(
    spec: StoreSpec, clock: IReactorTime, *, call_in_reactor: CallInReactor, dial: Dial
) -> tuple[Store, Callable[[], Deferred[None]]]:
    """A store, and what closes it.

    `call_in_reactor` is reactor.callFromThread.  A memcached need not be there.

    Raises:
        StartError: the folder cannot be used.
    """
    match spec:
        case MemoryStoreSpec(most):
            memory = MemoryStore(most)
            return memory, lambda: Deferred.fromCoroutine(memory.close())
        case FilesStoreSpec():
            return _open_files(spec, clock, call_in_reactor)
        case MemcachedStoreSpec(host, port):
            endpoint = dial(host, port)
            store = MemcachedStore(
                lambda protocol: connectProtocol(endpoint, protocol),
                clock,
                name=f"the memcached at {host}:{port}",
            )
            store.start()
            return store, lambda: Deferred.fromCoroutine(store.close())


def _open_files(
    spec: FilesStoreSpec, clock: IReactorTime, call_in_reactor: CallInReactor
) -> tuple[Store, Callable[[], Deferred[None]]]:
    check_store(spec)
    try:
        Path(spec.folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _no_folder(spec, error.strerror or "cannot be made") from error
    threads = DiskThreads(call_in_reactor, name="cache", size=THREADS, share=THREADS // 2)
    store = FileStore(Folder(Path(spec.folder).absolute(), spec.most), threads, clock)
    Deferred.fromCoroutine(store.sweep())

    def close() -> Deferred[None]:
        threads.stop()
        return Deferred.fromCoroutine(store.close())

    return store, close


def _no_folder(spec: FilesStoreSpec, why: str) -> StartError:
    return StartError(f"the cache in {spec.folder}: {why}; name a folder that can be written to")
