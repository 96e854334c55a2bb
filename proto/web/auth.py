"""Basic authentication (RFC 7617) below a path, as a check of `proto.web.gate`.

A password is verified in a thread, since that is slow on purpose: a few at once, a bounded number
waiting, and for one address only so many in a row.  One that fitted is remembered for a minute,
by a keyed hash; neither it nor one that did not fit is kept.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.errors import StartError
from proto.limits import TokenBucket
from proto.metrics import Metrics
from proto.web.pacing import Pace
from proto.web.passwords import Passwords, normal
from proto.web.request import WebRequest
from proto.web.response import HTTPError

AT_ONCE: Final = 2
"""Threads that verify; argon2id commonly takes 64 MiB in each."""
MOST_WAITING: Final = 256
"""Requests that wait for a verification, in all."""
TRIES: Final = 20
TRIES_PER_SECOND: Final = 1.0
"""Verifications for one address: so many at once, then so many a second."""
REMEMBERED_SECONDS: Final = 60.0
MOST_REMEMBERED: Final = 1000
"""Credentials for each path; of more, those that were verified the longest ago are forgotten."""
MAX_CREDENTIALS: Final = 1024
"""Bytes of a name and its password as they are sent."""

_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

InThread = Callable[[Callable[[], bool]], Deferred[bool]]


class Verifications:
    """Where passwords are verified: so many at once, so many waiting; one for a whole service."""

    def __init__(self, in_thread: InThread, now: Callable[[], float]) -> None:
        """`in_thread` calls a function in a thread and gives its result in this one."""
        self.now = now
        self._in_thread = in_thread
        self._pace = Pace(lambda: TokenBucket(TRIES, TRIES_PER_SECOND, now()), now)
        self._queue: deque[tuple[Callable[[], bool], Deferred[bool]]] = deque()
        self._running = 0
        self._waiting = 0

    def enter(self) -> None:
        """One more request waits.  Raises HTTPError, 503, when these are too many."""
        if self._waiting >= MOST_WAITING:
            raise HTTPError(503, "Too many are waiting to be let in.", [("Retry-After", "2")])
        self._waiting += 1

    def leave(self) -> None:
        """A request that waited does so no longer."""
        self._waiting -= 1

    def start(self, request: WebRequest, fits: Callable[[], bool]) -> Deferred[bool]:
        """Call it in a thread when there is one.  Raises HTTPError, 429, for too many tries."""
        self._pace.check(request)
        result: Deferred[bool] = Deferred()
        self._queue.append((fits, result))
        self._next()
        return result

    def _next(self) -> None:
        while self._queue and self._running < AT_ONCE:
            fits, result = self._queue.popleft()
            self._running += 1
            self._in_thread(fits).addBoth(self._done).chainDeferred(result)

    def _done(self, outcome: bool) -> bool:
        self._running -= 1
        self._next()
        return outcome


class BasicAuth:
    """Lets those pass whose name and password are in a file."""

    log = Logger()

    def __init__(
        self,
        path: str,
        read: Callable[[], Passwords],
        verifications: Verifications,
        metrics: Metrics,
    ) -> None:
        """`path` is what is protected; `read` reads the file and raises StartError."""
        self._realm = quote(path)
        self._read = read
        self._passwords = read()
        self._verifications = verifications
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._asked: dict[bytes, list[Deferred[bool]]] = {}
        self._right, self._wrong = (
            metrics.tally("web_passwords", "Passwords that were verified", result=result)
            for result in ("right", "wrong")
        )

    # The gate calls this.
    def __call__(self, request: WebRequest) -> Deferred[None] | None:
        """Raises HTTPError: 401, 429 after too many tries, 503 when too many wait."""
        credentials = credentials_of(request)
        if credentials is None:
            raise self._challenge()
        user, password = credentials
        told = f"{len(user)}:{user}:{password}".encode("utf-8", "surrogateescape")
        proof = hmac.digest(self._key, told, "sha256")
        if self._knows(proof):
            return None
        self._verifications.enter()
        try:
            asked = self._ask(request, proof, user, password)
        except HTTPError:
            self._verifications.leave()
            raise
        return asked.addCallback(self._decide)

    # SIGHUP calls this.
    def reload(self) -> None:
        """Read the file again, and forget who was let in; a file that is wrong changes nothing."""
        try:
            self._passwords = self._read()
        except StartError as error:
            self.log.error("the passwords stay as they were: {error}", error=str(error))
            return
        self._key = secrets.token_bytes(32)  # what is verified just now is not remembered either
        self._remembered.clear()

    def _ask(self, request: WebRequest, proof: bytes, user: str, password: str) -> Deferred[bool]:
        """Verify, or wait for the same that is being verified: browsers ask six times at once."""
        answer: Deferred[bool] = Deferred()
        if proof in self._asked:
            self._asked[proof].append(answer)
            return answer
        passwords = self._passwords
        verified = self._verifications.start(request, lambda: passwords.fits(user, password))
        waiting = self._asked[proof] = [answer]
        key = self._key

        def settle(outcome: bool | Failure) -> None:
            del self._asked[proof]
            if outcome is True and key is self._key:
                self._remember(proof)
            for each in waiting:
                self._verifications.leave()
                each.callback(outcome)  # a Failure too

        verified.addBoth(settle)
        return answer

    def _decide(self, fits: bool) -> None:
        if not fits:
            self._wrong.value += 1
            raise self._challenge()
        self._right.value += 1

    def _challenge(self) -> HTTPError:
        fields = [("WWW-Authenticate", f'Basic realm="{self._realm}", charset="UTF-8"')]
        return HTTPError(401, "A name and a password are needed here.", fields)

    def _knows(self, proof: bytes) -> bool:
        until = self._remembered.get(proof)
        if until is None:
            return False
        if self._verifications.now() < until:
            return True
        del self._remembered[proof]
        return False

    def _remember(self, proof: bytes) -> None:
        self._remembered[proof] = self._verifications.now() + REMEMBERED_SECONDS
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def credentials_of(request: WebRequest) -> tuple[str, str] | None:
    """The name and the password that a request brings; None if it brings none that make sense.

    They are UTF-8, as our challenge asks for; from clients that know no better, Latin-1.
    """
    match = _BASIC.fullmatch(request.header("Authorization").strip(" \t"))
    if match is None or len(match[1]) > MAX_CREDENTIALS * 4 // 3 + 4:
        return None
    try:
        raw = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text):
        return None
    return normal(user), normal(password)
