"""A model slid over recordings: windows of streams, batches, outputs, and back to time.

The one way in which models of any task are applied: `affuse predict` and `live` do it to a
recording, `evaluate`, `ensemble` and the fusion of folds to the streams of a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.features.padded import Arrays
from affuse.features.stream import Stream
from affuse.inference.windows import Fixed, NamedSample, StreamWindows, Window, share_left
from affuse.models.applied import Applied, Change
from affuse.models.spec import ModelSpec
from affuse.tasks.registry import task_of
from affuse.tasks.task import Task
from affuse.tasks.windows import NotFinite, Sample, WindowAnswer, WindowPlan

if TYPE_CHECKING:
    from affuse.models.base import Model

#: What a model is shown of a window.
Show = Callable[[NamedSample], Sample]
#: Takes windows, and what was said about each.
Watch = Callable[[Sequence[Window], Sequence[WindowAnswer]], None]


class Sliding:
    """What a model says about the windows of a recording, as its streams arrive.

    Args:
        task: What the model predicts.
        applied: The model.
        plan: Where the windows lie.
        duration: Of the recording in seconds.
        name: Of the recording.
        fixed: Gives the streams of a fixed span, which are not pushed.
        change: Done to each normalised batch.
        watch: Takes each batch of windows after what was said about it.

    Attributes:
        windows: The windows; they know what was present.
        shares: Of each window that was given out: modality -> share in which it is present.
    """

    def __init__(
        self,
        task: Task,
        applied: Applied,
        plan: WindowPlan,
        duration: float,
        name: str = "",
        fixed: Fixed | None = None,
        change: Change | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._task, self._applied, self._change, self._watch = task, applied, change, watch
        self.windows = StreamWindows(applied, plan, duration, name, fixed)
        self.shares: list[Mapping[str, float]] = []
        self._waiting: list[Window] = []

    def push(self, name: str, part: Stream) -> list[WindowAnswer]:
        """Take consecutive frames of a stream, and say what can be said by now.

        Args:
            name: Of the stream.
            part: (T, ...) frames after those that were pushed before.

        Returns:
            Answers of further windows, in their order.

        Raises:
            AffuseError: The model gives, or a frame holds, a number that is not finite.
        """
        self.windows.push(name, part)
        return self._run(ended=False)

    def end(self, name: str) -> list[WindowAnswer]:
        """Nothing more comes of a stream; see `push`."""
        self.windows.end(name)
        return self._run(ended=False)

    def finish(self) -> list[WindowAnswer]:
        """Nothing more comes of any stream: the answers of all other windows; see `push`."""
        self.windows.end()
        return self._run(ended=True)

    def _run(self, ended: bool) -> list[WindowAnswer]:
        """Answers of windows, in batches."""
        found: list[WindowAnswer] = []
        for window in self.windows.ready():
            self._waiting.append(window)
            if len(self._waiting) == self._task.batch:
                found += self._answers()
        if ended and self._waiting:
            found += self._answers()
        return found

    def _answers(self) -> list[WindowAnswer]:
        group, self._waiting = self._waiting, []
        self.shares += [window.shares for window in group]
        answers = answers_of(self._task, self._applied, group, self._change)
        if self._watch:
            self._watch(group, answers)
        return answers


def slide(
    model: Model,
    spec: ModelSpec,
    streams: Mapping[str, Stream],
    duration: float,
    hop: float | None = None,
) -> Any:
    """What a model says about a recording whose streams are there as a whole.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec.
        streams: By name, none of a fixed span.
        duration: Of the recording in seconds.
        hop: Seconds from window to window; by default that of the task.

    Returns:
        What the task makes of its windows: `ClassWindows`, or a `Series` before any smoothing.

    Raises:
        AffuseError: The model gives, or a frame holds, a number that is not finite.
    """
    from affuse.models.sliding import WindowModel

    task = task_of(spec.task, spec.outputs)
    plan = task.plan(spec, model.leader, duration, hop)
    sliding = Sliding(task, WindowModel(model, spec), plan, duration)
    return task.joined(plan, all_answers(sliding, streams), spec)


def all_answers(sliding: Sliding, streams: Mapping[str, Stream]) -> list[WindowAnswer]:
    """The answers of all windows of a recording whose streams are there as a whole.

    Args:
        sliding: Of the recording.
        streams: By name, but for those of a fixed span.

    Raises:
        AffuseError: The model gives, or a frame holds, a number that is not finite.
    """
    found: list[WindowAnswer] = []
    for name, stream in streams.items():
        found += sliding.push(name, stream)
        found += sliding.end(name)
    return [*found, *sliding.finish()]


def answers_of(
    task: Task,
    applied: Applied,
    windows: Sequence[Window],
    change: Change | None = None,
    show: Show | None = None,
) -> list[WindowAnswer]:
    """What a model says about some windows, of one recording or several.

    Args:
        task: What it predicts.
        applied: The model.
        windows: They make one batch.
        change: Done to the normalised batch.
        show: What the model is shown of each window, by default all. How much its modalities count
            stays as the window has it.

    Raises:
        AffuseError: The model gives, or a frame holds, a number that is not finite.
    """
    whole: list[Sample] = [window.sample for window in windows]
    shares = [dict(window.shares) for window in windows]

    def answers(samples: list[Sample]) -> list[WindowAnswer]:
        names = [sample.name for sample in samples if isinstance(sample, NamedSample)]
        shown = [show(x) for x in samples if isinstance(x, NamedSample)] if show else samples
        output, masks = applied.outputs(shown, names, change)
        if samples is whole and change is not None:
            _leave(applied, samples, masks, shares)
        try:
            return task.answers(output, samples)
        except NotFinite as error:
            bad = samples[error.row]
            of = bad.recording if isinstance(bad, NamedSample) else ""
            raise NotFinite(error.row, of) from error

    return task.weighed(answers, whole, applied.specs, shares)


def _leave(
    applied: Applied, samples: Sequence[Sample], masks: Arrays, shares: list[dict[str, float]]
) -> None:
    """Lower the shares of modalities by what a condition took from them."""
    seen: set[str] = set()
    for name, spec in applied.specs.items():
        if spec.modality in seen:
            continue
        seen.add(spec.modality)
        after = masks[name]
        before = np.zeros_like(after)
        for row, sample in enumerate(samples):
            before[row, : len(sample[name].mask)] = sample[name].mask
        for share, left in zip(shares, share_left(before, after), strict=True):
            share[spec.modality] *= float(left)
