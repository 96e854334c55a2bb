from __future__ import annotations

from proto.logfile.budget import Account
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion, Writer
from proto.logfile.writer import LogWriter
from tests.logfile.senders import Sender


def test_a_portion_goes_to_the_one_log_and_nobody_waits_to_hear_unless_told() -> None:
    portion = Portion(b"one\n", 1, Account(Sender(), Origin("192.0.2.1:1")))
    assert (portion.name, portion.stored) == ("", None)


def test_the_thread_that_writes_is_a_writer_for_the_doors() -> None:
    writer: type[Writer] = LogWriter
    assert writer.append.__doc__
