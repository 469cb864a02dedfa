"""Live sessions over WebSocket: sound and images go to a process of their own, lines come back."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from tempfile import TemporaryDirectory

from fastapi import APIRouter, WebSocket
from starlette.responses import JSONResponse
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from affuse.execution.crew import ending
from affuse.execution.worker import framed
from affuse.serving.api import Serving
from affuse.serving.gate import PROTOCOL, RETRY
from affuse.serving.live_messages import Order, SessionError, Start, check_end, opened

log = logging.getLogger(__name__)

#: Bytes of a session that may wait for its process; more are not taken from the client.
_ROOM = 32_000_000
#: Seconds in which a process that has something to do has to come on with it.
_PATIENCE = 120.0
#: Bytes of a line at most.
_LINE = 1 << 20
#: What is counted of a message beside its bytes, so that many small ones are no way around.
_OVERHEAD = 256
#: Starts the process, with the path on which this one finds modules.
_START = "import sys; sys.path[:] = {path!r}; from affuse.serving.live_worker import work; work()"

router = APIRouter()


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """Sound and images in; lines as of `affuse live` out."""
    serving: Serving = socket.app.state.serving
    most = serving.settings.limits.sessions
    if serving.sessions >= most:
        detail = f"this server has {most:,} live session{'s' * (most != 1)} already"
        answer = JSONResponse({"detail": detail}, 429, {"Retry-After": str(RETRY)})
        await socket.send_denial_response(answer)
        return
    serving.sessions += 1
    serving.metrics.open_sessions.inc()
    began, ended = time.monotonic(), "left"
    try:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        await _Session(socket, serving).run()
        ended = "end"
    except WebSocketDisconnect:
        pass
    except SessionError as error:
        ended = error.name
        with suppress(WebSocketDisconnect):
            await socket.send_text(error.text())
            await socket.close(error.code, error.name)
    finally:
        serving.sessions -= 1
        serving.metrics.open_sessions.dec()
        serving.metrics.sessions.labels(ended).inc()
        log.info("live session: %s after %.1f s", ended, time.monotonic() - began)


class _Session:
    """One session.

    Args:
        socket: Of the client, open.
        serving: What there is.
    """

    def __init__(self, socket: WebSocket, serving: Serving) -> None:
        self._socket, self._serving = socket, serving
        self._limits = serving.settings.limits
        self._waiting = _OVERHEAD  # bytes that the process has not taken; at first, the order
        self._heard = time.monotonic()  # when it said something
        self._room = asyncio.Condition()

    async def run(self) -> None:
        """Do all of it, and close.

        Raises:
            SessionError: Something is wrong, or over.
            WebSocketDisconnect: The client has gone.
        """
        try:
            async with asyncio.timeout(self._limits.session):
                start = Start.of((await self._next()).get("text") or "")
                # what the process leaves there goes with it, however it ends
                with TemporaryDirectory(prefix="affuse-", ignore_cleanup_errors=True) as folder:
                    process = await self._begin(start, folder)
                    try:
                        await self._work(start, process)
                    finally:
                        with suppress(ProcessLookupError):
                            process.kill()
                        await process.wait()
                await self._socket.close()
        except TimeoutError:
            raise SessionError(
                "over", f"a session takes {self._limits.session / 60:g} min at most"
            ) from None

    async def _begin(self, start: Start, folder: str) -> Process:
        settings = self._serving.settings
        name = next(iter(settings.models)) if start.model is None else start.model
        if name not in settings.models:
            raise SessionError("unknown_model", f"none of {', '.join(settings.models)}")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _START.format(path=sys.path),
                stdin=PIPE,
                stdout=PIPE,
                limit=_LINE,
                env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder),
            )
        except OSError as error:
            raise SessionError("failed", f"no process for it ({error.strerror})") from None
        order = Order(settings.models[name], start, self._limits.pixels, settings.device)
        assert process.stdin is not None
        process.stdin.write(framed(pickle.dumps(order)))
        return process

    async def _work(self, start: Start, process: Process) -> None:
        """Until the process has said its last line."""
        answer = asyncio.create_task(self._answer(process))
        others = {
            asyncio.create_task(self._forward(start, process)),
            asyncio.create_task(self._watch()),
        }
        try:
            while not answer.done():
                done, _ = await asyncio.wait({answer, *others}, return_when="FIRST_COMPLETED")
                for task in done & others:
                    others.remove(task)
                    task.result()
            answer.result()
        finally:
            for task in (answer, *others):
                task.cancel()
            await asyncio.gather(answer, *others, return_exceptions=True)

    async def _forward(self, start: Start, process: Process) -> None:
        """Hand on what the client sends, as fast as the process takes it."""
        while True:
            message = await self._next()
            data = message.get("bytes")
            if data is None:
                check_end(message.get("text") or "")
                break
            self._serving.metrics.received.inc(len(data))
            if len(data) > self._limits.message:
                raise SessionError(
                    "too_large", f"a message has {self._limits.message:,} bytes at most"
                )
            opened(data, start)
            await self._hand(process, data)
        await self._hand(process, b"")

    async def _hand(self, process: Process, data: bytes) -> None:
        async with self._room:
            await self._room.wait_for(lambda: self._waiting < _ROOM)
            if not self._waiting:
                self._heard = time.monotonic()
            self._waiting += len(data) + _OVERHEAD
        assert process.stdin is not None
        with suppress(ConnectionError):  # it died; the end of its output tells
            process.stdin.write(framed(data))
            await process.stdin.drain()

    async def _answer(self, process: Process) -> None:
        """Hand on what the process says."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._heard = time.monotonic()
            if line.startswith(b"+"):
                async with self._room:
                    self._waiting -= int(line) + _OVERHEAD
                    self._room.notify_all()
                continue
            text = line.decode().rstrip()
            if text.startswith('{"error"'):
                raise SessionError.of(text)
            try:
                async with asyncio.timeout(self._limits.silence):
                    await self._socket.send_text(text)
            except TimeoutError:
                raise SessionError("not_read", "the client reads nothing") from None
            if text.startswith('{"end"'):
                return
        how = ending(await process.wait(), None)
        raise SessionError("failed", f"the process that decoded it {how}")

    async def _watch(self) -> None:
        """Notice a process that does not come on."""
        while True:
            await asyncio.sleep(1)
            if self._waiting and time.monotonic() - self._heard > _PATIENCE:
                how = ending(None, _PATIENCE)
                raise SessionError("failed", f"the process that decoded it {how}")

    async def _next(self) -> Message:
        """What the client sends next."""
        silence = self._limits.silence
        try:
            async with asyncio.timeout(silence):
                message = await self._socket.receive()
        except TimeoutError:
            raise SessionError("silent", f"nothing came for {silence:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        return message
