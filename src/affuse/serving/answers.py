"""What the server says and is told, as the types of its OpenAPI description."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from affuse.evaluation.report.record import licence_of
from affuse.models.spec_files import read_spec
from affuse.serving.jobs import RESULT, Job, State


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one line")


class JobAnswer(BaseModel):
    """A job."""

    id: str
    state: State
    progress: float = Field(description="how much is done, 0 to 1; an estimate")
    error: str | None = Field(description="why it failed, in one line")
    model: str
    created: datetime
    finished: datetime | None
    files: list[str] = Field(description="names for /v1/jobs/{id}/files/{name}, when it is done")

    @classmethod
    def of(cls, job: Job, folder: Path) -> JobAnswer:
        """A job and its folder."""
        return cls(
            id=job.id,
            state=job.state,
            progress=round(job.progress, 3),
            error=job.error,
            model=job.options.model,
            created=datetime.fromtimestamp(job.created, UTC),
            finished=None if job.finished is None else datetime.fromtimestamp(job.finished, UTC),
            files=[path.name for path in files_of(job, folder)],
        )


def files_of(job: Job, folder: Path) -> list[Path]:
    """The results of a job, in the order of their names; none where it is being deleted."""
    return sorted((folder / RESULT).glob("*")) if job.state == "done" else []


class ModelAnswer(BaseModel):
    """A model that jobs may name."""

    name: str
    default: bool = Field(description="whether it is used where a job names none")
    task: str
    outputs: list[str] = Field(description="classes, or dimensions such as valence")
    window: float = Field(description="seconds that it sees at a time")
    streams: list[str]
    licence: str = Field(description="of the model, as far as it is recorded")

    @classmethod
    def of(cls, name: str, file: Path, default: bool) -> ModelAnswer:
        """What a model file says of itself."""
        spec = read_spec(file)
        return cls(
            name=name,
            default=default,
            task=spec.task,
            outputs=spec.outputs,
            window=spec.seconds,
            streams=list(spec.streams),
            licence=licence_of(spec),
        )


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"
