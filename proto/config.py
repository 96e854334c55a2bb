"""Settings: one declaration for the command line and for TOML, read into frozen dataclasses.

A setting is a dataclass field made by `setting()`.  Its key in TOML and its option on the command
line are the field's name with hyphens: `max_per_address` is `max-per-address = 32` and
`--max-per-address 32`.  Every refusal names the place, the key, the value and what was expected.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from proto.errors import StartError

T = TypeVar("T")
S = TypeVar("S")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(StartError):
    """A value or key that the configuration may not have."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What values a setting takes: in words, and as a reader that raises ValueError."""

    expected: str
    read: Callable[[object], T]
    """Takes what TOML gives, or the command line's text where `textual` has turned it."""
    textual: Callable[[str], object] = str
    """Turns the command line's text into what TOML would give; raises ValueError."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a field's declaration says besides its type and default."""

    kind: Kind[Any]
    help: str
    also: tuple[str, ...] = ()
    many: bool = False
    reloads: bool = False


MOST_LOOKS: Final = 50
"""Lines that are tried, and lines that a value may have, to find out where a key stands."""
_KEY: Final = "proto.setting"


def setting(
    kind: Kind[Any],
    default: object,
    help: str,
    *,
    also: tuple[str, ...] = (),
    many: bool = False,
    reloads: bool = False,
) -> Any:
    """A dataclass field.  `default` is written as in TOML; `also` names the option otherwise on the
    command line; `many` collects a tuple of values; `reloads` tells that SIGHUP can change it."""
    declared = Setting(kind, help, also, many, reloads)
    value = _read(declared, default) if default is not None else None
    return field(default=value, metadata={_KEY: declared, "written": default})


def flag(help: str, *, reloads: bool = False) -> Any:
    """A field that is off unless the option is given or the key is true."""
    return setting(FLAG, False, help, reloads=reloads)


def key_of(name: str) -> str:
    """A field's name as a key: `max_per_address` is max-per-address, `class_` is class."""
    return name.rstrip("_").replace("_", "-")


def settings_of(cls: type) -> dict[str, tuple[Field[Any], Setting]]:
    """The settings of a dataclass by key (`max-per-address`), in the order of declaration."""
    return {
        key_of(each.name): (each, each.metadata[_KEY])
        for each in fields(cls)
        if _KEY in each.metadata
    }


def shown_default(declared: Field[Any]) -> str:
    """A setting's default as its help shows it; empty where there is none."""
    written = declared.metadata["written"]
    if written is None or written is False or declared.default is MISSING:
        return ""
    if isinstance(written, (list, tuple)):
        return " ".join(map(str, written))
    return f"{written:g}" if isinstance(written, float) else str(written)


# --- kinds ---------------------------------------------------------------------------------


class Unfit(ValueError):
    """The value is not of this kind; what was expected says it all."""


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise Unfit
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unfit from None


def whole(low: int = 0, high: int | None = None) -> Kind[int]:
    """Whole numbers from `low` to `high`."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit
        if value < low or (high is not None and value > high):
            raise Unfit
        return value

    upper = f"to {high}" if high is not None else "up"
    return Kind(f"a whole number from {low} {upper}", read, _whole)


def number(low: float = 0.0, what: str = "a number") -> Kind[float]:
    """A number, whole or with a fraction, below a thousand million."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unfit
        if not low <= value < 1e9:  # also refuses nan
            raise Unfit
        return float(value)

    return Kind(f"{what} from {low:g} up", read, _number)


def seconds(low: float = 0.0) -> Kind[float]:
    """Seconds, whole or with a fraction."""
    return number(low, "a number of seconds")


_UNITS: Final = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def size(low: int = 0) -> Kind[int]:
    """Bytes, as a number or with a unit: `65536`, `"64 KiB"`."""

    def read(value: object) -> int:
        if isinstance(value, str):
            match = re.fullmatch(r"([0-9]{1,15}) ?(KiB|MiB|GiB|)", value)
            if match is None:
                raise Unfit
            value = int(match[1]) * _UNITS[match[2]]
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise Unfit
        return value

    return Kind(f'a number of bytes from {low} up, such as 65536 or "64 KiB"', read)


def one_of(*words: str) -> Kind[str]:
    """One of these words."""

    def read(value: object) -> str:
        if value not in words:
            raise Unfit
        return str(value)

    return Kind("one of " + ", ".join(words), read)


def parsed(expected: str, parse: Callable[[str], T]) -> Kind[T]:
    """Text that `parse` turns into a value; it raises ValueError with the reason."""

    def read(value: object) -> T:
        if not isinstance(value, str):
            raise Unfit
        return parse(value)

    return Kind(expected, read)


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit
    return value


def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise Unfit
    return Path(text)


TEXT: Final = parsed("text", str)
PATH: Final = parsed("a path", _path)
NETWORK: Final = parsed('an address or a network such as "10.0.0.0/8"', _network)
FLAG: Final = Kind("true or false", _bool)


# --- reading -------------------------------------------------------------------------------


def _read(declared: Setting, value: object) -> object:
    if not declared.many:
        return declared.kind.read(value)
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(declared.kind.read(each) for each in values)


def read_text(declared: Setting, text: str) -> object:
    """One value of a setting from the command line.  Raises ValueError that says why not."""
    try:
        return declared.kind.read(declared.kind.textual(text))
    except ValueError as error:
        raise ValueError(_why(declared, error)) from error


def _why(declared: Setting, error: ValueError) -> str:
    expected = f"expected {declared.kind.expected}"
    return expected if isinstance(error, Unfit) else f"{error}; {expected}"


class Source:
    """A TOML file: its tables, and on which line a key stands."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError if the file cannot be read or is not TOML."""
        self.path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self.tables: dict[str, Any] = tomllib.loads(self._text)
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: no such file; name one with --config") from error
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # also of a number with 5,000 digits
            raise ConfigError(f"{path}: not valid TOML: {error}") from error

    def read(self, name: str, cls: type[S]) -> S:
        """The table of that name as a settings dataclass; a missing table gives the defaults."""
        table = self.tables.get(name, {})
        if not isinstance(table, dict):
            raise self._error(name, None, f"{name}: expected a table: [{name}]")
        known = settings_of(cls)
        values: dict[str, object] = {}
        for key, value in table.items():
            if key not in known:
                raise self._error(
                    name, key, f"{name}.{key} = {_toml(value)}: no such key{nearest(key, known)}"
                )
            declared, what = known[key]
            try:
                values[declared.name] = _read(what, value)
            except ValueError as error:
                text = f"{name}.{key} = {_toml(value)}: {_why(what, error)}"
                raise self._error(name, key, text) from error
        return cls(**values)

    def check_tables(self, known: Iterable[str]) -> None:
        """Raises ConfigError if the file has anything but tables of these names."""
        names = list(known)
        for name, value in self.tables.items():
            if name not in names:
                what = "no such service" if isinstance(value, dict) else "no such key"
                choice = nearest(name, names) or f"; the tables are {', '.join(names)}"
                raise self._error(name, None, f"{name}: {what}{choice}")

    def _error(self, table: str, key: str | None, text: str) -> ConfigError:
        line = self._line(table, key)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return ConfigError(f"{place}: {text}")

    def _line(self, table: str, key: str | None) -> int | None:
        """The line where `key` of `[table]` begins, or the table or top-level key itself.

        tomllib keeps no places: so for each line that names it, the lines before are read without
        it, and then with as many more as its value has.
        """
        lines = self._text.split("\n")
        named = [place for place, line in enumerate(lines) if (key or table) in line]
        for place in named[:MOST_LOOKS]:
            for end in range(place + 1, min(len(lines), place + MOST_LOOKS) + 1):
                found = _tables("\n".join(lines[:end]))
                if found is None:  # the line is in the middle of a value
                    continue
                inside = found.get(table)
                if inside is not None and (key is None or _has(inside, key)):
                    return place + 1
                break
        return None


def _tables(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except ValueError:
        return None


def _has(table: object, key: str) -> bool:
    return isinstance(table, dict) and key in table


def nearest(word: str, known: Iterable[str], before: str = "") -> str:
    """`; did you mean "X"?` for the closest of the known words, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{before}{close[0]}"?' if close else ""


def _toml(value: object) -> str:
    """A value as it may stand in the file, cut to what fits on a line."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # thousands of digits, or of tables in tables
        text = "a value too long to show"
    text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= 60 else text[:57] + "..."


def differences(old: object, new: object) -> tuple[list[str], list[str]]:
    """The keys whose values differ: those that can be changed while running, and the others."""
    now: list[str] = []
    restart: list[str] = []
    for key, (declared, what) in settings_of(type(old)).items():
        if getattr(old, declared.name) != getattr(new, declared.name):
            (now if what.reloads else restart).append(key)
    return now, restart
