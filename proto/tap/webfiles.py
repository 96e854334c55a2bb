"""The settings of `twistd -n web` that are about files, and the resources that are made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proto.config import PATH, flag, parsed, setting, size, whole
from proto.errors import StartError
from proto.tap.process import Process
from proto.web.aliases import Aliases, Prefixes
from proto.web.aside import DiskThreads
from proto.web.encodings import find_makers
from proto.web.errorpages import ErrorPages
from proto.web.expires import Expires, Rule, parse_rule
from proto.web.files import Root
from proto.web.made import MadeBodies
from proto.web.mime import MediaTypes
from proto.web.static import Files
from proto.web.tryfiles import Names, TryFiles, parse_try_files
from proto.web.upload import Uploads, read_token
from proto.web.visits import Visits

HSTS_SECONDS: Final = 31_536_000  # a year, as hstspreload.org asks for
MAX_UPLOAD: Final = 100 * 1024 * 1024
# Making a coding keeps a processor busy, and each that waits has up to 1 MiB in memory.
_MAKERS: Final = 2
_MADE_LATER: Final = 32
# So does listing a folder of many names.
_LISTERS: Final = 4
_LISTED_LATER: Final = 200

Alias = tuple[Names, Path]
Page = tuple[tuple[int, ...], str]


def _names(address: str) -> Names:
    names = tuple(address.encode("utf-8", "surrogateescape").strip(b"/").split(b"/"))
    if not address.startswith("/") or any(name in (b"", b".", b"..") for name in names):
        raise ValueError(f"{address!r} is no path below /")
    return names


def _alias(text: str) -> Alias:
    address, equals, folder = text.partition("=")
    if not equals or not folder or "\0" in text:
        raise ValueError(f"{text!r} names no folder")
    return _names(address), Path(folder)


def _error_page(text: str) -> Page:
    found = re.fullmatch(r"([45]\d\d(?:,[45]\d\d)*)=(/.*)", text)
    if found is None:
        raise ValueError(f"{text!r} names no error and page")
    _names(found[2])
    return tuple(map(int, found[1].split(","))), found[2]


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """What is served below --path and --alias, and how."""

    alias: tuple[Alias, ...] = setting(
        parsed('an address and a folder, such as "/media=/srv/media"', _alias),
        [],
        "serve another folder at this address; may be given more than once",
        many=True,
    )
    try_files: TryFiles | None = setting(
        parsed('paths such as "$uri $uri/ /index.html"', parse_try_files),
        None,
        "the files to look for below --path, in this order",
    )
    expires: tuple[Rule, ...] = setting(
        parsed('a type and a time such as "image/*=30d", or "text/html=no-cache"', parse_rule),
        [],
        "how long browsers may keep files of a type; may be given more than once",
        many=True,
    )
    error_page: tuple[Page, ...] = setting(
        parsed('errors and a page, such as "404=/404.html"', _error_page),
        [],
        "the page for an error; may be given more than once",
        many=True,
    )
    hsts: int = setting(
        whole(), HSTS_SECONDS, "seconds that browsers come by TLS only, told over TLS; 0: not told"
    )
    upload: bool = flag("take files, by PUT and from listings, from who has the token")
    upload_token_file: Path | None = setting(
        PATH, None, "the file with the token that --upload asks for"
    )
    max_upload: int = setting(size(1), MAX_UPLOAD, "bytes of the largest file that --upload takes")


def check_folders(settings: FileSettings) -> None:
    """Raises StartError for folders that cannot be served, and for options that lack others."""
    if settings.upload and settings.upload_token_file is None:
        raise StartError("--upload needs --upload-token-file FILE: openssl rand -hex 16 >FILE")
    if settings.upload_token_file is not None and not settings.upload:
        raise StartError("--upload-token-file is for --upload: give both, or neither")
    seen: set[Names] = set()
    for names, path in settings.alias:
        address = "/" + b"/".join(names).decode("utf-8", "replace")
        check_folder(f"--alias {address}=", path)
        if names in seen:
            raise StartError(f"--alias {address} is given twice; leave out one")
        seen.add(names)


def check_folder(option: str, path: Path) -> None:
    """Raises StartError if `path` is no folder; `option` says who named it."""
    try:
        is_there, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        raise StartError(f"{option}{path}: {error.strerror}; name a folder") from error
    if not is_folder:
        remedy = "name a folder" if is_there else f"create it: mkdir -p {path.absolute()}"
        raise StartError(f"{option}{path}: no such folder; {remedy}")


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """The settings of `WebSettings` that say how folders are served."""

    path: Path | None
    index: Sequence[str]
    ignore_ext: Sequence[str]
    types: MediaTypes
    dotfiles: bool
    follow_symlinks: bool
    list_folders: bool


class Folders:
    """The folders of one web service."""

    def __init__(
        self,
        settings: FileSettings,
        options: FolderOptions,
        process: Process,
        visits: Visits | None,
    ) -> None:
        reactor = process.reactor
        self._reactor = reactor
        self._settings = settings
        self._options = options
        self._making = DiskThreads(
            reactor.callFromThread,
            name="encode",
            size=_MAKERS,
            share=_MAKERS,
            waiting=_MADE_LATER,
        )
        self._made = MadeBodies(self._making)
        self._listers = DiskThreads(
            reactor.callFromThread, name="list", size=_LISTERS, share=1, waiting=_LISTED_LATER
        )
        self._visits = visits
        token = settings.upload_token_file if settings.upload else None
        self._uploads = Uploads(read_token(token), settings.max_upload) if token else None
        self._roots: list[tuple[Names, Root]] = []
        lacking = {"br", "zstd"} - set(find_makers())
        if lacking:
            process.log.info(
                "no {codings} is made of files, only what lies beside them is sent: "
                "pip install 'proto[compress]'",
                codings=" and no ".join(sorted(lacking)),
            )

    def resource(self) -> Files | Aliases | None:
        """What serves all of them; None when there is no folder."""
        given = [((), self._options.path)] if self._options.path else []
        folders = [self._files(names, path) for names, path in (*given, *self._settings.alias)]
        if self._settings.alias:
            return Aliases(folders)
        return folders[0] if folders else None

    def error_pages(self) -> ErrorPages:
        """The pages for errors.  Raises StartError; the resource was asked for before."""
        aside = DiskThreads(self._reactor.callFromThread, name="error pages", size=1)
        pages = ErrorPages(self._reactor, aside, self._options.types)
        roots = Prefixes(self._roots)
        for statuses, address in self._settings.error_page:
            names = _names(address)
            found = roots.find(names)
            if found is None or found[0] == names:
                raise StartError(
                    f"--error-page {address} is in no folder that is served: add --path"
                )
            pages.show(statuses, address, found[1], names[len(found[0]) :])
        return pages

    def _files(self, base: Names, path: Path) -> Files:
        options = self._options
        root = Root(
            path.absolute(), dotfiles=options.dotfiles, follow_symlinks=options.follow_symlinks
        )
        self._roots.append((base, root))
        return Files(
            root,
            self._reactor,
            base=base,
            index=options.index,
            types=options.types,
            ignore_ext=options.ignore_ext,
            try_files=None if base else self._settings.try_files,
            list_folders=options.list_folders,
            expires=Expires(self._settings.expires),
            visits=self._visits,
            aside=DiskThreads(self._reactor.callFromThread),
            listers=self._listers,
            made=self._made,
            uploads=self._uploads,
        )
