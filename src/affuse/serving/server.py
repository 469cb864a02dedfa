"""A server: its folder, its socket, and its end."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from affuse.errors import AffuseError, BadInput, shown
from affuse.execution.files import locked
from affuse.execution.signals import Ended
from affuse.serving.api import Serving, router
from affuse.serving.gate import Gate
from affuse.serving.jobs import Jobs
from affuse.serving.live import router as live_router
from affuse.serving.metrics import Metrics
from affuse.serving.page_routes import router as page_router
from affuse.serving.runner import Crew
from affuse.serving.settings import Settings
from affuse.serving.uploads import router as upload_router

log = logging.getLogger(__name__)

#: Seconds that answers have to end after the server was asked to.
_GRACE = 5


def create_app(settings: Settings, jobs: Jobs) -> FastAPI:
    """The application. It works on the queue while it runs, and lets go of it at its end.

    Args:
        settings: Of the server.
        jobs: The queue.
    """
    metrics = Metrics(jobs)
    serving = Serving(settings, jobs, Crew(jobs, settings, metrics.over), metrics)

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        serving.crew.start()
        yield
        serving.crew.stop()
        serving.jobs.close()

    app = FastAPI(
        title="affuse",
        description="Emotion over time from what is heard and seen in recordings.",
        version=version("affuse"),
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=alive,
    )
    app.state.serving = serving
    app.include_router(router)
    app.include_router(upload_router)
    app.include_router(page_router)
    app.include_router(live_router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Gate, settings=settings, jobs=jobs, metrics=metrics)
    return app


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What is wrong with a form, in one line."""
    assert isinstance(error, RequestValidationError)
    found = [
        f"{one['loc'][-1]}: {one['msg'][:1].lower()}{one['msg'][1:]}" for one in error.errors()
    ]
    return JSONResponse({"detail": shown("; ".join(found))}, 422)


class _Server(uvicorn.Server):
    """Ends answers that go on as soon as it is asked to end."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._serving.stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or Ctrl-C; running jobs then wait for the next start.

    Args:
        settings: Of the server.
        ready: Told of the address when it listens.

    Returns:
        How many jobs wait.

    Raises:
        BadInput: The folder cannot be written to, or another server uses it.
        AffuseError: It cannot listen there.
    """
    os.umask(0o077)

    def refuse() -> None:
        raise BadInput(settings.data, "another server uses it")

    with locked(settings.data, refuse):
        jobs = Jobs(settings.data, settings.limits.queued)
        jobs.recover()
        _arrive_in(settings.data / "incoming")
        app = create_app(settings, jobs)
        listening = _listen(settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=4 * settings.limits.message,  # ends without a word; ours tells
            ws_ping_interval=None,  # who is slowed down does not get to answer
            ws_per_message_deflate=False,  # sound and images do not shrink, but bombs do
            timeout_graceful_shutdown=_GRACE,
        )
        try:
            ready(_address(listening))
            _Server(config, app.state.serving).run(sockets=[listening])
        except (KeyboardInterrupt, Ended):  # uvicorn hands the signal on when it has ended
            pass
        finally:
            listening.close()
    waiting = Jobs(settings.data, settings.limits.queued)
    try:
        return waiting.counts()["queued"]
    finally:
        waiting.close()


def log_to_stderr() -> None:
    """What happens to jobs, a line each, without names of users."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # tells of what clients send


def _arrive_in(folder: Path) -> None:
    """Have uploads that arrive, and what workers leave, in an empty folder of ours."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    tempfile.tempdir = str(folder)


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # who comes before uvicorn is ready waits
    except OSError as error:
        raise AffuseError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error})"
        ) from error
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
