"""Any sequence of requests, beside a plain reading of the rules that shares no code with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.proxy.messages import Ask, Reply
from tests.web.proxy.cache.origin import LOST, Street, answer, ask

TARGETS: Final = ["/a", "/b"]
LANGUAGES: Final = ["", "de", "en"]
CONTROLS: Final = [
    "max-age=10", "max-age=0", "s-maxage=10", "no-cache, max-age=10", "no-store", "private",
    "max-age=10, must-revalidate", "max-age=10, stale-while-revalidate=5",
    "max-age=10, stale-if-error=20", "public", "",
]  # fmt: skip
PUBLIC: Final = ["public", "s-maxage", "must-revalidate"]
WANTS: Final = ["", "no-cache", "no-store", "max-age=3", "min-fresh=8", "max-stale=4",
                "only-if-cached"]  # fmt: skip


@dataclass
class Page:
    """What the origin has at a target."""

    version: int = 0
    control: str = "max-age=10"
    varies: bool = False
    has_etag: bool = True


@dataclass
class Said:
    """An answer of the origin: what it said, when, and to whom; later, when it was confirmed."""

    target: str
    language: str
    control: str
    varies: bool
    at: float
    authorized: bool
    is_whole: bool
    confirmed: list[tuple[float, str]] = field(default_factory=list)
    """What it said when it was asked whether it holds, and a cache may remember."""
    held_at: float = -1
    outdated: bool = False


class World:
    """A cache before an origin that changes, and what may be said of each answer."""

    def __init__(self) -> None:
        self.street = Street(patience=1.0)
        self.street.answering = self.origin
        self.pages = {target: Page() for target in TARGETS}
        self.said: dict[bytes, Said] = {}
        self.is_down = False
        self.breaks_off = False

    @property
    def now(self) -> float:
        return self.street.clock.seconds()

    def body(self, target: str, language: str) -> bytes:
        page = self.pages[target]
        return f"{target} {page.version} {language if page.varies else ''}".encode()

    def origin(self, asked: Ask) -> Reply:
        if self.is_down:
            return answer(status=503, body=b"down")
        names = {name.lower(): value for name, value in asked.fields}
        target, language = asked.target.decode(), names.get(b"accept-language", b"").decode()
        if asked.method == b"PUT":
            self.pages[target].version += 1
            return answer(status=204, body=b"")
        page, body = self.pages[target], self.body(target, language)
        etag = f'"{page.version}-{language if page.varies else ""}"'
        fields = [f"Cache-Control: {page.control}", f"X-At: {self.now}"]
        fields += ["Vary: Accept-Language"] * page.varies + [f"ETag: {etag}"] * page.has_etag
        if page.has_etag and names.get(b"if-none-match", b"").decode() == etag:
            said = self.said[body]
            said.held_at = self.now
            public = any(word in page.control for word in PUBLIC)
            private = b"authorization" in names and not public
            if not private and names.get(b"cache-control") != b"no-store":
                said.confirmed.append((self.now, page.control))
            return answer(*fields, status=304, body=b"")
        unique = body + f" {self.now} {len(self.street.asked)}".encode()
        breaks, self.breaks_off = self.breaks_off, False
        self.said[unique] = Said(target, language, page.control, page.varies, self.now,
                                 b"authorization" in names, not breaks)  # fmt: skip
        self.alias(unique, body)
        return answer(*fields, body=[unique[:4], LOST] if breaks else [unique[:4], unique[4:]])

    def alias(self, unique: bytes, body: bytes) -> None:
        """A 304 is about the last answer with this content."""
        self.said[body] = self.said[unique]


def allows(said: Said, want: str, authorized: bool, now: float, is_down: bool) -> bool:
    """A plain reading: may this answer, once told by the origin, be given out of a store?"""
    moments = [(said.at, said.control), *said.confirmed]
    at, control = moments[-1]
    if "no-store" in control or "private" in control or not said.is_whole:
        return False
    if said.authorized and not any(word in control for word in PUBLIC):
        return False
    age = now - at
    lifetime = 10 if "age=10" in control else 0
    if want == "no-cache" or "no-cache" in control:
        return False
    if want == "max-age=3" and age > 3 and not is_down:  # it is a wish (section 5.2.1)
        return False
    if want == "min-fresh=8" and lifetime - age < 8 and not is_down:
        return False
    if age < lifetime:
        return True
    if "must-revalidate" in control or "s-maxage" in control:
        return False
    stale = age - lifetime
    return (
        (want == "max-stale=4" and stale <= 4)
        or ("stale-while-revalidate" in control and stale < 5)
        or (is_down and "stale-if-error" in control and stale < 20)
    )


REQUESTS: Final = st.tuples(
    st.just("get"), st.sampled_from(TARGETS), st.sampled_from(LANGUAGES), st.sampled_from(WANTS),
    st.booleans(),
)  # fmt: skip
STEPS: Final = st.lists(
    st.one_of(
        REQUESTS,
        REQUESTS,
        REQUESTS,
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 9, 30])),
        st.tuples(st.just("put"), st.sampled_from(TARGETS)),
        st.tuples(st.just("edit"), st.sampled_from(TARGETS)),
        st.tuples(st.just("say"), st.sampled_from(TARGETS), st.sampled_from(CONTROLS),
                  st.booleans(), st.booleans()),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("break")),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=150)
@given(STEPS)
def test_nothing_is_given_that_the_rules_forbid(steps: list[tuple[object, ...]]) -> None:
    world = World()
    for step in steps:
        match step:
            case ("wait", int(seconds)):
                world.street.clock.advance(seconds)
            case ("put", str(target)):
                put(world, target)
            case ("edit", str(target)):
                world.pages[target].version += 1
            case ("say", str(target), str(control), bool(varies), bool(has_etag)):
                page = world.pages[target]
                page.control, page.varies, page.has_etag = control, varies, has_etag
            case ("down", bool(is_down)):
                world.is_down = is_down
            case ("break",):
                world.breaks_off = True
            case ("get", str(target), str(language), str(want), bool(authorized)):
                get(world, target, language, want, authorized)


def put(world: World, target: str) -> None:
    if world.street.get(method="PUT", target=target).status == 204:
        for said in world.said.values():
            said.outdated = said.outdated or said.target == target


def get(world: World, target: str, language: str, want: str, authorized: bool) -> None:
    fields = [f"Cache-Control: {want}"] * bool(want)
    fields += [f"Accept-Language: {language}"] * bool(language)
    fields += ["Authorization: x"] * authorized
    asked = len(world.street.asked)
    client = world.street.client(ask(*fields, target=target))
    went = len(world.street.asked) - asked
    if want == "only-if-cached":
        assert went == 0 or client.told.startswith("proto; hit")
    if client.failure is not None or client.status == 503:
        return
    said = world.said[client.body]
    assert said.target == target
    assert said.language == language or not said.varies
    if "fwd-status=304" in client.told:
        assert said.held_at == world.now
        assert went == 1
    elif "hit" in client.told:
        assert not said.outdated
        assert client.value("Age") is not None
        assert allows(said, want, authorized, world.now, world.is_down), (client.told, said)
    else:
        assert went == 1
        assert said.at == world.now
