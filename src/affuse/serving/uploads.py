"""The route by which recordings come."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Coroutine
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, BinaryIO
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import Response
from fastapi.routing import APIRoute
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from affuse.inference.inputs import SUFFIXES
from affuse.serving.addresses import LONGEST, Refused, check
from affuse.serving.answers import JobAnswer
from affuse.serving.api import NAME, Here, Serving, refusals
from affuse.serving.asked import options_of
from affuse.serving.gate import full
from affuse.serving.jobs import ADDRESS, Options, QueueFull

#: Fields of a form at most, and bytes of one that is no file.
_FIELDS, _FIELD = 50, 65_536


class _OneFile(APIRoute):
    """Reads a form with one file; each further one would take memory before it is refused."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            _check_length(request)
            try:
                await request.form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD)
            except (ClientDisconnect, FormParserError):
                raise HTTPException(400, "no whole form") from None
            return await handle(request)  # finds the form that was read

        return handler


def _check_length(request: Request) -> None:
    """Refuse a long form without parts, which takes memory while it is read."""
    kind, _ = parse_options_header(request.headers.get("content-type"))
    length = request.headers.get("content-length", "")
    if kind == b"application/x-www-form-urlencoded" and not (
        length.isascii() and length.isdecimal() and int(length) <= _FIELD
    ):
        raise HTTPException(413, f"a form without parts has {_FIELD:,} bytes at most, and says so")


router = APIRouter(responses=refusals(401, 403, 421), route_class=_OneFile)


@router.post("/v1/jobs", status_code=202, responses=refusals(400, 408, 413, 422, 429, 507))
def create_job(
    serving: Here,
    options: Annotated[Options, Depends(options_of)],
    recording: Annotated[UploadFile | None, File(description="a recording or an image")] = None,
    url: Annotated[
        str | None, Form(description="of a recording on a host that the operator allowed")
    ] = None,
) -> JobAnswer:
    """Let the prediction of a recording wait in the queue; options as of `affuse predict`."""
    if (recording is None) == (url is None):
        raise HTTPException(422, "recording: send one, or its url")
    file = NAME + (_suffix(recording.filename or "") if recording else _allowed(url or "", serving))
    folder = serving.jobs.new_folder()
    try:
        if recording:
            _keep(recording.file, folder / file, serving.settings.limits.size)
        else:
            _keep(BytesIO((url or "").encode()), folder / ADDRESS, LONGEST)
        job = serving.jobs.add(folder, file, options)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, QueueFull):
            raise full(str(error)) from None
        if isinstance(error, OSError):
            raise HTTPException(507, f"it cannot be kept ({error.strerror})") from None
        raise
    return JobAnswer.of(job, folder)


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def _allowed(url: str, serving: Serving) -> str:
    """The suffix of the recording at a URL that may be opened."""
    try:
        check(url, serving.settings.hosts)
    except Refused as error:
        raise HTTPException(422, f"url: {error}") from None
    return _suffix(urlsplit(url).path)


def _keep(source: BinaryIO, path: Path, most: int) -> None:
    """Write an upload to the disk; whole, before anybody is told that it is there."""
    with path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
        if file.tell() > most:
            raise HTTPException(413, f"this server takes {most:,} bytes")
    if path.stat().st_size == 0:
        raise HTTPException(422, "recording: is empty")
