"""How the servers of all groups stand, as JSON and as a page.  Values in, bytes out; no request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from markupsafe import Markup

from proto.web.pages import GENERATED_PAGE_POLICY, page_template
from proto.web.proxy.servers import Event, Group, Member

# The page is fetched again as it is, so what it shows is written in one place only.
_SCRIPT: Final = """
"use strict";
const parser = new DOMParser();
async function show() {
  if (!document.hidden) {
    try {
      const answer = await fetch("", { cache: "no-store", headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const fresh = parser.parseFromString(await answer.text(), "text/html");
      document.getElementById("groups").replaceWith(fresh.getElementById("groups"));
      say("");
    } catch (problem) {
      say(`This is old: ${problem.message}.`);
    }
  }
  setTimeout(show, 1000);
}
function say(words) {
  const line = document.getElementById("problem");
  if (line.textContent !== words) line.textContent = words; // a screen reader hears only changes
}
setTimeout(show, 1000);
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
POLICY: Final = f"{GENERATED_PAGE_POLICY}; script-src 'sha256-{_DIGEST}'; connect-src 'self'"

_PAGE: Final = page_template(
    """<p id="problem" role="status"></p>
<noscript><p>Load this page again to see how it is now.</p></noscript>
<div id="groups">
{% for group in groups %}
<section>
<h2>{{ group.group }}</h2>
<p>{{ group.method }}</p>
<table>
<thead><tr><th scope="col">Server</th><th scope="col">State</th>
<th scope="col" class="number">Weight</th><th scope="col" class="number">Active</th>
<th scope="col" class="number">Requests</th><th scope="col" class="number">Failures</th>
<th scope="col" class="wide">Last check</th><th scope="col" class="wide">Last error</th>
</tr></thead>
<tbody>
{% for one in group.servers %}
<tr><td>{{ one.server }}{% if one.backup %} (backup){% endif %}</td>
<td>{{ one.state }}</td>
<td class="number">{% if one.weight_now != one.weight %}{{ one.weight_now }} of {% endif %}
{{ one.weight }}</td>
<td class="number">{{ one.active }}</td>
<td class="number">{{ one.requests }}</td>
<td class="number">{{ one.failures }}</td>
{% for last in (one.last_check, one.last_error) %}
<td class="wide">{% if last %}{{ last.detail }}, {{ "%.0f"|format(last.ago) }} s ago{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</section>
{% else %}
<p>There are none.</p>
{% endfor %}
</div>
<script>{{ script }}</script>
"""
)


@dataclass(frozen=True, slots=True)
class Last:
    """The last thing of a kind that happened to a server; `ago` in seconds."""

    passed: bool
    detail: str
    ago: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How one server stands."""

    server: str
    state: str
    backup: bool
    weight: int
    weight_now: float
    """Less than `weight` while it starts slowly."""
    active: int
    requests: int
    failures: int
    last_check: Last | None
    last_error: Last | None


@dataclass(frozen=True, slots=True)
class Standings:
    """How the servers of one group stand."""

    group: str
    method: str
    servers: tuple[Standing, ...]


def standings(groups: Mapping[str, Group]) -> list[Standings]:
    """How all of them stand now, in their order."""
    return [
        Standings(name, group.method, tuple(_standing(one, group.now()) for one in group.members))
        for name, group in groups.items()
    ]


def as_json(groups: Mapping[str, Group]) -> bytes:
    """For programs: `{"groups": [{"group": ..., "method": ..., "servers": [...]}]}`."""
    return msgspec.json.encode({"groups": standings(groups)})


def as_page(groups: Mapping[str, Group]) -> bytes:
    """For people; it must be sent with POLICY."""
    text = _PAGE.render(title="Upstreams", groups=standings(groups), script=Markup(_SCRIPT))
    return text.encode("utf-8", "replace")


def _standing(member: Member, now: float) -> Standing:
    return Standing(
        server=member.name,
        state=member.state,
        backup=member.server.backup,
        weight=member.server.weight,
        weight_now=round(float(member.weight(now)), 3),
        active=member.active,
        requests=member.requests,
        failures=member.failures,
        last_check=_last(member.last_check, now),
        last_error=_last(member.last_error, now),
    )


def _last(event: Event | None, now: float) -> Last | None:
    if event is None:
        return None
    return Last(event.passed, event.detail, round(max(0.0, now - event.at), 3))
