"""The options of a job in a form, by the names of `affuse predict` or of hosted services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Form, HTTPException, Request

from affuse.errors import AffuseError
from affuse.inference.extraction import Voice
from affuse.inference.output import formats_of
from affuse.inference.people import EVERYBODY, how_many
from affuse.inference.predictor import LowQuality
from affuse.models.spec import Windows
from affuse.models.spec_files import read_spec
from affuse.serving.jobs import Options
from affuse.tasks.registry import TASKS

if TYPE_CHECKING:
    from affuse.serving.api import Serving

#: For what a model speaks: every window, or every frame within them.
Granularity = Literal["window", "frame"]


def options_of(
    request: Request,
    model: Annotated[str | None, Form(description="of /v1/models; by default the first")] = None,
    hop: Annotated[
        float | None, Form(gt=0, allow_inf_nan=False, description="seconds from window to window")
    ] = None,
    window_step: Annotated[
        float | None, Form(gt=0, allow_inf_nan=False, description="another name of `hop`")
    ] = None,
    window_length: Annotated[
        float | None, Form(description="seconds; refused where it is not that of the model")
    ] = None,
    granularity: Annotated[
        Granularity | None, Form(description="refused where it is not that of the model")
    ] = None,
    windows: Annotated[Windows | None, Form(description="of joint attention")] = None,
    people: Annotated[str, Form(description="largest, all or a number")] = "largest",
    voice: Annotated[Voice | None, Form(description="whose the sound is")] = None,
    identify_speakers: Annotated[
        bool | None, Form(description="true: voice=speaker, false: voice=all")
    ] = None,
    low_quality: Annotated[
        LowQuality | None, Form(description="what becomes of moments of low quality")
    ] = None,
    formats: Annotated[
        str, Form(description="more files, with commas between: eaf, textgrid, boris, vtt ...")
    ] = "",
) -> Options:
    """The options of a job.

    Raises:
        HTTPException: Some cannot be had.
    """
    serving: Serving = request.app.state.serving
    models = serving.settings.models
    name = next(iter(models)) if model is None else model
    if name not in models:
        raise HTTPException(422, f"model: none of {', '.join(models)}")
    if hop is not None and window_step is not None:
        raise HTTPException(422, "window_step: is another name of hop; give one")
    if voice is not None and identify_speakers is not None:
        raise HTTPException(422, "identify_speakers: is another name of voice; give one")
    if identify_speakers is not None:
        voice = "speaker" if identify_speakers else "all"
    if granularity is not None or window_length is not None:
        _check_model(models[name], granularity, window_length)
    return Options(
        name,
        window_step if hop is None else hop,
        windows,
        _people(people, serving.settings.limits.people),
        voice,
        low_quality,
        _formats(formats),
    )


def _check_model(file: Path, granularity: Granularity | None, length: float | None) -> None:
    """Refuse what a model does not do."""
    spec = read_spec(file)
    own: Granularity = "frame" if TASKS[spec.task].over_time else "window"
    if granularity not in (None, own):
        raise HTTPException(422, f"granularity: this model speaks about every {own}")
    if length is not None and abs(length - spec.seconds) > 1e-3:
        raise HTTPException(422, f"window_length: that of this model is {spec.seconds:g} s")


def _formats(text: str) -> tuple[str, ...]:
    try:
        return formats_of(text) if text else ()
    except AffuseError as error:
        raise HTTPException(422, f"formats: {error}") from None


def _people(word: str, most: int) -> int:
    try:
        people = how_many(word)
    except AffuseError as error:
        raise HTTPException(422, f"people: {error}") from None
    if people == EVERYBODY:
        return most
    if people > most:
        raise HTTPException(422, f"people: this server takes {most:,} at most")
    return people
