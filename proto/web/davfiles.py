"""A folder as wsgidav sees it: what is in it, and what may be done with it.

The rules are those of `--path`: what begins with a dot is not there, and neither is what a symlink
reaches outside the folder.  A file that is written is there whole or not at all.  Asks the file
system, in threads that may wait for it; knows no requests.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from wsgidav.dav_error import (  # type: ignore[import-untyped]
    HTTP_CONFLICT,
    HTTP_FORBIDDEN,
    HTTP_INSUFFICIENT_STORAGE,
    HTTP_NOT_FOUND,
    HTTP_REQUEST_ENTITY_TOO_LARGE,
    DAVError,
)
from wsgidav.dav_provider import DAVNonCollection  # type: ignore[import-untyped]
from wsgidav.fs_dav_provider import (  # type: ignore[import-untyped]
    FileResource,
    FilesystemProvider,
    FolderResource,
)
from wsgidav.util import is_child_uri, join_uri  # type: ignore[import-untyped]

TEMPORARY: Final = ".upload-"
NAME_BYTES: Final = 255

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STATUS: Final = {
    errno.ENOSPC: HTTP_INSUFFICIENT_STORAGE,
    errno.EDQUOT: HTTP_INSUFFICIENT_STORAGE,
    errno.EFBIG: HTTP_REQUEST_ENTITY_TOO_LARGE,
    errno.EACCES: HTTP_FORBIDDEN,
    errno.EPERM: HTTP_FORBIDDEN,
    errno.EROFS: HTTP_FORBIDDEN,
    errno.ENOENT: HTTP_CONFLICT,  # somebody else was faster
    errno.ENOTDIR: HTTP_CONFLICT,
    errno.EEXIST: HTTP_CONFLICT,
    errno.ENOTEMPTY: HTTP_CONFLICT,
}

Environ = dict[str, Any]


def is_shown(name: str) -> bool:
    """Whether there can be something of that name; XML has no way to tell of some of them."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:  # it is not UTF-8 on the disk
        return False
    return (
        0 < size <= NAME_BYTES
        and not name.startswith(".")
        and not any(c < " " or c == "\x7f" or c in "\ufffe\uffff" for c in name)
    )


@contextmanager
def _refusals() -> Iterator[None]:
    """What the file system says, as a status; whatever else it says is a failure."""
    try:
        yield
    except OSError as error:
        status = _STATUS.get(error.errno or 0)
        if status is None:
            raise
        raise DAVError(status) from error


class Upload:
    """A file that is written under another name, and gets its own when it is whole."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary = os.path.join(os.path.dirname(path), TEMPORARY + secrets.token_hex(8))
        self._mode: int | None = None
        with _refusals():
            with suppress(FileNotFoundError):
                self._mode = stat.S_IMODE(os.stat(path).st_mode)
            self._fd = os.open(self._temporary, _CREATE, 0o666)
        self._is_open = True

    # wsgidav calls these.
    def write(self, data: bytes) -> None:
        """Add to it.  Raises DAVError."""
        left = memoryview(data)
        with _refusals():
            while left:
                left = left[os.write(self._fd, left) :]

    def close(self) -> None:
        """All of it is here: sync it, and put it where it belongs.  Raises DAVError."""
        with _refusals():
            if self._mode is not None:
                os.fchmod(self._fd, self._mode)
            os.fsync(self._fd)
            os.rename(self._temporary, self._path)
            self._close()
            _sync_folder(os.path.dirname(self._path))

    def discard(self) -> None:
        """The rest of it will not come; what was there before is still there."""
        if self._is_open:
            os.unlink(self._temporary)
            self._close()

    def _close(self) -> None:
        self._is_open = False
        os.close(self._fd)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_destination(source: str, destination: str) -> None:
    """Raises DAVError, 409, where a source is in its destination, which would be emptied first."""
    if is_child_uri(destination, source):
        raise DAVError(HTTP_CONFLICT)


class DavFile(FileResource):  # type: ignore[misc]
    """A file, or the place for one that is being put there."""

    def __init__(self, path: str, environ: Environ, file_path: str, *, is_new: bool = False):
        if is_new:
            # Nothing asks how large it is before it is there.
            DAVNonCollection.__init__(self, path, environ)
            self._file_path = file_path
            self.file_stat = os.stat(os.path.dirname(file_path))
            self.name = os.path.basename(file_path)
        else:
            super().__init__(path, environ, file_path)
        self._upload: Upload | None = None

    # wsgidav calls these.
    def get_etag(self) -> str:
        status = os.stat(self._file_path)
        return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"

    def begin_write(self, *, content_type: str | None = None) -> Upload:
        self.provider.check_writable()
        self._upload = Upload(self._file_path)
        return self._upload

    def end_write(self, *, with_errors: bool) -> None:
        if with_errors and self._upload is not None:
            self._upload.discard()
        self._upload = None

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        return self._replace(dest_path, is_move=False)

    def handle_move(self, dest_path: str) -> bool:
        return self._replace(dest_path, is_move=True)

    def delete(self) -> None:
        with _refusals():
            super().delete()

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        self.provider.check_writable()
        upload = Upload(self.provider._loc_to_file_path(dest_path, self.environ))
        try:
            with _refusals(), open(self._file_path, "rb") as source:
                shutil.copyfileobj(source, upload)
                upload.close()
        finally:
            upload.discard()
        self._take_properties(dest_path, is_move=is_move)

    def move_recursive(self, dest_path: str) -> None:
        with _refusals():
            super().move_recursive(dest_path)

    def _replace(self, dest_path: str, *, is_move: bool) -> bool:
        """Take the place of another file, which is there until then; False if there is none.

        wsgidav itself deletes it first.
        """
        _check_destination(self.path, dest_path)
        other = self.provider.get_resource_inst(dest_path, self.environ)
        if not isinstance(other, DavFile):
            return False
        if not is_move:
            self.copy_move_single(dest_path, is_move=False)
            return True
        self.provider.check_writable()
        with _refusals():
            os.rename(self._file_path, other._file_path)
        self._take_properties(dest_path, is_move=True)
        self.remove_all_locks(recursive=True)
        return True

    def _take_properties(self, dest_path: str, *, is_move: bool) -> None:
        properties = self.provider.prop_manager
        if properties is None:
            return
        copy = self.provider.get_resource_inst(dest_path, self.environ)
        copy.remove_all_properties(recursive=True)
        here, there = self.get_ref_url(), copy.get_ref_url()
        if is_move:
            properties.move_properties(here, there, with_children=False, environ=self.environ)
        else:
            properties.copy_properties(here, there, self.environ)


class DavFolder(FolderResource):  # type: ignore[misc]
    """A folder."""

    # wsgidav calls these.
    def handle_delete(self) -> bool:
        return self._is_not_all()

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        _check_destination(self.path, dest_path)
        return False

    def handle_move(self, dest_path: str) -> bool:
        _check_destination(self.path, dest_path)
        return self._is_not_all()

    def get_member_names(self) -> list[str]:
        with _refusals():
            names = sorted(os.listdir(self._file_path))
        return [name for name in names if self.provider.has(join_uri(self.path, name))]

    def create_empty_resource(self, name: str) -> DavFile:
        self.provider.check_writable()
        path = join_uri(self.path, name)
        where = self.provider._loc_to_file_path(path, self.environ)
        if self.environ["REQUEST_METHOD"] == "PUT":
            return DavFile(path, self.environ, where, is_new=True)
        with _refusals():
            os.close(os.open(where, _CREATE, 0o666))
        return DavFile(path, self.environ, where)

    def create_collection(self, name: str) -> None:
        with _refusals():
            super().create_collection(name)

    def delete(self) -> None:
        with _refusals():
            super().delete()

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        with _refusals():
            super().copy_move_single(dest_path, is_move=is_move)

    def move_recursive(self, dest_path: str) -> None:
        with _refusals():
            super().move_recursive(dest_path)

    def _is_not_all(self) -> bool:
        """False, which lets wsgidav go on.  Raises DAVError, 403, for the shared folder itself."""
        if self.path == "/":
            raise DAVError(HTTP_FORBIDDEN)
        return False


class Folder(FilesystemProvider):  # type: ignore[misc]
    """All that is below a folder."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        super().__init__(str(root), readonly=read_only, fs_opts={"follow_symlinks": True})
        self._root = os.path.realpath(root)

    # Its resources call these.
    def check_writable(self) -> None:
        """Raises DAVError, 403, if nothing may change."""
        if self.readonly:
            raise DAVError(HTTP_FORBIDDEN)

    def has(self, path: str) -> bool:
        """Whether there is something that may be shown."""
        try:
            return self._kind(self._loc_to_file_path(path)) is not None
        except DAVError:
            return False

    # wsgidav calls these.
    def is_readonly(self) -> bool:
        return bool(self.readonly)

    def get_resource_inst(self, path: str | None, environ: Environ) -> DavFile | DavFolder | None:
        if path is None:  # what the shared folder is in
            return None
        where = self._loc_to_file_path(path, environ)
        kind = self._kind(where)
        return None if kind is None else kind(path, environ, where)

    def _loc_to_file_path(self, path: str, environ: Environ | None = None) -> str:
        """Where a path is on the disk.

        Raises:
            DAVError: 404, nothing is there or may be put there.
        """
        names = [name for name in path.split("/") if name]
        where = os.path.join(self._root, *names)
        if not all(map(is_shown, names)):
            raise DAVError(HTTP_NOT_FOUND)
        # Of a folder that is a symlink a walk would never find the end.
        if names and os.path.realpath(os.path.dirname(where)) != os.path.dirname(where):
            raise DAVError(HTTP_NOT_FOUND)
        if names and os.path.islink(where) and not self._is_within(os.path.realpath(where)):
            raise DAVError(HTTP_NOT_FOUND)
        return where

    def _is_within(self, target: str) -> bool:
        """Whether a symlink may lead there: to a file of this folder that is shown itself."""
        below = os.path.relpath(target, self._root).split(os.sep)
        return all(map(is_shown, below)) and os.path.isfile(target)

    def _kind(self, where: str) -> type[DavFile] | type[DavFolder] | None:
        try:
            mode = os.stat(where).st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISDIR(mode):
            return DavFolder
        return DavFile if stat.S_ISREG(mode) else None
