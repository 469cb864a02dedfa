"""The web page, and what it asks for beside the API of jobs."""

from __future__ import annotations

import mimetypes
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from affuse.errors import AffuseError
from affuse.execution.files import NotWritten
from affuse.serving.answers import Problem
from affuse.serving.api import NAME, Asked, Here, Serving
from affuse.serving.gate import RETRY
from affuse.serving.jobs import Job
from affuse.serving.segments import ENDINGS, SavedSegments, SegmentsAnswer, Stale, corrected
from affuse.serving.tickets import ticket_for
from affuse.serving.view import VIEW

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
#: The page runs its own scripts alone, and asks nobody but this server.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: A recording is what somebody sent: whatever is in it, nothing of it runs.
_NOTHING = {"Content-Security-Policy": "default-src 'none'; sandbox"}

_NO_JOB = "there is no such job"
_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
_NOT_DONE: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (404, 409, 422)}
router = APIRouter(responses={code: {"model": Problem} for code in (401, 403, 421)})
_saved = SavedSegments()


class LimitsAnswer(BaseModel):
    """What the server takes, and for how long it keeps it."""

    bytes: int = Field(description="of an upload")
    seconds: float = Field(description="of a recording")
    people: int
    keep: float = Field(description="seconds after which jobs are deleted that are over")


class LinkAnswer(BaseModel):
    """Where a player finds a recording."""

    url: str = Field(description="relative to the page; it opens for some hours without a token")
    kept_until: float = Field(description="when the job is deleted, in seconds since 1970")


class RevisionAnswer(BaseModel):
    """What was saved."""

    revision: int


@router.get("/", include_in_schema=False)
def read_page() -> Response:
    """The web page."""
    return _page_file("index.html")


@router.get("/page/{name}", include_in_schema=False)
def read_page_file(name: str) -> Response:
    """A style, a module or an image of the page."""
    return _page_file(name)


@router.get("/v1/limits")
def read_limits(serving: Here) -> LimitsAnswer:
    """What the server takes."""
    limits, keep = serving.settings.limits, serving.settings.keep
    return LimitsAnswer(bytes=limits.size, seconds=limits.duration, people=limits.people, keep=keep)


@router.get(
    "/v1/jobs/{id}/view",
    response_class=FileResponse,
    responses={200: {"content": {"application/json": {}}}, **_NOT_DONE},
)
def read_view(job: Asked, serving: Here) -> FileResponse:
    """What the page shows of a job that is done."""
    return FileResponse(_done(job, serving) / VIEW, media_type="application/json")


@router.get("/v1/jobs/{id}/link", responses=_NONE)
def link_recording(job: Asked, serving: Here) -> LinkAnswer:
    """Where a player of a browser, which sends no token, finds the recording."""
    token, path = serving.settings.token, f"/v1/jobs/{job.id}/recording"
    ticket = "" if token is None else f"?ticket={ticket_for(token, path, time.time())}"
    since = max(job.finished or time.time(), corrected(serving.jobs.folder(job.id)))
    return LinkAnswer(url=f"{path[1:]}{ticket}", kept_until=since + serving.settings.keep)


@router.get(
    "/v1/jobs/{id}/recording",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, **_NONE},
)
def read_recording(job: Asked, serving: Here) -> FileResponse:
    """The recording, in parts where a `Range` is asked for."""
    path = serving.jobs.folder(job.id) / job.file
    if not path.is_file():
        raise HTTPException(404, "the recording is not there")
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.partition("/")[0] not in ("audio", "video", "image"):
        kind = "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=_NOTHING)


@router.get("/v1/jobs/{id}/segments", responses=_NOT_DONE)
def read_segments(job: Asked, serving: Here) -> SegmentsAnswer:
    """The segments as they were saved, or else as the model proposes them."""
    with _still_there():
        return _saved.read(_done(job, serving))


@router.put("/v1/jobs/{id}/segments", responses={**_NOT_DONE, 507: {"model": Problem}})
def save_segments(job: Asked, segments: SegmentsAnswer, serving: Here) -> RevisionAnswer:
    """Keep corrected segments; 409 where `revision` is not the last one."""
    folder = _done(job, serving)
    try:
        with _still_there():
            revision = _saved.save(folder, segments)
    except Stale as error:
        raise HTTPException(409, str(error)) from None
    except NotWritten as error:
        raise HTTPException(507, f"they cannot be kept ({error.reason})") from None
    except AffuseError as error:
        raise HTTPException(422, f"segments: {error}") from None
    if serving.jobs.get(job.id) is None:  # deleted while they were written
        shutil.rmtree(folder, ignore_errors=True)
        raise HTTPException(404, _NO_JOB)
    return RevisionAnswer(revision=revision)


@router.get(
    "/v1/jobs/{id}/segments/{format}",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **_NOT_DONE},
)
def export_segments(
    job: Asked,
    format: str,
    serving: Here,
    name: Annotated[
        str | None, Query(description="of the recording, such as talk.mp4; the file is called so")
    ] = None,
) -> Response:
    """The segments as `eaf`, `textgrid`, `boris`, `vtt`, `audacity` or `tidy`."""
    if format not in ENDINGS:
        raise HTTPException(404, f"there is no format {format}: {', '.join(ENDINGS)}")
    media = _name(name) or job.file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"segments{ENDINGS[format]}"
        with _still_there():
            _saved.export(_done(job, serving), format, path, media)
        content = path.read_bytes()
    file = f"{Path(media).stem or NAME}{ENDINGS[format]}"
    return Response(
        content,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file, safe='')}"},
    )


def _name(name: str | None) -> str:
    """The last part of what a client calls a recording, in one line; no path."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-200:].strip(". ")


def _done(job: Job, serving: Serving) -> Path:
    """The folder of a job that has something to show."""
    if job.state == "failed":
        raise HTTPException(422, job.error)
    if job.state != "done":
        raise HTTPException(409, f"the job is {job.state}", {"Retry-After": str(RETRY)})
    folder = serving.jobs.folder(job.id)
    if not (folder / VIEW).exists():
        raise HTTPException(404, "there is nothing to show of this job: upload it again")
    return folder


@contextmanager
def _still_there() -> Iterator[None]:
    """Answer that there is no job where it is deleted while its files are read."""
    try:
        yield
    except FileNotFoundError:
        raise HTTPException(404, _NO_JOB) from None


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Name -> content and type of the files of the page."""
    return {
        path.name: (path.read_bytes(), _TYPES[path.suffix])
        for path in _PAGE.iterdir()
        if path.suffix in _TYPES
    }


def _page_file(name: str) -> Response:
    if name not in _files():
        raise HTTPException(404, "the page has no such file")
    content, kind = _files()[name]
    return Response(content, media_type=kind, headers=_HEADERS)
