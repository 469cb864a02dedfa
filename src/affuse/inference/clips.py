"""A model applied to the clips of a store, as it is to their recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.speakers import Amount, SpeakerBaselines
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration
from affuse.inference.sliding import answers_of
from affuse.inference.windows import StreamWindows, Window
from affuse.models.applied import Change
from affuse.models.base import Model
from affuse.models.sliding import WindowModel
from affuse.models.spec import ModelSpec
from affuse.tasks.registry import task_of
from affuse.tasks.windows import WindowPlan

#: Windows that pass a model together.
_BATCH = 32
#: Seconds by which streams differ at most from the clip that they are of.
_FRAME = 0.25


class ClipModel:
    """A model that predicts clips of a store under several conditions.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec.
        data: Where the streams are.
        changes: Condition -> what it does to a normalised batch; one that does nothing by default.
        changed: Condition -> the modality whose values it changes, if any.
        known: How much is known of the speakers of clips, of a model that can use it.
    """

    def __init__(
        self,
        model: Model,
        spec: ModelSpec,
        data: Store,
        changes: Mapping[str, Change | None] | None = None,
        changed: Mapping[str, str | None] | None = None,
        known: Amount = "none",
    ) -> None:
        self.spec, self.data = spec, data
        self.task = task_of(spec.task, spec.outputs)
        self._leader = model.leader
        self._speakers = None
        if baselines := spec.baselines:
            usable = data.usable(list(spec.streams))
            self._speakers = SpeakerBaselines(data, usable, baselines, known)
        self._changes = changes or {"": None}
        groups: dict[tuple[str, ...], list[str]] = {}
        for name in self._changes:
            modality = (changed or {}).get(name)
            whole = [n for n, stream in spec.streams.items() if stream.modality == modality]
            groups.setdefault(tuple(whole), []).append(name)
        # conditions that leave the frames of a stream alone share what is made of them
        self._applied = [(WindowModel(model, spec, key), names) for key, names in groups.items()]

    def predict(self, clips: Sequence[Clip]) -> dict[str, list[Any]]:
        """What the model says about clips, neither smoothed nor clipped.

        Args:
            clips: Of the store.

        Returns:
            Condition -> what `Task.joined` gives for each clip.

        Raises:
            AffuseError: The model gives, or a frame holds, a number that is not finite.
        """
        found: dict[str, list[Any]] = {}
        for applied, names in self._applied:
            plans, windows, rows = [], [], []
            for row, clip in enumerate(clips):
                plan, own = self._windows(applied, clip)
                plans.append(plan)
                windows += own
                rows += [row] * len(own)
            for name in names:
                answers = []
                for first in range(0, len(windows), _BATCH):
                    group = windows[first : first + _BATCH]
                    answers += answers_of(self.task, applied, group, self._changes[name])
                found[name] = [
                    self.task.joined(
                        plan, [x for x, k in zip(answers, rows, strict=True) if k == row], self.spec
                    )
                    for row, plan in enumerate(plans)
                ]
        return {name: found[name] for name in self._changes}

    def _windows(self, applied: WindowModel, clip: Clip) -> tuple[WindowPlan, list[Window]]:
        """The windows that cover a clip; streams of a fixed span hold one per clip."""
        specs = self.spec.streams
        streams = {name: self.data.stream(name)[clip.id] for name in specs}
        streams = self._speakers.moved(clip.id, streams) if self._speakers else streams
        files = [self.data.stream(name) for name in specs]
        told = max((x.seconds[clip.id] for x in files if clip.id in x.seconds), default=None)
        duration = _duration(clip, told, stream_duration(streams, specs))
        plan = self.task.plan(self.spec, self._leader, duration)
        if any(spec.span is not None for spec in specs.values()):
            plan = replace(plan, starts=np.zeros(1))
        fixed = partial(_whole, streams)
        cut = StreamWindows(applied, plan, duration, clip.id, fixed)
        for name, stream in streams.items():
            if specs[name].span is None:
                cut.push(name, stream)
        cut.end()
        return plan, list(cut.ready())


def _duration(clip: Clip, recorded: float | None, streamed: float) -> float:
    """Seconds of a clip: as its recording or corpus says, if its streams reach so far, or theirs.

    Streams end up to a frame earlier or later than what they were made of.
    """
    told = recorded if clip.end is None else clip.end - clip.start
    return streamed if told is None or abs(told - streamed) > _FRAME else told


def _whole(streams: Mapping[str, Stream], name: str, number: int) -> Stream:
    return streams[name]
