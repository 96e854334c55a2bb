"""The examples of RFC 5424 and RFC 3164, and the fields that they have."""

from __future__ import annotations

from typing import Any, Final

BOM: Final = b"\xef\xbb\xbf"
AUTH_CRIT: Final = {"facility": "auth", "severity": "crit"}
LOCAL4_NOTICE: Final = {"facility": "local4", "severity": "notice"}
USER_NOTICE: Final = {"facility": "user", "severity": "notice"}
SDID: Final = {"iut": "3", "eventSource": "Application", "eventID": "1011"}

RFC_5424: Final[list[tuple[bytes, dict[str, Any]]]] = [
    (  # Example 1: no structured data
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
        + BOM
        + b"'su root' failed for lonvick on /dev/pts/8",
        {
            **AUTH_CRIT,
            "timestamp": "2003-10-11T22:14:15.003Z",
            "hostname": "mymachine.example.com",
            "appname": "su",
            "msgid": "ID47",
            "msg": "'su root' failed for lonvick on /dev/pts/8",
        },
    ),
    (  # Example 2: no structured data, a numeric offset, no BOM
        b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - "
        b"%% It's time to make the do-nuts.",
        {
            **LOCAL4_NOTICE,
            "timestamp": "2003-08-24T05:14:15.000003-07:00",
            "hostname": "192.0.2.1",
            "appname": "myproc",
            "procid": "8710",
            "msg": "%% It's time to make the do-nuts.",
        },
    ),
    (  # Example 3: structured data
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
        b'[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] '
        + BOM
        + b"An application event log entry...",
        {
            **LOCAL4_NOTICE,
            "timestamp": "2003-10-11T22:14:15.003Z",
            "hostname": "mymachine.example.com",
            "appname": "evntslog",
            "msgid": "ID47",
            "structured_data": {"exampleSDID@32473": SDID},
            "msg": "An application event log entry...",
        },
    ),
    (  # Example 4: structured data only
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
        b'[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]'
        b'[examplePriority@32473 class="high"]',
        {
            **LOCAL4_NOTICE,
            "timestamp": "2003-10-11T22:14:15.003Z",
            "hostname": "mymachine.example.com",
            "appname": "evntslog",
            "msgid": "ID47",
            "structured_data": {
                "exampleSDID@32473": SDID,
                "examplePriority@32473": {"class": "high"},
            },
        },
    ),
]

RFC_3164: Final[list[tuple[bytes, dict[str, Any]]]] = [
    (  # Example 1
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        {
            **AUTH_CRIT,
            "timestamp": "Oct 11 22:14:15",
            "hostname": "mymachine",
            "tag": "su",
            "msg": "'su root' failed for lonvick on /dev/pts/8",
        },
    ),
    (  # Example 2, as the relay passes it on
        b"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        {
            **USER_NOTICE,
            "timestamp": "Feb  5 17:32:18",
            "hostname": "10.0.0.99",
            "msg": "Use the BFG!",
        },
    ),
    (  # Example 3: the RFC itself says that CST is where the host name is due
        b"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  "
        b"%%  Ingredients: Mix=OK, Jelly=OK # Devices: Mixer=OK, Jelly_Injector=OK, Frier=OK # "
        b"Transport: Conveyer1=OK, Conveyer2=OK # %%",
        {
            **LOCAL4_NOTICE,
            "timestamp": "Aug 24 05:34:00",
            "hostname": "CST",
            "msg": "1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%  Ingredients:"
            " Mix=OK, Jelly=OK # Devices: Mixer=OK, Jelly_Injector=OK, Frier=OK # Transport: "
            "Conveyer1=OK, Conveyer2=OK # %%",
        },
    ),
    (  # Example 4: a priority, and no time stamp that is one
        b"<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: "
        b"That's All Folks!",
        {
            "facility": "kern",
            "severity": "emerg",
            "msg": "1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: "
            "That's All Folks!",
        },
    ),
    (  # Example 4, as the relay passes it on
        b"<0>Oct 22 10:52:12 scapegoat 1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org "
        b"10.1.2.3 sched[0]: That's All Folks!",
        {
            "facility": "kern",
            "severity": "emerg",
            "timestamp": "Oct 22 10:52:12",
            "hostname": "scapegoat",
            "msg": "1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: "
            "That's All Folks!",
        },
    ),
]
