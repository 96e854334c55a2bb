"""Settings: kinds of values, TOML files, and refusals that name the place."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from proto.config import (
    FLAG,
    NETWORK,
    PATH,
    TEXT,
    ConfigError,
    Kind,
    Source,
    differences,
    flag,
    key_of,
    nearest,
    number,
    one_of,
    parsed,
    read_text,
    seconds,
    setting,
    settings_of,
    shown_default,
    size,
    whole,
)
from proto.errors import StartError


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A table of each kind of key."""

    max_guests: int = setting(whole(1, 100), 10, "guests at once", reloads=True)
    rate: float = setting(number(), 1.5, "guests a minute")
    wait: float = setting(seconds(0.5), 2, "seconds to wait", reloads=True)
    room: int = setting(size(16), "2 KiB", "bytes of room")
    colour: str = setting(one_of("red", "green"), "red", "the walls")
    name: str = setting(TEXT, "Joe's", "on the door")
    menu: Path = setting(PATH, None, "the menu", also=("m",))
    friends: tuple[Any, ...] = setting(NETWORK, ["10.0.0.0/8"], "who is let in", many=True)
    class_: str = setting(TEXT, None, "first or second")
    open: bool = flag("whether it is", reloads=True)
    key: int = 5
    seen: list[str] = field(default_factory=list)


def write(folder: Path, text: str) -> Path:
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Shop:
    return Source(write(folder, text)).read("shop", Shop)


def refusal(folder: Path, text: str) -> str:
    """Why that file is refused, without its path in front."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as refused:
        Source(path).read("shop", Shop)
    told = str(refused.value)
    assert told.startswith(str(path))
    assert len(told.splitlines()) == 1
    return told.removeprefix(str(path))


# --- kinds ---------------------------------------------------------------------------------

HUGE = 10**400
NAN, INFINITY = float("nan"), float("inf")

RIGHT: list[tuple[Kind[Any], object, object]] = [
    (whole(1, 9), 1, 1),
    (whole(1, 9), 9, 9),
    (whole(), 0, 0),
    (whole(), HUGE, HUGE),
    (whole(-5), -5, -5),
    (number(), 0, 0.0),
    (number(), 1.5, 1.5),
    (number(-1), -0.5, -0.5),
    (seconds(0.1), 0.1, 0.1),
    (size(), 0, 0),
    (size(), 65536, 65536),
    (size(), "65536", 65536),
    (size(), "64 KiB", 65536),
    (size(), "64KiB", 65536),
    (size(), "1 MiB", 2**20),
    (size(), "3 GiB", 3 * 2**30),
    (one_of("a", "b"), "b", "b"),
    (TEXT, "", ""),
    (TEXT, "x\ny", "x\ny"),
    (PATH, "/a b", Path("/a b")),
    (NETWORK, "192.0.2.1", ipaddress.ip_network("192.0.2.1/32")),
    (NETWORK, "10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")),
    (NETWORK, "2001:db8::/32", ipaddress.ip_network("2001:db8::/32")),
    (FLAG, True, True),
    (FLAG, False, False),
    (parsed("a pair", lambda text: tuple(text.split("=", 1))), "a=b", ("a", "b")),
]

NOT_TEXT: list[object] = [1, 1.5, True, None, [], {}, datetime.date(2020, 1, 1)]
WRONG: list[tuple[Kind[Any], list[object]]] = [
    (whole(1, 9), [0, 10, -1, HUGE, True, False, 1.0, "1", None, [], [1], {}]),
    (
        number(),
        [-0.1, -1, HUGE, -HUGE, 1e9, NAN, INFINITY, -INFINITY, True, "1", None, [], [1.0]],
    ),
    (size(10), [9, -1, True, 10.0, "9", "-1", "1 KB", "1  KiB", "KiB", "1.5 KiB", "", " 10"]),
    (size(10), ["1 kib", "0x10", "\u0661\u0661", "1" * 16, "1 KiB\n", None, [], {}]),
    (one_of("a", "b"), ["", "c", "A", "ab", 1, None, True, ["a"], {"a": 1}]),
    (TEXT, NOT_TEXT),
    (PATH, ["", "a\0b", *NOT_TEXT]),
    (NETWORK, ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "1.2.3", *NOT_TEXT]),
    (FLAG, [1, 0, "true", "", None, [], 1.0]),
]


@pytest.mark.parametrize(("kind", "value", "meant"), RIGHT)
def test_a_kind_reads_its_values(kind: Kind[Any], value: object, meant: object) -> None:
    found = kind.read(value)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in WRONG for value in values]
)
def test_a_kind_refuses_everything_else(kind: Kind[Any], value: object) -> None:
    with pytest.raises(ValueError):
        kind.read(value)


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        (whole(), "12", 12),
        (whole(), "+12", 12),
        (whole(-9), "-9", -9),
        (number(), "1e3", 1000.0),
        (number(), ".5", 0.5),
        (size(), "64 KiB", 65536),
        (one_of("a"), "a", "a"),
        (PATH, "x", Path("x")),
    ],
)
def test_the_command_line_gives_text_for_the_same_kinds(
    kind: Kind[Any], text: str, meant: object
) -> None:
    declared = settings_of(make(kind))["it"][1]
    assert read_text(declared, text) == meant


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (whole(1, 9), "x", "expected a whole number from 1 to 9"),
        (whole(1, 9), "10", "expected a whole number from 1 to 9"),
        (whole(), "1.0", "expected a whole number from 0 up"),
        (whole(), "1_0", "expected a whole number from 0 up"),
        (whole(), "", "expected a whole number from 0 up"),
        (whole(), "\u0663", "expected a whole number from 0 up"),
        (whole(), "9" * 5000, "expected a whole number from 0 up"),
        (seconds(0.5), "0.4", "expected a number of seconds from 0.5 up"),
        (number(), "nan", "expected a number from 0 up"),
        (number(), "1e999", "expected a number from 0 up"),
        (number(), "", "expected a number from 0 up"),
        (size(2), "1", 'expected a number of bytes from 2 up, such as 65536 or "64 KiB"'),
        (one_of("a", "b"), "c", "expected one of a, b"),
        (PATH, "", "expected a path"),
        (
            NETWORK,
            "x",
            "'x' does not appear to be an IPv4 or IPv6 network; "
            'expected an address or a network such as "10.0.0.0/8"',
        ),
    ],
)
def test_wrong_text_is_told_with_what_was_expected(kind: Kind[Any], text: str, why: str) -> None:
    declared = settings_of(make(kind))["it"][1]
    with pytest.raises(ValueError) as refused:
        read_text(declared, text)
    assert str(refused.value) == why


def make(kind: Kind[Any]) -> type:
    """A settings class with one setting of that kind."""

    @dataclass(frozen=True)
    class One:
        it: object = setting(kind, None, "it")

    return One


# --- declarations --------------------------------------------------------------------------


def test_settings_are_known_by_key_in_their_order() -> None:
    assert list(settings_of(Shop)) == [
        "max-guests",
        "rate",
        "wait",
        "room",
        "colour",
        "name",
        "menu",
        "friends",
        "class",
        "open",
    ]
    assert key_of("max_guests") == "max-guests"
    assert key_of("class_") == "class"
    assert settings_of(Shop)["menu"][1].also == ("m",)


def test_a_default_is_written_as_in_toml_and_read_by_its_kind() -> None:
    shop = Shop()
    assert shop.room == 2048
    assert shop.wait == 2.0
    assert isinstance(shop.wait, float)
    assert shop.friends == (ipaddress.ip_network("10.0.0.0/8"),)
    assert [shop.menu] == [None]
    with pytest.raises(ValueError):
        setting(whole(1), 0, "wrong by itself")


def test_help_shows_the_default_as_it_is_written() -> None:
    shown = {key: shown_default(declared) for key, (declared, _) in settings_of(Shop).items()}
    assert shown == {
        "max-guests": "10",
        "rate": "1.5",
        "wait": "2",
        "room": "2 KiB",
        "colour": "red",
        "name": "Joe's",
        "menu": "",
        "friends": "10.0.0.0/8",
        "class": "",
        "open": "",
    }


def test_a_default_of_zero_is_shown_and_an_empty_one_is_not() -> None:
    @dataclass(frozen=True)
    class Zero:
        none: int = setting(whole(), 0, "0 is never")
        some: float = setting(seconds(), 0.0, "0 is never")
        text: str = setting(TEXT, "", "nothing")
        many: tuple[str, ...] = setting(TEXT, [], "nothing", many=True)

    shown = {key: shown_default(declared) for key, (declared, _) in settings_of(Zero).items()}
    assert shown == {"none": "0", "some": "0", "text": "", "many": ""}


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Shop().rate = 2  # type: ignore[misc]


def test_differences_are_told_apart_by_what_can_change_while_running() -> None:
    old = Shop()
    new = Shop(max_guests=11, open=True, colour="green", friends=())
    assert differences(old, new) == (["max-guests", "open"], ["colour", "friends"])
    assert differences(old, Shop()) == ([], [])


def test_the_nearest_word_is_proposed_if_there_is_one() -> None:
    assert nearest("prot", ["port", "path"]) == '; did you mean "port"?'
    assert nearest("prot", ["port"], "--") == '; did you mean "--port"?'
    assert nearest("zzz", ["port"]) == ""
    assert nearest("", ["port"]) == ""


# --- files ---------------------------------------------------------------------------------


def test_a_table_is_read_and_what_it_leaves_out_has_its_default(tmp_path: Path) -> None:
    shop = read(
        tmp_path,
        """
        # all of it
        [shop]
        max-guests = 20
        rate = 2
        room = "1 MiB"
        "menu" = "menu.txt"
        friends = ["192.0.2.1", "2001:db8::/32"]
        class = "second"
        open = true
        """,
    )
    assert shop == Shop(
        max_guests=20,
        rate=2.0,
        room=2**20,
        menu=Path("menu.txt"),
        friends=(ipaddress.ip_network("192.0.2.1"), ipaddress.ip_network("2001:db8::/32")),
        class_="second",
        open=True,
    )
    assert read(tmp_path, "") == Shop()
    assert read(tmp_path, "[shop]\n") == Shop()


def test_many_values_are_an_array_or_one(tmp_path: Path) -> None:
    one = (ipaddress.ip_network("192.0.2.1"),)
    assert read(tmp_path, '[shop]\nfriends = "192.0.2.1"\n').friends == one
    assert read(tmp_path, '[shop]\nfriends = ["192.0.2.1"]\n').friends == one
    assert read(tmp_path, "[shop]\nfriends = []\n").friends == ()
    assert refusal(tmp_path, '[shop]\nfriends = [["192.0.2.1"]]\n') == (
        ", line 2: shop.friends = [['192.0.2.1']]: "
        'expected an address or a network such as "10.0.0.0/8"'
    )
    assert refusal(tmp_path, '[shop]\nfriends = ["192.0.2.1", "x"]\n').startswith(
        ", line 2: shop.friends = ['192.0.2.1', 'x']: 'x' does not appear to be"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[shop]\nrate = -1\n", ", line 2: shop.rate = -1: expected a number from 0 up"),
        ("[shop]\nrate = nan\n", ", line 2: shop.rate = nan: expected a number from 0 up"),
        ("[shop]\nrate = true\n", ", line 2: shop.rate = true: expected a number from 0 up"),
        ("[shop]\nopen = 1\n", ", line 2: shop.open = 1: expected true or false"),
        (
            "\n\n[shop]\n# max-guests = 5\nmax-guests = 1_000\n",
            ", line 5: shop.max-guests = 1000: expected a whole number from 1 to 100",
        ),
        (
            '[shop]\nname = "x"\n\ncolour = "blu\\te"\n',
            ', line 4: shop.colour = "blu\\te": expected one of red, green',
        ),
        (
            "[shop]\ncolour = 2020-01-01\n",
            ", line 2: shop.colour = 2020-01-01: expected one of red, green",
        ),
        (
            f"[shop]\ncolour = '{'x' * 100}'\n",
            f', line 2: shop.colour = "{"x" * 56}...: expected one of red, green',
        ),
        (
            "[shop]\nmax-guest = 1\n",
            ', line 2: shop.max-guest = 1: no such key; did you mean "max-guests"?',
        ),
        ("[shop]\nqqq = 1\n", ", line 2: shop.qqq = 1: no such key"),
        (
            "[shop]\nmax_guests = 1\n",
            ', line 2: shop.max_guests = 1: no such key; did you mean "max-guests"?',
        ),
        ("[shop]\nkey = 1\n", ", line 2: shop.key = 1: no such key"),
        # quoted keys
        ('[shop]\n"qqq" = 1\n', ", line 2: shop.qqq = 1: no such key"),
        ("[shop]\n'q=q q' = 1\n", ", line 2: shop.q=q q = 1: no such key"),
        ('["shop"]\nrate = "x"\n', ', line 2: shop.rate = "x": expected a number from 0 up'),
        ("['shop']\nrate = 'x'\n", ', line 2: shop.rate = "x": expected a number from 0 up'),
        ("[ shop ] # yes\n  rate='x'\n", ', line 2: shop.rate = "x": expected a number from 0 up'),
        # the same name in several tables
        (
            '[a]\nrate = 1\n[shop]\nname = "y"\nrate = "x"\n[b]\nrate = 2\n',
            ', line 5: shop.rate = "x": expected a number from 0 up',
        ),
        ('shop.rate = "x"\n', ', line 1: shop.rate = "x": expected a number from 0 up'),
        # a table that stands on one line
        (
            'a = 1\nshop = { rate = "x" }\n',
            ', line 2: shop.rate = "x": expected a number from 0 up',
        ),
        # text and arrays that look like something else
        (
            '[shop]\nname = """\nrate = 1\n[b]\n"""\nrate = "x"\n',
            ', line 6: shop.rate = "x": expected a number from 0 up',
        ),
        (
            '[shop]\nfriends = [\n  "10.0.0.0/8",\n]\nrate = "x"\n',
            ', line 5: shop.rate = "x": expected a number from 0 up',
        ),
        ('[shop]\nname = "\u2028"\nrate = "x"\n', ', line 3: shop.rate = "x": expected a number'),
        ("[shop]\r\nrate = 'x'\r\n", ', line 2: shop.rate = "x": expected a number from 0 up'),
        # no table at all
        ("x = 1\nshop = 1\n", ", line 2: shop: expected a table: [shop]"),
        ("[[shop]]\nrate = 1\n", ", line 1: shop: expected a table: [shop]"),
        # numbers that Python does not like to write
        (
            f"[shop]\ncolour = 0x{'f' * 5000}\n",
            ", line 2: shop.colour = a value too long to show: expected one of red, green",
        ),
    ],
)
def test_a_refusal_names_line_key_value_and_what_was_expected(
    text: str, told: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, text).startswith(told)


def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[shop]\nrate = = 1\n").startswith(": not valid TOML: ")
    assert "(at line 2, column 8)" in refusal(tmp_path, "[shop]\nrate = = 1\n")
    assert ": not valid TOML: Cannot overwrite" in refusal(tmp_path, "[shop]\nrate=1\nrate=2\n")
    for text in (f"x = {'1' * 5000}", f"x = {'[' * 5000}", "x = 2020-99-99"):
        assert refusal(tmp_path, text).startswith(": not valid TOML: ")


def test_a_file_that_cannot_be_read_is_told_with_the_remedy(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'[shop]\nname = "caf\xe9"\n')
    for path, told in [
        (tmp_path / "none.toml", ": no such file; name one with --config"),
        (tmp_path, ": cannot be read: Is a directory"),
        (tmp_path / "x.toml" / "y", ": no such file; name one with --config"),
        (latin, ": not valid TOML: 'utf-8' codec can't decode byte 0xe9"),
    ]:
        with pytest.raises(StartError) as refused:
            Source(path)
        assert str(refused.value).startswith(f"{path}{told}")


def test_tables_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    source = Source(write(tmp_path, "[shop]\n[shp]\n"))
    source.check_tables(["shop", "shp"])
    with pytest.raises(ConfigError) as refused:
        source.check_tables(["shop", "inn"])
    assert str(refused.value) == (
        f'{source.path}, line 2: shp: no such service; did you mean "shop"?'
    )
    with pytest.raises(ConfigError) as refused:
        source.check_tables(["inn", "pub"])
    assert str(refused.value) == (
        f"{source.path}, line 1: shop: no such service; the tables are inn, pub"
    )
    with pytest.raises(ConfigError, match=r"line 1: shpo: no such key; did you mean \"shop\"\?"):
        Source(write(tmp_path, "shpo = 1\n")).check_tables(["shop"])


# --- whatever may stand there --------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes()
    | st.dates()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(list(settings_of(Shop))) | st.text()


@given(VALUES | st.dictionaries(KEYS, VALUES, max_size=4))
@example({"colour": 16**5000})
@example({"rate": HUGE})
def test_any_values_are_settings_or_a_config_error(table: object) -> None:
    source = Source.__new__(Source)
    source.path = Path("x.toml")
    source.tables = {"shop": table}
    source._text = "[shop]\n"
    outcome = attempt(lambda: source.read("shop", Shop))
    assert isinstance(outcome, Shop) or str(outcome).startswith("x.toml")


def attempt(action: Callable[[], Shop]) -> Shop | ConfigError:
    """The settings, or why there are none; any other exception is a bug."""
    try:
        return action()
    except ConfigError as refused:
        return refused


@given(st.text() | st.text("[]shoprate.=\"'\\\n# 01{},"))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_settings_or_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(f"[shop]\n{text}".encode("utf-8", "surrogatepass"))
    outcome = attempt(lambda: Source(path).read("shop", Shop))
    assert isinstance(outcome, Shop) or str(outcome).startswith(str(path))
