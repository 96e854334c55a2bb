"""A syslog message -> its fields: RFC 5424, and RFC 3164 as it is sent in practice.

Fields are read once from left to right.  Whatever breaks a rule of the format that it claims to be
in is no error: the message is `unparsed`, and the whole of it is its `line`.  All texts are made
`readable`: controls and bytes that are no UTF-8 are escaped.  Knows neither files nor sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from msgspec import Struct

from proto.logfile.record import readable

FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "audit", "alert", "clock"),
    *(f"local{number}" for number in range(8)),
)
"""RFC 5424 section 6.2.1, table 1, by the names that syslog.conf uses."""

SEVERITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""RFC 5424 section 6.2.1, table 2."""

_PRIORITIES: Final = {
    str(number): (FACILITIES[number >> 3], SEVERITIES[number & 7])
    for number in range(len(FACILITIES) * 8)
}

Elements = dict[str, dict[str, str | list[str]]]
"""Structured data, by SD-ID and PARAM-NAME; a list where a parameter stands more than once."""


class Rfc5424(Struct, tag_field="format", tag="rfc5424", omit_defaults=True, frozen=True):
    """RFC 5424 section 6; a field that was sent as `-` is None."""

    facility: str
    severity: str
    version: int
    timestamp: str | None = None
    """As sent, here and in RFC 3164."""
    hostname: str | None = None
    appname: str | None = None
    procid: str | None = None
    msgid: str | None = None
    structured_data: Elements | None = None
    msg: str | None = None
    """Without the BOM."""


class Rfc3164(Struct, tag_field="format", tag="rfc3164", omit_defaults=True, frozen=True):
    """RFC 3164 section 4; a field that was not sent is None."""

    facility: str
    severity: str
    msg: str
    timestamp: str | None = None
    hostname: str | None = None
    tag: str | None = None
    pid: str | None = None


class Unparsed(Struct, tag_field="format", tag="unparsed", frozen=True):
    """Anything else, as it came."""

    line: str


Message = Rfc5424 | Rfc3164 | Unparsed

# The patterns read one character a byte.  No two parts that repeat can match the same text, so
# that none of them ever looks back further than one field.
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INTERNET_TIME: Final = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})"
)
_BSD_TIME: Final = (
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?:[ 0][1-9]|[12][0-9]|3[01]) "
    rf"{_CLOCK}:[0-5][0-9]"
)
_PRI: Final = re.compile(r"<([0-9]{1,3})>(1 )?")
_HEADER: Final = re.compile(
    rf"(?:-|({_INTERNET_TIME})) "
    r"(?:-|([!-~]{1,255})) (?:-|([!-~]{1,48})) (?:-|([!-~]{1,128})) (?:-|([!-~]{1,32})) "
)
_SD_NAME: Final = r"[!#-<>-\\^-~]{1,32}"
_SD_ID: Final = re.compile(rf"\[({_SD_NAME})")
_SD_PARAM: Final = re.compile(
    rf' ({_SD_NAME})="([^"\\\]]*(?:\\.[^"\\\]]*)*)"',
    re.DOTALL,
)
_SD_ESCAPE: Final = re.compile(r'\\(["\\\]])')
_BSD_HEADER: Final = re.compile(
    rf"({_BSD_TIME}|{_INTERNET_TIME}) "
    # What ends like a tag is no host name.
    r"(?:([!-~]{0,254}[!-9;-\\^-~]) )?"
    r"(?:([!-9;-Z\\^-~]{1,32})(?:\[([!-Z\\^-~]{1,128})\](?::? |:|\Z)|:(?: |\Z)))?"
)
_BOM: Final = "\xef\xbb\xbf"


def parse(line: bytes) -> Message:
    """One message without its end."""
    text = line.decode("latin-1")
    pri = _PRI.match(text)
    names = _PRIORITIES.get(pri[1]) if pri else None
    message: Message | None = None
    if pri and names:
        # `str` leaves a text as it is.
        show = str if _is_plain(text) else _shown
        parse_rest = _parse_5424 if pri[2] else _parse_3164
        message = parse_rest(text, pri.end(), names, show)
    return message or Unparsed(readable(line))


def _parse_5424(
    text: str, at: int, names: tuple[str, str], show: Callable[[str], str]
) -> Rfc5424 | None:
    """RFC 5424 section 6: what follows the version."""
    header = _HEADER.match(text, at)
    if header is None or not _is_date(header[1]):
        return None
    at = header.end()
    elements: Elements | None = None
    if text.startswith("-", at):
        at += 1
    else:
        elements, at = _parse_elements(text, at, show)
        if not elements:
            return None
    msg = None
    if at < len(text):
        if text[at] != " ":
            return None
        msg = show(text[at + 1 :].removeprefix(_BOM))
    time, host, app, proc, msgid = [value and show(value) for value in header.groups()]
    return Rfc5424(*names, 1, time, host, app, proc, msgid, elements, msg)


def _parse_elements(text: str, at: int, show: Callable[[str], str]) -> tuple[Elements, int]:
    """RFC 5424 section 6.3: the elements, and where they end; none if one is wrong.

    A parameter may stand more than once in an element, but no element more than once.
    """
    elements: Elements = {}
    while text.startswith("[", at):
        begun = _SD_ID.match(text, at)
        if begun is None:
            return {}, at
        values: dict[str, list[str]] = {}
        at = begun.end()
        while param := _SD_PARAM.match(text, at):
            value = param[2]
            if "\\" in value:
                value = _SD_ESCAPE.sub(r"\1", value)
            values.setdefault(show(param[1]), []).append(show(value))
            at = param.end()
        name = show(begun[1])
        if name in elements or not text.startswith("]", at):
            return {}, at
        at += 1
        elements[name] = {
            key: several if len(several) > 1 else several[0] for key, several in values.items()
        }
    return elements, at


def _parse_3164(text: str, at: int, names: tuple[str, str], show: Callable[[str], str]) -> Rfc3164:
    """RFC 3164 section 4: what follows the priority.

    Without a time stamp everything is the message (section 4.3.2; Python's SysLogHandler).  Senders
    know more than the RFC: times as in RFC 3339, no host name, names of programs that hold more
    than letters and digits, and more than 1024 bytes.
    """
    header = _BSD_HEADER.match(text, at)
    if header is None or not _is_date(header[1]):
        return Rfc3164(*names, show(text[at:]))
    time, host, tag, pid = [value and show(value) for value in header.groups()]
    return Rfc3164(*names, show(text[header.end() :]), time, host, tag, pid)


def _is_date(timestamp: str | None) -> bool:
    """Whether there is such a day; no time, or one without a year, is always right."""
    if timestamp is None or not timestamp[0].isdigit():
        return True
    try:
        date.fromisoformat(timestamp[:10])
    except ValueError:
        return False
    return True


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "\\" not in text


def _shown(text: str) -> str:
    return text if _is_plain(text) else readable(text.encode("latin-1"))
