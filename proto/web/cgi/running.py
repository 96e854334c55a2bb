"""One script while it runs: a process in a group of its own, that ends as a whole.

Started by vfork, which takes a fraction of a millisecond however large this process is; its end is
told by a descriptor of the kernel (pidfd_open), so no signal is needed.  Knows no HTTP.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.web.cgi.complaints import Complaints
from proto.web.cgi.pipes import Sink, Source
from proto.web.cgi.scripts import Script
from proto.web.cgi.watch import Watch

UMASK: Final = 0o022
KILL_SECONDS: Final = 2.0
"""How long a script may take to end when it is told to."""
LINGER_SECONDS: Final = 1.0
"""How long those that a script leaves behind may be silent before its answer is complete."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process that has begun, and the descriptor that tells its end."""

    process: subprocess.Popen[bytes]
    pidfd: int


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a script may take: in all, and without a word."""

    total: float = 60.0
    silence: float = 60.0


def start(script: Script, environment: Mapping[bytes, bytes], has_body: bool) -> Started:
    """Begin to run it; nothing of ours is inherited but three pipes.  Raises OSError."""
    process = subprocess.Popen(
        [script.path],
        bufsize=0,
        stdin=subprocess.PIPE if has_body else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=True,
        cwd=script.folder,
        env=environment,
        start_new_session=True,
        umask=UMASK,
    )
    try:
        return Started(process, os.pidfd_open(process.pid))
    except OSError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for file in (process.stdin, process.stdout, process.stderr):
            if file is not None:
                file.close()
        process.wait()
        raise


@implementer(IReadDescriptor)
class Running:
    """A script that runs; who began it reads its output, or closes that."""

    log = Logger()

    def __init__(
        self, script: Script, started: Started, reactor: Any, deadlines: Deadlines
    ) -> None:
        self.name = ascii(script.path)[2:-1]
        """Its path, for the log."""
        self._process = started.process
        self._pidfd = started.pidfd
        self._reactor = reactor
        self._deadlines = deadlines
        self._watch = Watch(
            reactor, deadlines.total, deadlines.silence, late=self._on_late, silent=self._on_silence
        )
        files = started.process
        assert files.stdout is not None
        assert files.stderr is not None
        self._in = Sink(files.stdin, reactor) if files.stdin is not None else None
        self._out = Source(files.stdout, reactor)
        self._err = Source(files.stderr, reactor)
        self._has_exited = False
        self._killing: IDelayedCall | None = None
        self._when_late: Callable[[str], None] = lambda why: None
        self._when_over: list[Deferred[None]] = []
        self._complaints = Complaints(self._complain)
        self._listening = Deferred.fromCoroutine(self._listen())
        self._listening.addErrback(self._stopped_listening)
        reactor.addReader(self)

    # Who began it calls these.
    @property
    def is_over(self) -> bool:
        """It has ended, with all that it began."""
        return self._pidfd < 0

    def when_over(self) -> Deferred[None]:
        """Fires when it has ended, with all that it began."""
        waiting: Deferred[None] = Deferred()
        if self.is_over:
            waiting.callback(None)
        else:
            self._when_over.append(waiting)
        return waiting

    def when_late(self, tell: Callable[[str], None]) -> None:
        """Call that with the reason when its time is over, just before it is stopped."""
        self._when_late = tell

    async def read(self) -> bytes:
        """The next bytes of its output; nothing at the end."""
        self._watch.expect()
        try:
            data = await self._out.read()
        finally:
            self._watch.relax()
        if not data:
            self._settle()
        return data

    async def write(self, data: bytes) -> None:
        """Give it more input, when it takes it.  Raises NotRead when it never will."""
        if self._in is not None:
            await self._in.write(data)
            self._watch.moved()

    def close_input(self) -> None:
        """There is no more input."""
        if self._in is not None:
            self._in.close()

    def stop(self) -> None:
        """End it: it is asked to, and after two seconds nobody is asked."""
        self.close_input()
        self._out.close()
        if not self._has_exited and self._killing is None:
            self._killing = self._reactor.callLater(KILL_SECONDS, self._kill)
            self._signal(signal.SIGTERM)
        self._settle()

    # The reactor calls these, for the descriptor that tells the end of the process.
    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:
        return "cgi"

    def doRead(self) -> None:
        self._reactor.removeReader(self)
        self._has_exited = True
        self.close_input()
        self._watch.shorten(LINGER_SECONDS)
        self._settle()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor closes everything."""

    async def _listen(self) -> None:
        while data := await self._err.read():
            self._complaints.add(data)

    def _stopped_listening(self, failure: Failure) -> None:
        self.log.failure("cgi {script}: its standard error", failure, script=self.name)

    def _complain(self, line: str) -> None:
        self.log.warn("cgi {script} said: {line}", script=self.name, line=line)

    def _on_silence(self) -> None:
        if not self._has_exited:
            self._give_up(f"it said nothing for {self._deadlines.silence:g} s")
            return
        self._out.close()  # only those that it left behind keep it open
        self._settle()

    def _on_late(self) -> None:
        self._give_up(f"it took more than {self._deadlines.total:g} s")

    def _give_up(self, why: str) -> None:
        self._when_late(why)
        self.stop()

    def _kill(self) -> None:
        self._killing = None
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Tell the whole group; the process is not reaped, so its number is nobody else's."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass  # the kernel has no such group any more: all have ended
        except PermissionError:
            self.log.error("cgi {script} belongs to another user now", script=self.name)

    def _settle(self) -> None:
        """Reap the process, if it has ended and nobody reads its output any more."""
        if self.is_over or not (self._has_exited and self._out.is_over):
            return
        self._signal(signal.SIGKILL)
        status = self._process.poll()
        self._watch.stop()
        if self._killing is not None:
            self._killing.cancel()
            self._killing = None
        elif status:
            self.log.warn("cgi {script} ended with {status}", script=self.name, status=status)
        self._complaints.add(self._err.rest())
        self._complaints.end()
        self._err.close()
        self._out.close()
        os.close(self._pidfd)
        self._pidfd = -1
        waiting, self._when_over = self._when_over, []
        for deferred in waiting:
            deferred.callback(None)
