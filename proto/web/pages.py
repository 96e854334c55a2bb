"""The pages this server writes itself: how they look, and what an error looks like.  No twisted.

Nothing in them comes from elsewhere: the style sheet is inside the page, and the policy sent along
names it by its hash, so that not even an escaping mistake could make a browser run anything.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import msgspec
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from proto.web.accept import best
from proto.web.response import HTML, TEXT, HTTPError, Response, phrase_of

PROBLEM: Final = "application/problem+json"  # RFC 9457

# Sent with every answer unless a resource sets the field itself.
SECURITY_HEADERS: Final = (
    ("Content-Security-Policy", "frame-ancestors 'self'"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
)

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 100%/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.25rem 0.5rem; border-bottom: 1px solid #8886; }
td:first-child { overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 0.5rem; border: 1px solid #8886; }
@media (max-width: 40rem) { .wide { display: none; } }
"""

_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
GENERATED_PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)

_FRAME: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
BODY</main>
</body>
</html>
"""

_environment = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.globals["style"] = Markup(_STYLE)


def page_template(body: str) -> Template:
    """A template with this body inside the common frame; it wants a `title` besides its own."""
    return _environment.from_string(_FRAME.replace("BODY", body))


_ERROR: Final = page_template(
    """{% if detail %}
<p>{{ detail }}</p>
{% endif %}
{% if incident %}
<p>Please quote <code>{{ incident }}</code> when you report this.</p>
{% endif %}
{% if traceback %}
<pre>{{ traceback }}</pre>
{% endif %}
"""
)


def error_page(error: HTTPError, accept: str, incident: str = "", traceback: str = "") -> Response:
    """The page of an error as HTML, as problem+json or as text, whichever `accept` likes most.

    `incident` is what the error is called in the log; `traceback` is only for those who asked.
    """
    title = f"{error.status} {phrase_of(error.status)}"
    form = best(accept, ("text/html", "application/json", PROBLEM, "text/plain"))
    match form:
        case "text/html":
            kind = HTML
            text = _ERROR.render(
                title=title, detail=error.detail, incident=incident, traceback=traceback
            )
            body = text.encode("utf-8", "replace")
        case "text/plain":
            kind = TEXT
            lines = (title, error.detail, incident and f"Reference: {incident}", traceback)
            body = "".join(f"{line}\n" for line in lines if line).encode("utf-8", "replace")
        case _:
            kind = PROBLEM
            body = _problem(error, incident, traceback)
    headers = [
        ("Vary", "Accept"),
        ("Content-Security-Policy", GENERATED_PAGE_POLICY),
        *error.headers,
    ]
    return Response(error.status, body, kind, headers)


def _problem(error: HTTPError, incident: str, traceback: str) -> bytes:
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": phrase_of(error.status),
        "status": error.status,
        "detail": error.detail,
        "incident": incident,
        "traceback": traceback,
    }
    return msgspec.json.encode({name: value for name, value in problem.items() if value})
