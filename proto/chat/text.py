"""What a line may hold: nothing that moves a cursor, hides, or turns the reading direction.

Bytes become text here, and text becomes safe to show on anybody's terminal and in any log.
"""

from __future__ import annotations

import re
from typing import Final

# Where an emoji may stand.  Wider than Unicode's Extended_Pictographic, which `re` does not know.
_EMOJI: Final = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)

_UNSEEN: Final = re.compile(
    # ECMA-48: CSI sequences, then strings (OSC, DCS, SOS, PM, APC), then any other escape.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    # A string ends at the next one's opening too: else a line of openings costs their square.
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
    # C0 and C1, except the tab; lone surrogates, which no encoder takes.
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]"
    # Bidi marks, overrides and isolates; what has no width: joiners, fillers, selectors, tags.
    r"|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # A joiner stays between two emoji, of which the first may carry its selector.
    rf"|\u200d(?![{_EMOJI}])|(?<![{_EMOJI}])(?<![{_EMOJI}]\ufe0f)\u200d"
    # The selector stays after an emoji, and in a keycap.
    rf"|(?<![{_EMOJI}])(?!(?<=[0-9#*])\ufe0f\u20e3)\ufe0f"
)

_SPACES: Final = re.compile(r"[\t\u2028\u2029]")


_BLANK: Final = bytes([*range(0x21), 0x7F])


def is_blank(line: bytes) -> bool:
    """Whether nothing but spaces and control characters is in the line."""
    if line and 0x20 < line[0] != 0x7F:  # as nearly always
        return False
    return not line.translate(None, _BLANK)


def clean(text: str) -> str:
    """The text without what is not seen; tabs and line separators become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return _SPACES.sub(" ", _UNSEEN.sub("", text))


def decode(line: bytes) -> str:
    """A line as text that is safe to show; bytes that are not UTF-8 become U+FFFD."""
    return clean(line.decode("utf-8", "replace"))
