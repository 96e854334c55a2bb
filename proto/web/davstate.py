"""What WebDAV keeps of files besides the files: locks and properties, in memory and bounded.

Both are gone when the process ends.  Called in threads; knows no requests.
"""

from __future__ import annotations

import time
from typing import Any, Final

from wsgidav.dav_error import (  # type: ignore[import-untyped]
    HTTP_INSUFFICIENT_STORAGE,
    DAVError,
)
from wsgidav.lock_man.lock_manager import normalize_lock_root  # type: ignore[import-untyped]
from wsgidav.lock_man.lock_storage import LockStorageDict  # type: ignore[import-untyped]
from wsgidav.prop_man.property_manager import PropertyManager  # type: ignore[import-untyped]
from wsgidav.util import is_child_uri  # type: ignore[import-untyped]

MOST_LOCKS: Final = 2_000
OWNER_BYTES: Final = 4 * 1024
LOCK_SECONDS: Final = 24 * 60 * 60
"""The longest time for which something is locked unless the lock is refreshed."""
PROPERTY_BYTES: Final = 16 * 1024 * 1024
"""All properties that clients have set, with the paths that have them."""

_URL: Final = "URL2TOKEN:"  # begins the keys of wsgidav that lead from a path to its locks
_OVERHEAD: Final = 200  # bytes, about, of an entry in two dictionaries


class Locks(LockStorageDict):  # type: ignore[misc]
    """So many locks, none of them for ever."""

    def __init__(self, most: int = MOST_LOCKS) -> None:
        super().__init__()
        self._most = most

    # wsgidav calls these.
    def create(self, path: str, lock: dict[str, Any]) -> dict[str, Any]:
        """Raises DAVError, 507, when there are too many."""
        if len(lock["owner"]) > OWNER_BYTES or not self._has_room():
            raise DAVError(HTTP_INSUFFICIENT_STORAGE)
        lock["timeout"] = _at_most(lock["timeout"])
        created: dict[str, Any] = super().create(path, lock)
        return created

    def refresh(self, token: str, *, timeout: float) -> dict[str, Any]:
        refreshed: dict[str, Any] = super().refresh(token, timeout=_at_most(timeout))
        return refreshed

    def get_lock_list(
        self, path: str, *, include_root: bool, include_children: bool, token_only: bool
    ) -> list[Any]:
        """The locks of a path; those that are over go, which wsgidav's own does not survive."""
        root = _URL + normalize_lock_root(path)
        urls = [root] if include_root else []
        if include_children:
            urls += [url for url in list(self._dict) if is_child_uri(root, url)]
        tokens = [token for url in urls for token in list(self._dict.get(url, ()))]
        locks = [lock for lock in map(self.get, tokens) if lock is not None]
        return [lock["token"] for lock in locks] if token_only else locks

    def _has_room(self) -> bool:
        locks = [lock for lock in list(self._dict.values()) if isinstance(lock, dict)]
        if len(locks) < self._most:
            return True
        now = time.time()
        late = [lock["token"] for lock in locks if lock["expire"] < now]
        for token in late:
            self.delete(token)
        return bool(late)


def _at_most(seconds: float) -> float:
    return LOCK_SECONDS if seconds < 0 else min(seconds, LOCK_SECONDS)


class Properties(PropertyManager):  # type: ignore[misc]
    """So many bytes of properties."""

    def __init__(self, most: int = PROPERTY_BYTES) -> None:
        super().__init__()
        self._most = most
        self._used = 0  # at most: what is removed is found out when it seems to be too much

    # wsgidav calls these.
    def write_property(
        self,
        norm_url: str,
        name: str,
        property_value: str,
        dry_run: bool = False,
        environ: Any = None,
    ) -> None:
        """Raises DAVError, 507, when there is no room."""
        self._take(_size_of(norm_url, name, property_value), is_kept=not dry_run)
        super().write_property(norm_url, name, property_value, dry_run, environ)

    def copy_properties(self, src_url: str, dest_url: str, environ: Any = None) -> None:
        """Raises DAVError, 507, when there is no room."""
        copied = dict((self._dict or {}).get(src_url, {}))
        self._take(sum(_size_of(dest_url, *item) for item in copied.items()), is_kept=True)
        super().copy_properties(src_url, dest_url, environ)

    def _take(self, size: int, *, is_kept: bool) -> None:
        if self._used + size > self._most:
            self._used = sum(
                _size_of(url, *item)
                for url, named in list((self._dict or {}).items())
                for item in list(named.items())
            )
        if self._used + size > self._most:
            raise DAVError(HTTP_INSUFFICIENT_STORAGE)
        if is_kept:
            self._used += size


def _size_of(url: str, name: str, value: str | bytes) -> int:
    return len(url) + len(name) + len(value) + _OVERHEAD
