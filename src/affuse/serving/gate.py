"""What a request has to pass before anything of it is read: host, origin, token, size, room."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affuse.serving.jobs import Jobs
from affuse.serving.metrics import Metrics
from affuse.serving.settings import Settings
from affuse.serving.tickets import opens

#: Seconds after which who was sent away may come again.
RETRY = 10
#: Bytes of a form beside its recording, and of what is no upload: segments.
_FORM, _OTHER = 65_536, 16_000_000
#: What needs no token: whether it answers, and the page, which asks for the token.
OPEN, OPEN_BELOW = frozenset({"/healthz", "/"}), "/page/"
UPLOAD = "/v1/jobs"
#: The protocol of WebSockets. A page cannot send headers with one, but a second protocol, which is
#: the token behind this.
PROTOCOL, TOKEN = "affuse", "token."
#: Of every answer: nobody keeps it, guesses its type, or is told where its reader goes next.
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Gate:
    """Refuses requests in one line of JSON, and counts the bytes of the others.

    On loopback a request has to name this machine as its host: a page whose name was made to lead
    here (DNS rebinding) names another. A page of another origin is refused everywhere.

    Args:
        app: What comes behind it.
        settings: Of the server.
        jobs: The queue, which may be full.
        metrics: Told of uploads and refusals.
    """

    def __init__(self, app: ASGIApp, settings: Settings, jobs: Jobs, metrics: Metrics) -> None:
        self._app, self._settings, self._jobs, self._metrics = app, settings, jobs, metrics
        self._hosts = {"localhost", "127.0.0.1", "::1", settings.host}
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"].endswith("http.response.start"):  # or that of a WebSocket, refused
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if message["status"] >= 400:
                    self._metrics.refused.labels(message["status"]).inc()
            await send(message)

        try:
            self._check(scope)
        except HTTPException as error:
            answer = JSONResponse({"detail": error.detail}, error.status_code, error.headers)
            await answer(scope, receive, marked)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, marked)
            return
        upload = scope["method"] == "POST" and scope["path"] == UPLOAD
        self._arriving += upload
        try:
            most = self._most if upload else min(self._most, _OTHER)
            await self._app(scope, self._counted(receive, most), marked)
        finally:
            self._arriving -= upload

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._settings.loopback and _name(host) not in self._hosts:
            raise HTTPException(421, "this server is on loopback; name it 127.0.0.1 or localhost")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise HTTPException(403, "pages of other origins may not ask this server")
        protocols = scope.get("subprotocols", ())
        if not self._is_open(scope) and not self._knows(headers, protocols):
            bearer = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "the token is missing or wrong", bearer)
        if scope["type"] == "websocket":
            return
        length = headers.get("content-length", "")
        if length.isascii() and length.isdecimal() and int(length) > self._most:
            raise self._too_large(self._most)
        if scope["method"] == "POST" and scope["path"] == UPLOAD:
            waiting = self._jobs.counts()["queued"] + self._arriving
            if waiting >= self._settings.limits.queued:
                raise full(f"the queue is full ({waiting:,}); try again later")

    def _is_open(self, scope: Scope) -> bool:
        """Whether a path needs no token, or brings a ticket."""
        path, token = scope["path"], self._settings.token
        if path in OPEN or path.startswith(OPEN_BELOW):
            return True
        ticket = QueryParams(scope["query_string"]).get("ticket", "")
        reads = scope.get("method") in ("GET", "HEAD")
        return reads and token is not None and opens(ticket, token, path, time.time())

    def _knows(self, headers: Headers, protocols: Iterable[str]) -> bool:
        if self._settings.token is None:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        told = [token.strip()] if kind.lower() == "bearer" else []
        told += [one.removeprefix(TOKEN) for one in protocols if one.startswith(TOKEN)]
        own = self._settings.token.encode()
        return any(hmac.compare_digest(one.encode(), own) for one in told)

    @property
    def _most(self) -> int:
        return self._settings.limits.size + _FORM

    def _too_large(self, most: int) -> HTTPException:
        taken = min(most, self._settings.limits.size)
        return HTTPException(413, f"this server takes {taken:,} bytes")

    def _counted(self, receive: Receive, most: int) -> Receive:
        """The same request, which is refused as soon as it is too large or pauses too long."""
        received, complete = 0, False

        async def counted() -> Message:
            nonlocal received, complete
            if complete:  # what comes now is that the client goes
                return await receive()
            pause = self._settings.limits.upload_pause
            try:
                message = await asyncio.wait_for(receive(), pause)
            except TimeoutError:
                raise HTTPException(408, f"nothing came for {pause:g} s") from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                self._metrics.received.inc(len(message.get("body", b"")))
                if received > most:
                    raise self._too_large(most)
            return message

        return counted


def full(reason: str) -> HTTPException:
    """The answer to one job too many."""
    return HTTPException(429, reason, {"Retry-After": str(RETRY)})


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
