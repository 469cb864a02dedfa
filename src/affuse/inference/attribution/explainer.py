"""Shows a model less than there is, window by window, and notes what it says then.

The windows of a recording are those of its prediction, as they come by. Every one is answered
again without some of it, in the same batches: 2^M - 1 times for M modalities, M times for each
stretch that a window meets, and once for each part of the frames of a stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from affuse.errors import AffuseError
from affuse.features.stream import Stream
from affuse.inference.attribution.moments import moments_of
from affuse.inference.attribution.parts import Part, SoundBand, parts_of
from affuse.inference.attribution.shapley import Coalition, coalitions, shapley_values
from affuse.inference.attribution.withholding import (
    first_stretch,
    only,
    with_values,
    without_stretch,
)
from affuse.inference.buffer import StreamBuffer
from affuse.inference.sliding import Show, answers_of
from affuse.inference.windows import Window
from affuse.models.applied import Applied
from affuse.tasks.explanation import Explanation, PartEffect
from affuse.tasks.prediction import Prediction
from affuse.tasks.task import Task
from affuse.tasks.windows import WindowAnswer, WindowPlan

#: Seconds of a stretch, and the fewest.
STRETCH, SHORTEST = 0.5, 0.1
#: How many times as long as a prediction an explanation may take.
LONGER = 20.0


def check_stretch(seconds: float) -> None:
    """Refuse stretches that are too short.

    Raises:
        AffuseError: They are.
    """
    if not SHORTEST <= seconds < float("inf"):
        raise AffuseError(f"a stretch of {seconds:g} s: expected {SHORTEST:g} s or more")


class Explainer:
    """Takes the streams and the windows of a recording, and says what its prediction rests on.

    Args:
        task: What the model predicts.
        applied: The model.
        plan: Where the windows lie.
        duration: Of the recording in seconds.
        stretch: Seconds of sound or images that are withheld at a time.
        filtered: Consecutive parts of streams of sound without a band, of the same frames as those
            that are pushed.
    """

    def __init__(
        self,
        task: Task,
        applied: Applied,
        plan: WindowPlan,
        duration: float,
        stretch: float = STRETCH,
        filtered: Mapping[SoundBand, Iterator[Stream]] | None = None,
    ) -> None:
        self._task, self._applied, self._plan = task, applied, plan
        self._duration, self._stretch = duration, stretch
        self._specs = applied.spec.streams
        self._players = list(dict.fromkeys(spec.modality for spec in self._specs.values()))
        self._parts: list[Part | SoundBand] = []
        self._missing: dict[str, str] = {}
        self._filtered = dict(filtered or {})
        for name, spec in self._specs.items():
            found = parts_of(spec, applied.spec.normalisation.get(name))
            bands = [band for band in self._filtered if band.stream == name]
            if not isinstance(found, str):
                self._parts += found
            elif bands:
                self._parts += bands
            else:
                self._missing[name] = found
        first, last = float(plan.starts[0]), float(plan.starts[-1]) + plan.seconds
        self._buffers = {
            k: StreamBuffer(self._specs[part.stream], applied, first, last, "")
            for k, part in enumerate(self._parts)
            if part.stream in applied.embedded or isinstance(part, SoundBand)
        }
        self._said: dict[Coalition, list[WindowAnswer]] = defaultdict(list)
        self._part_falls: list[list[np.ndarray]] = [[] for _ in self._parts]
        count = int(np.ceil(duration / stretch - 1e-6))
        shape = (len(self._players), count, len(applied.spec.outputs))
        self._falls, self._weights = np.zeros(shape), np.zeros(shape[:2])

    def push(self, name: str, part: Stream) -> None:
        """Take consecutive frames of a stream, before `Sliding` takes them."""
        for k, buffer in self._buffers.items():
            hidden = self._parts[k]
            if hidden.stream != name:
                continue
            if isinstance(hidden, SoundBand):
                buffer.push(next(self._filtered[hidden]))
            else:
                values = hidden.hidden(part.values) if len(part.mask) else part.values
                buffer.push(replace(part, values=values))

    def watch(self, windows: Sequence[Window], answers: Sequence[WindowAnswer]) -> None:
        """Take windows and what was said about them; see `Sliding`.

        Raises:
            AffuseError: The model gives a number that is not finite for less than there is.
        """
        everything = frozenset(self._players)
        self._said[everything] += answers
        for some in coalitions(self._players):
            if some != everything:
                self._said[some] += self._shown(only(some, self._specs), windows, answers)
        for player, modality in enumerate(self._players):
            self._withhold_stretches(player, modality, windows, answers)
        for k, part in enumerate(self._parts):
            hidden = self._shown(self._hiding(k, part), windows, answers)
            for full, less in zip(answers, hidden, strict=True):
                mask = full.mask
                fall = _fall(full, less, slice(None) if mask is None else mask)
                self._part_falls[k].append(fall)
        following = windows[-1].index + 1
        if following < len(self._plan.starts):
            for buffer in self._buffers.values():
                buffer.drop(float(self._plan.starts[following]))

    def _shown(
        self, show: Show, windows: Sequence[Window], answers: Sequence[WindowAnswer]
    ) -> list[WindowAnswer]:
        """What is said of less, about what was known of all."""
        found = answers_of(self._task, self._applied, windows, show=show)
        return [replace(less, mask=full.mask) for less, full in zip(found, answers, strict=True)]

    def _hiding(self, k: int, part: Part | SoundBand) -> Show:
        """Shows frames without a part of them."""
        if isinstance(part, Part) and k not in self._buffers:
            return with_values(part.stream, lambda _, values: part.hidden(values))
        window = partial(self._buffers[k].window, seconds=self._plan.seconds)
        return with_values(part.stream, lambda start, _: window(start).values)

    def _withhold_stretches(
        self,
        player: int,
        modality: str,
        windows: Sequence[Window],
        answers: Sequence[WindowAnswer],
    ) -> None:
        """Add how much outputs fall without each stretch that the windows meet."""
        if not any(x.rate for x in self._specs.values() if x.modality == modality):
            return  # one row per clip has no time
        starts = [float(self._plan.starts[window.index]) for window in windows]
        first = [first_stretch(start, self._stretch) for start in starts]
        ends = [min(start + self._plan.seconds, self._duration) for start in starts]
        last = [int(np.ceil(end / self._stretch - 1e-6)) for end in ends]
        for number in range(max(b - a for a, b in zip(first, last, strict=True))):
            show = without_stretch(modality, number, self._stretch, self._specs)
            less = self._shown(show, windows, answers)
            for k, window in enumerate(windows):
                place = first[k] + number
                if place >= last[k]:
                    continue
                begin, end = place * self._stretch, (place + 1) * self._stretch
                weight = max(0.0, min(end, ends[k]) - max(begin, starts[k]))
                mask = answers[k].mask
                if mask is not None:
                    times = (self._plan.spans[window.index][0] + np.arange(len(mask))) / (
                        self._plan.rate
                    )
                    inside = mask & (begin - 1e-6 <= times) & (times < end - 1e-6)
                    weight = float(inside.sum())
                    fall = _fall(answers[k], less[k], inside)
                else:
                    fall = _fall(answers[k], less[k], slice(None))
                if weight and not np.isnan(fall).any():
                    self._falls[player, place] += weight * fall
                    self._weights[player, place] += weight

    def explanation(
        self, prediction: Prediction, predicted: Callable[[Sequence[WindowAnswer]], Prediction]
    ) -> Explanation:
        """What a prediction rests on, after all its windows came by.

        Args:
            prediction: Of the answers of all windows.
            predicted: Makes one of other answers.
        """
        moments = moments_of(prediction)
        everything = frozenset(self._players)
        rows = {
            some: moments.rows if some == everything else moments_of(predicted(answers)).rows
            for some, answers in self._said.items()
        }
        unknown = np.isnan(moments.rows).any(1)
        rows = {some: _without(values, unknown) for some, values in rows.items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            falls = self._falls / self._weights[..., None]
        reach = np.stack([self._plan.starts, self._plan.starts + self._plan.seconds], 1)
        return Explanation(
            outputs=self._applied.spec.outputs,
            unit=moments.unit,
            starts=moments.starts,
            ends=moments.ends,
            baseline=rows[frozenset()],
            contributions=shapley_values(self._players, rows),
            output=rows[everything],
            stretch=self._stretch,
            falls=dict(zip(self._players, falls, strict=True)),
            windows=reach.clip(0, self._duration),
            parts=[
                PartEffect(
                    part.stream, part.what, part.name, np.stack(values), part.where, part.crop
                )
                for part, values in zip(self._parts, self._part_falls, strict=True)
            ],
            missing=self._missing,
        )


def _without(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values (N, K) as float64, NaN in some rows."""
    return np.where(rows[:, None], np.nan, values.astype(np.float64))


def _fall(full: WindowAnswer, less: WindowAnswer, rows: slice | np.ndarray) -> np.ndarray:
    """(K,) how much the outputs of a window fall: of classes, or on average over some frames."""
    fall = full.values.astype(np.float64) - less.values
    if full.mask is None:
        return np.asarray(fall)
    chosen = fall[rows]
    return np.asarray(chosen.mean(0) if len(chosen) else np.full(fall.shape[1], np.nan))
