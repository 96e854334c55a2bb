from __future__ import annotations

import json
import logging.handlers
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.logfile.formats import FORMATS
from proto.logfile.framings import SyslogFraming
from proto.logfile.origin import Origin
from proto.logfile.syslog import FACILITIES, SEVERITIES, parse
from tests.logfile.rfcs import BOM, RFC_3164, RFC_5424, USER_NOTICE


def fields_of(line: bytes) -> dict[str, Any]:
    """What is written down of a message."""
    fields = msgspec.to_builtins(parse(line))
    assert isinstance(fields, dict)
    return fields


def unparsed(line: str) -> dict[str, str]:
    return {"format": "unparsed", "line": line}


@pytest.mark.parametrize(("line", "fields"), RFC_5424)
def test_the_examples_of_rfc_5424_section_6_5(line: bytes, fields: dict[str, Any]) -> None:
    assert fields_of(line) == {"format": "rfc5424", "version": 1, **fields}


@pytest.mark.parametrize(("line", "fields"), RFC_3164)
def test_the_examples_of_rfc_3164_section_5_4(line: bytes, fields: dict[str, Any]) -> None:
    assert fields_of(line) == {"format": "rfc3164", **fields}


def test_the_second_example_of_rfc_3164_as_it_is_sent_has_no_priority() -> None:
    assert fields_of(b"Use the BFG!") == unparsed("Use the BFG!")


def test_the_same_examples_counted_and_ended_by_lf_on_one_connection() -> None:
    """RFC 6587 sections 3.4.1 and 3.4.2: SYSLOG-FRAME = MSG-LEN SP SYSLOG-MSG, or MSG TRAILER."""
    messages = [line for line, _ in RFC_5424 + RFC_3164]
    wire = b"".join(b"%d %b%b\n" % (len(line), line, line) for line in messages)
    records = FORMATS["syslog"](SyslogFraming().feed(wire), Origin("peer"), 0.0, 1)
    found = [json.loads(record) for record in records.splitlines()]
    assert [item["seq"] for item in found] == list(range(1, 2 * len(messages) + 1))
    for first, line in enumerate(messages):
        for item in found[2 * first : 2 * first + 2]:
            assert fields_of(line).items() <= item.items()


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (  # logger --rfc5424 -T
            b"<13>1 2026-11-21T17:50:53.043824+00:00 vm root - - "
            b'[timeQuality tzKnown="1" isSynced="0"] hello w\xc3\xb6rld',
            {
                "timestamp": "2026-11-21T17:50:53.043824+00:00",
                "hostname": "vm",
                "appname": "root",
                "structured_data": {"timeQuality": {"tzKnown": "1", "isSynced": "0"}},
                "msg": "hello wörld",
            },
        ),
        (  # logger --rfc5424=notime,notq,nohost -T
            b"<13>1 - - root - - - hello",
            {"appname": "root", "msg": "hello"},
        ),
        (  # logger --rfc5424 -T --id=77 --msgid M1 --sd-id zoo@123 --sd-param ...
            b"<13>1 2026-11-21T17:50:53.058124+00:00 vm root 77 M1 "
            b'[timeQuality tzKnown="1" isSynced="0"]'
            rb'[zoo@123 tiger="hungry" quo="a\"b\]c"] hello',
            {
                "timestamp": "2026-11-21T17:50:53.058124+00:00",
                "hostname": "vm",
                "appname": "root",
                "procid": "77",
                "msgid": "M1",
                "structured_data": {
                    "timeQuality": {"tzKnown": "1", "isSynced": "0"},
                    "zoo@123": {"tiger": "hungry", "quo": 'a"b]c'},
                },
                "msg": "hello",
            },
        ),
    ],
)
def test_what_logger_sends_as_rfc_5424(line: bytes, fields: dict[str, Any]) -> None:
    assert fields_of(line) == {"format": "rfc5424", "version": 1, **USER_NOTICE, **fields}


@pytest.mark.parametrize(
    ("rest", "fields"),
    [
        (b"vm root: hello", {"hostname": "vm", "tag": "root", "msg": "hello"}),
        (b"vm tag[2932]: hi", {"hostname": "vm", "tag": "tag", "pid": "2932", "msg": "hi"}),
        (b"tag[2932]: hello", {"tag": "tag", "pid": "2932", "msg": "hello"}),
        (b"tag: hello", {"tag": "tag", "msg": "hello"}),
        (b"vm tag:", {"hostname": "vm", "tag": "tag", "msg": ""}),
        (b"v postfix/lmtp[5]:x", {"hostname": "v", "tag": "postfix/lmtp", "pid": "5", "msg": "x"}),
        (b"vm app[7] text", {"hostname": "vm", "tag": "app", "pid": "7", "msg": "text"}),
        (b"vm app[7]", {"hostname": "vm", "tag": "app", "pid": "7", "msg": ""}),
        (b"2001:db8::1 su: x", {"hostname": "2001:db8::1", "tag": "su", "msg": "x"}),
        (b"vm http://host/", {"hostname": "vm", "msg": "http://host/"}),
        (b"vm " + b"t" * 33 + b": x", {"hostname": "vm", "msg": "t" * 33 + ": x"}),
        (b"vm  two  spaces ", {"hostname": "vm", "msg": " two  spaces "}),
        (b"vm", {"msg": "vm"}),
        (b"", {"msg": ""}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("time", ["Nov 21 17:50:53", "Nov  1 00:00:00", "2026-11-21T17:50:53Z"])
def test_what_comes_behind_the_time_in_practice(
    time: str, rest: bytes, fields: dict[str, str]
) -> None:
    """logger --rfc3164 -T, syslog(3), rsyslog's omfwd, sshd, postfix."""
    assert fields_of(b"<13>%b %b" % (time.encode(), rest)) == {
        "format": "rfc3164", **USER_NOTICE, "timestamp": time, **fields,
    }  # fmt: skip


def test_what_pythons_sysloghandler_sends_has_a_priority_and_no_more() -> None:
    [piece] = SyslogFraming().feed("<12>app: first\0<11>app: zwölf\0".encode())
    records = FORMATS["syslog"]([piece], Origin("peer"), 0.0, 1).splitlines()
    own = {"received": "1970-01-01T00:00:00.000000Z", "peer": "peer", "format": "rfc3164"}
    assert [json.loads(record) for record in records] == [
        {**own, "seq": 1, "facility": "user", "severity": "warning", "msg": "app: first"},
        {**own, "seq": 2, "facility": "user", "severity": "err", "msg": "app: zwölf"},
    ]


def test_every_priority_has_the_names_that_python_knows() -> None:
    known = logging.handlers.SysLogHandler
    for number in range(192):
        fields = fields_of(b"<%d>text" % number)
        assert known.facility_names.get(fields["facility"], number >> 3) == number >> 3
        assert known.priority_names[fields["severity"]] == number & 7
    assert len(set(FACILITIES)) == 24
    assert len(set(SEVERITIES)) == 8


@pytest.mark.parametrize(
    "line", ["<192>x", "<999>x", "<1000>x", "<>x", "<013>x", "<-1>x", "<1", "<1x>x", " <1>x", ""]
)
def test_a_priority_that_is_none_leaves_the_line_unparsed(line: str) -> None:
    assert fields_of(line.encode()) == unparsed(line)


NORMAL = ["2003-10-11T22:14:15.003Z", "host", "app", "proc", "id", "-"]
TOO_LONG = [("h" * 256, 1), ("a" * 49, 2), ("p" * 129, 3), ("i" * 33, 4)]


def message(*fields: str) -> bytes:
    return ("<34>1 " + " ".join(fields)).encode("latin-1")


@pytest.mark.parametrize(("field", "place"), TOO_LONG)
def test_a_field_may_be_as_long_as_the_rfc_says_and_no_longer(field: str, place: int) -> None:
    fields = [*NORMAL[:place], field, *NORMAL[place + 1 :]]
    assert fields_of(message(*fields)) == unparsed(message(*fields).decode())
    fields[place] = field[1:]
    assert field[1:] in fields_of(message(*fields)).values()


@pytest.mark.parametrize(
    ("field", "place"),
    [
        *((time, 0) for time in (
            "2003-08-24T05:14:15.000000003-07:00",  # section 6.2.3.1: too precise
            "2003-10-11t22:14:15Z", "2003-10-11T22:14:15z", "2003-10-11T22:14:15",
            "2003-10-11T22:14:60Z", "2003-10-11T24:00:00Z", "2003-02-29T00:00:00Z",
            "2003-13-01T00:00:00Z", "2003-10-11T22:14:15.Z", "2003-10-11T22:14:15+24:00", "now", "",
        )),
        ("h\x01", 1), ("h\x7f", 1), ("hö", 1), ("", 1), ("", 4), ("x", 5), ("--", 5), ("", 5),
        ("[]", 5), ("[ id]", 5), ("[id", 5), ("[id] [", 4), ("[i=d]", 5), ('[i"d]', 5),
        ('[id a="1" ]', 5), ('[id  a="1"]', 5), ('[id a="1"b="2"]', 5), ("[id a=1]", 5),
        ("[id a='1']", 5), ('[id a="]"]', 5), ('[id a="\\"]', 5), ('[id a="', 5), ("[id]x", 5),
        ('[id =""]', 5), ("[%s]" % ("n" * 33), 5), ('[id %s=""]' % ("n" * 33), 5),
        ("[id][id]", 5),  # section 6.3.2: an SD-ID must not stand more than once
        ('[ exampleSDID@32473 iut="3"][examplePriority@32473 class="high"]', 5),  # section 6.3.5
    ],
)  # fmt: skip
def test_what_breaks_a_rule_of_rfc_5424_is_unparsed_and_not_lost(field: str, place: int) -> None:
    line = message(*NORMAL[:place], field, *NORMAL[place + 1 :], "text")
    found = fields_of(line)
    assert found["format"] == "unparsed"
    assert set(found) == {"format", "line"}


@pytest.mark.parametrize(
    "time", ["1985-04-12T23:20:50.52Z", "1985-04-12T19:20:50.52-04:00", "2004-02-29T00:00:00Z"]
)
def test_the_times_of_rfc_5424_section_6_2_3_1_are_kept_as_sent(time: str) -> None:
    assert fields_of(message(time, *NORMAL[1:]))["timestamp"] == time


def test_a_newer_version_is_not_guessed_at() -> None:
    assert fields_of(b"<34>2 " + message(*NORMAL)[6:])["msg"].startswith("2 2003")


@pytest.mark.parametrize(
    ("sent", "elements"),
    [
        ("[id]", {"id": {}}),
        ("[a][b]", {"a": {}, "b": {}}),
        ('[origin ip="::1" ip="::2"]', {"origin": {"ip": ["::1", "::2"]}}),
        (r'[id a="\"\\\]"]', {"id": {"a": '"\\]'}}),
        (r'[id a="\n\a\\n"]', {"id": {"a": r"\n\a\n"}}),
        (r'[id a="\x41\\x41"]', {"id": {"a": r"\x5cx41\x5cx41"}}),
        ('[id a="[=, "]', {"id": {"a": "[=, "}}),
        ('[id a=""]', {"id": {"a": ""}}),
        ('[id a="\x1b\n\\\x1b"]', {"id": {"a": "\\x1b\\x0a\\\\x1b"}}),
        ('[id a="\\\n"]', {"id": {"a": "\\\\x0a"}}),
        ('[id a="\xe2\x82\xac"]', {"id": {"a": "€"}}),
        ('[id a="\xe2\x82"]', {"id": {"a": "\\xe2\\x82"}}),
    ],
)  # fmt: skip
def test_structured_data_is_objects_with_its_escapes_undone(
    sent: str, elements: dict[str, Any]
) -> None:
    assert fields_of(message(*NORMAL[:5], sent))["structured_data"] == elements
    assert fields_of(message(*NORMAL[:5], sent, "text"))["msg"] == "text"


def test_elements_with_a_space_between_them_are_an_element_and_a_text() -> None:
    """RFC 5424 section 6.3.5, example 3."""
    fields = fields_of(message(*NORMAL[:5], '[a b="3"]', '[c d="high"]'))
    assert fields["structured_data"] == {"a": {"b": "3"}}
    assert fields["msg"] == '[c d="high"]'


@pytest.mark.parametrize(
    ("sent", "msg"),
    [
        (b"", ""),
        (b" text ", " text "),
        (BOM, ""),
        (BOM + BOM, "\ufeff"),
        (b"a" + BOM, "a\ufeff"),
        (b"\xff\x00\r", "\\xff\\x00\\x0d"),
        ("Grüße\n€".encode(), "Grüße\\x0a€"),
    ],
)
def test_the_text_of_a_message_is_kept_without_its_byte_order_mark(sent: bytes, msg: str) -> None:
    assert fields_of(message(*NORMAL) + b" " + sent)["msg"] == msg


def test_a_message_without_a_text_has_none() -> None:
    assert "msg" not in fields_of(message(*NORMAL))


@pytest.mark.parametrize(
    "endless",
    [
        b'[id a="' + b"x" * 1_000_000,
        b'[id a="' + b'\\"' * 500_000,
        b"[id" + b' a="1"' * 100_000,
        b'[id a="\\' + b"\\" * 1_000_000,
        b"".join(b"[i%d]" % number for number in range(50_000)) + b"[",
        b"[" * 1_000_000,
        b" " * 1_000_000,
    ],
)
def test_a_hostile_line_of_a_megabyte_is_unparsed(endless: bytes) -> None:
    line = message(*NORMAL[:5]) + b" " + endless
    assert fields_of(line)["format"] == "unparsed"


PARTS = st.sampled_from(
    [b"<13>", b"1 ", b"- ", b"[a", b' b="', b'"', b"]", b"\\", b" ", b"\n", b"x41", b"\xe2\x82"]
) | st.sampled_from(
    [b"Nov 21 17:50:53 ", b"2003-10-11T22:14:15Z ", b"host ", b"su[1]: ", BOM, b"\x1b", b"0"]
)


@given(st.lists(PARTS).map(b"".join) | st.binary())
@example(b"<13>1 - - - - - [a][a]")
def test_any_bytes_give_text_without_controls(line: bytes) -> None:
    fields = fields_of(line)
    assert fields["format"] in {"rfc5424", "rfc3164", "unparsed"}
    shown = json.dumps(fields, ensure_ascii=False)
    assert not any(character < " " or character == "\x7f" for character in shown)
    assert shown.encode().decode() == shown


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).filter(
    lambda text: "\\x" not in text
)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32).filter(
    lambda word: "\\x" not in word
)
SD_NAMES = WORDS.filter(lambda name: not set(name) & set('="]'))


@given(
    st.lists(WORDS, min_size=4, max_size=4),
    st.dictionaries(SD_NAMES, st.dictionaries(SD_NAMES, TEXTS, max_size=3), max_size=3),
    TEXTS | st.none(),
)
def test_what_was_put_into_a_message_comes_out_of_it(
    words: list[str], elements: dict[str, dict[str, str]], text: str | None
) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")

    data = "".join(
        "[" + name + "".join(f' {key}="{quoted(value)}"' for key, value in params.items()) + "]"
        for name, params in elements.items()
    )
    line = f"<13>1 - {' '.join(words)} {data or '-'}" + (f" {text}" if text is not None else "")
    fields = fields_of(line.encode())
    names = ["hostname", "appname", "procid", "msgid"]
    assert [fields.get(name, "-") for name in names] == words
    assert fields.get("structured_data", {}) == elements
    assert fields.get("msg") == (None if text is None else text.removeprefix("\ufeff"))
