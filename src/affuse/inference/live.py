"""A model applied to a source while it is read."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affuse.errors import AffuseError, Unusable
from affuse.features.extractor import SHORTEST
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.models.modelfile import ModelSpec
from affuse.tasks.registry import task_entry

#: Extractors of features that belong to recordings by their names.
_BY_NAME = ("own", "openface", "emoca")


@dataclass(frozen=True)
class Line:
    """What is said about one moment.

    Args:
        time: Seconds from the beginning of the source.
        values: (D,) values or (C,) probabilities; None where nothing is known.
        present: `video` and `audio` -> whether face and sound are there, for those the model reads.
        silent: Whether the sound is there, but silent; None for models that do not read it.
        latency: Seconds after which a moment is spoken about at the latest.
    """

    time: float
    values: np.ndarray | None
    present: dict[str, bool]
    silent: bool | None
    latency: float

    def to_json(self, spec: ModelSpec) -> dict[str, Any]:
        """The line as JSON values, with the names of a model's classes or dimensions."""
        values: dict[str, Any] = dict.fromkeys(spec.outputs)
        if self.values is not None:
            values = {n: round(float(x), 4) for n, x in zip(spec.outputs, self.values, strict=True)}
        if not task_entry(spec.task).over_time:
            values = {"probabilities": None if self.values is None else values}
        there = {
            "face": self.present.get("video"),
            "sound": self.present.get("audio"),
            "silent": self.silent,
        }
        return {
            "time": round(self.time, 3),
            **values,
            **there,
            "latency": round(self.latency, 3),
        }


def follow(
    predictor: Predictor, live: Live, hop: float, delay: float, paced: bool = False
) -> Iterator[Line]:
    """Speak about one moment after the other.

    A line about time t rests on the last window up to t + delay and on nothing after: this window
    is read as `predict` reads a recording of its length.

    Args:
        predictor: The model.
        live: The source, which keeps at least the window.
        hop: Seconds from line to line.
        delay: Seconds that a line waits for what follows its moment.
        paced: Whether the source comes by the clock; then lines are left out where computing falls
            behind it.

    Raises:
        AffuseError: The model reads features that are imported for each recording.
    """
    for spec in predictor.spec.streams.values():
        if spec.recipe.get("extractor") in _BY_NAME:
            raise AffuseError(f"the model reads {spec.name}, which a live source does not have")
    with TemporaryDirectory(prefix="affuse-") as folder:
        number, running = 0, True
        while True:
            number += 1
            running = running and live.advance(number * hop)
            time = number * hop - delay
            if not running and time > live.end:
                return
            until = number * hop if running else min(number * hop, live.end)
            behind = max(0.0, live.behind(until)) if paced and running else 0.0
            if time < 0 or until < SHORTEST or behind > hop:
                continue
            started = clock.monotonic()
            said = _say(predictor, live, Path(folder) / "window.mov", until, time)
            taken = clock.monotonic() - started
            yield Line(time, *said, delay + hop + behind + taken)


def _say(
    predictor: Predictor, live: Live, path: Path, until: float, time: float
) -> tuple[np.ndarray | None, dict[str, bool], bool | None]:
    """Values (D,) or probabilities (C,) at a time, or None; what was present, and if silent."""
    rate = predictor.model.leader.rate
    start = max(0.0, until - predictor.window)
    if rate:  # then frames lie at the same moments as in a prediction of the whole
        start = math.ceil(start * rate - 1e-6) / rate
    begin = live.write(path, start, until)
    absent = {spec.modality: False for spec in predictor.spec.streams.values()}
    nothing = None, absent, False if "audio" in absent else None
    if begin is None or until - begin < SHORTEST:
        return nothing
    try:
        heard = live.heard(begin, until) if live.sounded >= SHORTEST else ()
        (timeline,) = predictor.read(path, heard=heard)
    except Unusable:  # too little in the window of what the model reads
        return nothing
    moment = np.array([time - begin])
    present = {name: bool(p.at(moment)[0]) for name, p in timeline.presence.items()}
    sound = timeline.presence.get("audio")
    silent = None if sound is None else bool(sound.silent_at(moment)[0])
    follows = predictor.model.leader.modality == "video" and live.pictured
    row = timeline.latest(float(moment[0]), follows and not timeline.images)
    return None if np.isnan(row).any() else row, present, silent
