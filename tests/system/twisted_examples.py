"""Resources as Twisted's documentation writes them ("Twisted Web in 60 seconds"), and a Klein app.

Nothing here knows of proto: these are what people bring along.  `Examples` holds them all.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from klein import Klein
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.task import deferLater
from twisted.web.guard import (
    BasicCredentialFactory,
    DigestCredentialFactory,
    HTTPAuthSessionWrapper,
)
from twisted.web.pages import forbidden, notFound
from twisted.web.resource import EncodingResourceWrapper, IResource, Resource
from twisted.web.script import ResourceScript
from twisted.web.server import NOT_DONE_YET, GzipEncoderFactory
from twisted.web.static import Data, File
from twisted.web.util import DeferredResource, Redirect, redirectTo
from twisted.web.vhost import NameVirtualHost
from zope.interface import implementer

LATER = 0.05
PIECES = 40
PIECE = b"0123456789abcdef" * 4096


class YearPage(Resource):
    def __init__(self, year: int) -> None:
        Resource.__init__(self)
        self.year = year

    def render_GET(self, request: Any) -> bytes:
        return f"<html><body><pre>the year {self.year}</pre></body></html>".encode()


class Calendar(Resource):
    """Dynamic URL dispatch."""

    def getChild(self, name: bytes, request: Any) -> Any:
        if name == b"":
            return self
        if name.isdigit():
            return YearPage(int(name))
        return notFound()

    def render_GET(self, request: Any) -> bytes:
        return b"<html><body>Welcome to the calendar server!</body></html>"


class DelayedResource(Resource):
    """Asynchronous responses."""

    def _delayedRender(self, request: Any) -> None:
        request.write(b"<html><body>Sorry to keep you waiting.</body></html>")
        request.finish()

    def render_GET(self, request: Any) -> int:
        d = deferLater(reactor, LATER, lambda: request)
        d.addCallback(self._delayedRender)
        return NOT_DONE_YET


class Coroutine(Resource):
    @inlineCallbacks
    def _render(self, request: Any) -> Any:
        for word in (b"one ", b"two ", b"three"):
            yield deferLater(reactor, LATER, lambda: None)
            request.write(word)
        request.finish()

    def render_GET(self, request: Any) -> int:
        self._render(request)
        return NOT_DONE_YET


class Interrupted(Resource):
    """Handling interrupted responses."""

    def __init__(self) -> None:
        Resource.__init__(self)
        self.end: Deferred[Any] = Deferred()
        told = self.end.addCallback(lambda name: Data(name.encode(), "text/plain"))
        self.putChild(b"ends", DeferredResource(told))

    def render_GET(self, request: Any) -> int:
        call = reactor.callLater(3600, self._respond, request)
        request.notifyFinish().addErrback(self._failed, call)
        return NOT_DONE_YET

    def _respond(self, request: Any) -> None:
        request.write(b"too late")
        request.finish()

    def _failed(self, err: Any, call: Any) -> None:
        call.cancel()
        self.end.callback(err.type.__name__)


class FormPage(Resource):
    """Handling POSTs."""

    def render_GET(self, request: Any) -> bytes:
        return (
            b'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
            b'<form method="POST"><input name="the-field"></form></body></html>'
        )

    def render_POST(self, request: Any) -> bytes:
        args = request.args[b"the-field"][0].decode("utf-8")
        return f"<html><body>You submitted: {escape(args)}</body></html>".encode()


class Upload(Resource):
    isLeaf = True

    def render_PUT(self, request: Any) -> bytes:
        request.content.seek(0, 2)
        size = request.content.tell()
        request.content.seek(0)
        first = request.content.read(4)
        request.setHeader(b"content-type", b"application/json")
        return json.dumps([size, first.decode()]).encode()


class ShowSession(Resource):
    """Session basics."""

    def render_GET(self, request: Any) -> bytes:
        session = request.getSession()
        session.count = getattr(session, "count", 0) + 1
        return b"%d in %s" % (session.count, session.uid)


class ExpireSession(Resource):
    def render_GET(self, request: Any) -> bytes:
        request.getSession().expire()
        return b"Your session has been expired."


class Cookies(Resource):
    def render_GET(self, request: Any) -> bytes:
        request.addCookie(b"first", b"1", path=b"/", httpOnly=True)
        request.addCookie(b"second", b"2", max_age=b"60", sameSite="lax")
        return b"you sent " + (request.getCookie(b"sent") or b"none")


class Away(Resource):
    def render_GET(self, request: Any) -> bytes:
        return redirectTo(b"/calendar/", request)


class Teapot(Resource):
    def render_GET(self, request: Any) -> bytes:
        request.setResponseCode(418, b"I am a teapot")
        request.setHeader(b"X-Tea", b"green")
        request.setLastModified(1_000_000_000)
        request.setETag(b'"tea"')
        return b"short and stout"


class Where(Resource):
    """What a request knows of itself."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        told = {
            "prepath": [part.decode() for part in request.prepath],
            "postpath": [part.decode() for part in request.postpath],
            "host": request.getRequestHostname().decode(),
            "client": request.getClientAddress().host,
            "secure": request.isSecure(),
            "uri": request.uri.decode(),
            "agent": request.getHeader("user-agent"),
            "args": {key.decode(): value[0].decode() for key, value in request.args.items()},
        }
        request.responseHeaders.setRawHeaders("content-type", ["application/json"])
        return json.dumps(told).encode()


@implementer(IPushProducer)
class Pusher:
    """Writes as long as it may."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.left = PIECES
        self.paused = False
        self.stopped = False

    def resumeProducing(self) -> None:
        self.paused = False
        while self.left and not self.paused and not self.stopped:
            self.left -= 1
            self.request.write(PIECE)
        if not self.left and not self.stopped:
            self.stopped = True
            self.request.unregisterProducer()
            self.request.finish()

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self.stopped = True


class Pushed(Resource):
    def render_GET(self, request: Any) -> int:
        producer = Pusher(request)
        request.registerProducer(producer, True)
        producer.resumeProducing()
        return NOT_DONE_YET


@implementer(IPullProducer)
class Puller:
    """Writes one piece each time that it is asked to."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.left = PIECES

    def resumeProducing(self) -> None:
        if self.left:
            self.left -= 1
            self.request.write(PIECE)
        else:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.left = 0


class Pulled(Resource):
    def render_GET(self, request: Any) -> int:
        request.setHeader(b"content-length", b"%d" % (PIECES * len(PIECE)))
        request.registerProducer(Puller(request), False)
        return NOT_DONE_YET


class Broken(Resource):
    def render_GET(self, request: Any) -> bytes:
        raise RuntimeError("the secret of the house")


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        if IResource in interfaces:
            page = Data(b"hello, " + avatarId, "text/plain")
            inside = Resource()
            inside.putChild(b"", page)
            inside.putChild(b"me", page)
            return (IResource, inside, lambda: None)
        raise NotImplementedError


def guarded(factory: Any) -> HTTPAuthSessionWrapper:
    """HTTP authentication, with Twisted's own guard."""
    portal = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(joe=b"blow")])
    return HTTPAuthSessionWrapper(portal, [factory])


def klein_app() -> Any:
    """A Klein application, as Klein's documentation writes them."""
    app = Klein()
    items: dict[str, str] = {}

    @app.route("/")
    def home(request: Any) -> str:
        return "Hello, Klein!"

    @app.route("/user/<name>")
    def user(request: Any, name: str) -> str:
        return f"Hi {name}!"

    @app.route("/later")
    async def later(request: Any) -> bytes:
        await deferLater(reactor, LATER, lambda: None)
        return b"at last"

    @app.route("/deferred")
    def deferred(request: Any) -> Any:
        return succeed(b"at once")

    @app.route("/items/<name>", methods=["PUT"])
    def save(request: Any, name: str) -> str:
        items[name] = request.content.read().decode()
        request.setResponseCode(201)
        return "saved"

    @app.route("/items/<name>", methods=["GET"])
    def show(request: Any, name: str) -> str:
        request.setHeader("Content-Type", "application/json")
        return json.dumps({name: items[name]})

    @app.handle_errors(KeyError)
    def absent(request: Any, failure: Any) -> str:
        request.setResponseCode(404)
        return "no such item"

    @app.route("/files/", branch=True)
    def files(request: Any) -> Any:
        return File(".")

    return app


class Examples(Resource):
    """All of them; files come from the current folder unless another one is given."""

    def __init__(self, folder: str = ".") -> None:
        Resource.__init__(self)
        files = File(folder)
        files.processors = {".rpy": ResourceScript}
        files.ignoreExt(".rpy")
        late = succeed(Data(b"resource came late", "text/plain"))
        hosts: Any = NameVirtualHost()
        hosts.default = Data(b"any host", "text/plain")
        hosts.addHost(b"one.example", Data(b"host one", "text/plain"))
        packed = EncodingResourceWrapper(Data(b"x" * 5000, "text/plain"), [GzipEncoderFactory()])
        children = {
            "": Data(b"the root", "text/html"),
            "away": Away(),
            "basic": guarded(BasicCredentialFactory(b"example.com")),
            "broken": Broken(),
            "calendar": Calendar(),
            "cookies": Cookies(),
            "coroutine": Coroutine(),
            "delayed": DelayedResource(),
            "digest": guarded(DigestCredentialFactory(b"md5", b"example.com")),
            "expire": ExpireSession(),
            "files": files,
            "forbidden": forbidden(),
            "form": FormPage(),
            "hosts": hosts,
            "interrupted": Interrupted(),
            "klein": klein_app().resource(),
            "late": DeferredResource(late),
            "packed": packed,
            "pulled": Pulled(),
            "pushed": Pushed(),
            "redirect": Redirect(b"/form"),
            "session": ShowSession(),
            "teapot": Teapot(),
            "upload": Upload(),
            "where": Where(),
        }
        for name, child in children.items():
            self.putChild(name.encode(), child)
