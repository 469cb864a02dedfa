"""The routes that answer about jobs and models, and what all routes work with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from affuse.serving.answers import Health, JobAnswer, ModelAnswer, Problem, files_of
from affuse.serving.gate import RETRY
from affuse.serving.jobs import RESULT, Job, Jobs
from affuse.serving.metrics import Metrics
from affuse.serving.runner import Crew
from affuse.serving.settings import Settings

#: What uploads and their results are called, whatever the client calls them.
NAME = "recording"
#: Seconds between two looks at a job that is watched, and looks between two signs of life.
_LOOK, _QUIET = 0.2, 75
#: A page from a job may run what is in it, and may reach nothing.
_SANDBOX = {"Content-Security-Policy": "sandbox allow-scripts"}


@dataclass
class Serving:
    """What the routes work with.

    Args:
        settings: Of the server.
        jobs: The queue.
        crew: Those who work on it.
        metrics: What is counted.
        stopping: Set when answers that go on have to end.
        sessions: Live sessions that are open.
    """

    settings: Settings
    jobs: Jobs
    crew: Crew
    metrics: Metrics
    stopping: threading.Event = field(default_factory=threading.Event)
    sessions: int = 0


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


Here = Annotated[Serving, Depends(_serving)]


def _job(id: str, serving: Here) -> Job:
    job = serving.jobs.get(id)
    if job is None:
        raise HTTPException(404, "there is no such job")
    return job


Asked = Annotated[Job, Depends(_job)]


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Refusals for the OpenAPI description of a route."""
    return {code: {"model": Problem} for code in codes}


router = APIRouter(responses=refusals(401, 403, 421))


@router.get("/v1/jobs/{id}", responses=refusals(404))
def read_job(job: Asked, serving: Here) -> JobAnswer:
    """What becomes of a job."""
    return JobAnswer.of(job, serving.jobs.folder(job.id))


@router.get(
    "/v1/jobs/{id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **refusals(404)},
)
def watch_job(job: Asked, serving: Here) -> StreamingResponse:
    """Server-sent events `job`, each with the job as JSON, until it is done, failed or deleted."""
    return StreamingResponse(_events(job.id, serving), media_type="text/event-stream")


@router.get(
    "/v1/jobs/{id}/result",
    response_class=FileResponse,
    responses={200: {"content": {"application/json": {}}}, **refusals(404, 409, 422)},
)
def read_result(job: Asked, serving: Here) -> FileResponse:
    """The JSON that `affuse predict` writes about the main person."""
    return _file(job, serving, f"{NAME}.json")


@router.get(
    "/v1/jobs/{id}/files/{name}",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, **refusals(404, 409, 422)},
)
def read_file(job: Asked, name: str, serving: Here) -> FileResponse:
    """One of the files of a job that is done."""
    return _file(job, serving, name)


@router.delete("/v1/jobs/{id}", status_code=204, responses=refusals(404))
def delete_job(id: str, serving: Here) -> None:
    """Cancel a job, or delete it when it is done; its recording and its results are removed."""
    if not serving.crew.delete(id):
        raise HTTPException(404, "there is no such job")


@router.get("/v1/models")
def list_models(serving: Here) -> list[ModelAnswer]:
    """The models that jobs may name."""
    models = serving.settings.models
    default = next(iter(models))
    return [ModelAnswer.of(name, file, name == default) for name, file in models.items()]


@router.get("/v1/models/{name}/card", response_class=PlainTextResponse, responses=refusals(404))
def read_card(name: str, serving: Here) -> Response:
    """The model card, as Markdown: what it was trained on, its results, its limits."""
    from affuse.evaluation.report.card import model_card

    if name not in serving.settings.models:
        raise HTTPException(404, "there is no such model")
    return Response(model_card(serving.settings.models[name]), media_type="text/markdown")


@router.get("/healthz")
def health(serving: Here) -> Health:
    """Whether the server answers and reaches its queue."""
    serving.jobs.counts()
    return Health()


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(serving: Here) -> Response:
    """Numbers for Prometheus."""
    return Response(serving.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _file(job: Job, serving: Serving, name: str) -> FileResponse:
    if job.state == "failed":
        raise HTTPException(422, job.error)
    if job.state != "done":
        raise HTTPException(409, f"the job is {job.state}", {"Retry-After": str(RETRY)})
    known = {path.name: path for path in files_of(job, serving.jobs.folder(job.id))}
    if name not in known:
        raise HTTPException(404, f"the job has no such file in {RESULT}: {', '.join(known)}")
    headers = _SANDBOX if name.endswith(".html") else None
    return FileResponse(known[name], headers=headers)


async def _events(id: str, serving: Serving) -> AsyncIterator[str]:
    said, looks = "", 0
    while not serving.stopping.is_set():
        job = await run_in_threadpool(serving.jobs.get, id)
        if job is None:
            yield 'event: job\ndata: {"state": "deleted"}\n\n'
            return
        answer = JobAnswer.of(job, serving.jobs.folder(id)).model_dump_json()
        looks += 1
        if answer != said:
            said, looks = answer, 0
            yield f"event: job\ndata: {answer}\n\n"
        elif looks % _QUIET == 0:
            yield ": it goes on\n\n"
        if job.state in ("done", "failed"):
            return
        await asyncio.sleep(_LOOK)
