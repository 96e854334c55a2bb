"""What is in a folder, as a page or as JSON.  Values in, a response out; no file system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from urllib.parse import quote_from_bytes

import msgspec

from proto.web.accept import best
from proto.web.files import Entry
from proto.web.pages import GENERATED_PAGE_POLICY, page_template
from proto.web.response import HTML, JSON, Response

# A folder may have millions of names; so many are sorted and shown within some 60 ms.
MAX_ENTRIES: Final = 5_000

_KEYS: Final[dict[str, Callable[[Entry], object]]] = {
    "name": lambda entry: (entry.name.lower(), entry.name),
    "size": lambda entry: (entry.size, entry.name),
    "date": lambda entry: (entry.modified, entry.name),
}

_PAGE: Final = page_template(
    """<table>
<thead><tr>
{% for column in columns %}
<th scope="col"{% if column.css %} class="{{ column.css }}"{% endif %}
{%- if column.sorted %} aria-sort="{{ column.sorted }}"{% endif %}>
<a href="?sort={{ column.link }}">{{ column.title }}</a></th>
{% endfor %}
</tr></thead>
<tbody>
{% if not is_root %}
<tr><td><a href="../">Parent folder</a></td><td></td><td class="wide"></td></tr>
{% endif %}
{% for row in rows %}
<tr><td><a href="{{ row.href }}">{{ row.name }}</a></td>
<td class="number">{{ row.size }}</td><td class="number wide">{{ row.date }}</td></tr>
{% endfor %}
</tbody>
</table>
{% if is_cut %}
<p>There are more than {{ limit }} names here; the rest is not shown.</p>
{% elif not rows %}
<p>This folder is empty.</p>
{% endif %}
{% if takes_files %}
<form method="post" enctype="multipart/form-data">
<h2>Send files</h2>
<p><label>Token <input type="password" name="token" required autocomplete="off"></label></p>
<p><label>Files <input type="file" name="file" multiple required></label></p>
<p><button>Send</button></p>
</form>
{% endif %}
"""
)

_FORM_POLICY: Final = GENERATED_PAGE_POLICY.replace("form-action 'none'", "form-action 'self'")


@dataclass(frozen=True, slots=True)
class _Row:
    href: str
    name: str
    size: str
    date: str


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    link: str
    sorted: str  # the value of aria-sort
    css: str = ""


def listing(
    names: Sequence[bytes],
    entries: Iterable[Entry],
    sort: str = "",
    accept: str = "",
    limit: int = MAX_ENTRIES,
    *,
    takes_files: bool = False,
) -> Response:
    """The folder that `names` lead to.

    `sort` is `name`, `size` or `date`, with a minus for the other way round, and anything else
    means `name`.  Folders come first.  With `takes_files` the page has a form to send some.
    """
    shown = list(islice(entries, limit + 1))
    is_cut = len(shown) > limit
    del shown[limit:]
    key, backwards = _order(sort)
    shown.sort(key=_KEYS[key], reverse=backwards)  # type: ignore[arg-type]
    shown.sort(key=lambda entry: not entry.is_folder)
    path = _text(b"".join(b"/" + name for name in names) + b"/")
    if best(accept, ("text/html", "application/json")) == "text/html":
        kind, body = HTML, _html(path, shown, key, backwards, is_cut, limit, takes_files)
    else:
        kind, body = JSON, _json(path, shown, is_cut)
    headers = [
        ("Vary", "Accept"),
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", _FORM_POLICY if takes_files else GENERATED_PAGE_POLICY),
    ]
    return Response(200, body, kind, headers)


def size_text(size: int) -> str:
    """A size for people: `980 B`, `1.2 MB`."""
    if size < 1000:
        return f"{size} B"
    units = ["PB", "TB", "GB", "MB", "kB"]
    amount = size / 1000
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.1f} {units[-1]}"


def _order(sort: str) -> tuple[str, bool]:
    key = sort.removeprefix("-")
    return (key, sort.startswith("-")) if key in _KEYS else ("name", False)


def _html(
    path: str,
    entries: Sequence[Entry],
    key: str,
    backwards: bool,
    is_cut: bool,
    limit: int,
    takes_files: bool,
) -> bytes:
    def column(name: str, title: str, css: str = "") -> _Column:
        if name != key:
            return _Column(title, name, "", css)
        if backwards:
            return _Column(title, name, "descending", css)
        return _Column(title, f"-{name}", "ascending", css)

    text = _PAGE.render(
        title=f"Files in {path}",
        is_root=path == "/",
        columns=[
            column("name", "Name"),
            column("size", "Size", "number"),
            column("date", "Changed (UTC)", "number wide"),
        ],
        rows=[_row(entry) for entry in entries],
        is_cut=is_cut,
        limit=limit,
        takes_files=takes_files,
    )
    return text.encode("utf-8")


def _row(entry: Entry) -> _Row:
    return _Row(
        _href(entry),
        _text(entry.name) + ("/" if entry.is_folder else ""),
        "" if entry.is_folder else size_text(entry.size),
        _moment(entry.modified, "%Y-%m-%d %H:%M"),
    )


def _json(path: str, entries: Sequence[Entry], is_cut: bool) -> bytes:
    return msgspec.json.encode(
        {
            "path": path,
            "entries": [
                {
                    "name": _text(entry.name),
                    "type": "folder" if entry.is_folder else "file",
                    "size": None if entry.is_folder else entry.size,
                    "modified": _moment(entry.modified, "%Y-%m-%dT%H:%M:%SZ"),
                    "href": _href(entry),
                }
                for entry in entries
            ],
            "truncated": is_cut,
        }
    )


def _href(entry: Entry) -> str:
    # The ./ keeps a name like `javascript:x` from being read as a URL of its own.
    return "./" + quote_from_bytes(entry.name) + ("/" if entry.is_folder else "")


def _moment(timestamp: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(int(timestamp // 1), UTC).strftime(form)
    except (OSError, OverflowError, ValueError):  # a date that no calendar has
        return ""


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
