"""The model that is checked, the clips that it is checked on, and what it says about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.evaluation.checks.outcome import NotApplicable
from affuse.evaluation.members import Member
from affuse.evaluation.subject import Part, Subject
from affuse.execution.progress import progress
from affuse.features.speakers import place
from affuse.features.store import Store
from affuse.inference.clips import ClipModel
from affuse.inference.extraction import Extraction
from affuse.models.applied import Change
from affuse.models.base import Model
from affuse.models.spec import ModelSpec
from affuse.tasks.class_scores import ClassTable
from affuse.tasks.dimensional_scores import SeriesTable
from affuse.tasks.judgement import Judgement, Scored

#: Clips that are predicted together.
_CLIPS = 32
#: What the predictions of the store as it is are called.
UNCHANGED = "unchanged"
#: Clip id -> what `Task.joined` gave.
Said = Mapping[str, Any]


@dataclass
class Examined:
    """What checks look at.

    Args:
        subject: The model or run, and its store.
        parts: Models and the clips that are judged.
        judgement: A place for predictions under the names of all changes.
        device: Torch device.
        root: Where the recordings of the store lie; None where that is not known.
        sample: Clips that are looked at more often than once.
        workers: Processes that read recordings.
    """

    subject: Subject
    parts: Sequence[Part]
    judgement: Judgement
    device: str = "cpu"
    root: Path | None = None
    sample: int = 60
    workers: int = 1
    _models: dict[tuple[Path, str], Model] = field(default_factory=dict)

    @property
    def data(self) -> Store:
        """The store."""
        return self.subject.data

    @property
    def spec(self) -> ModelSpec:
        """Of the model, or that of the first fold of a run."""
        return self.parts[0].members[0].spec

    @property
    def over_time(self) -> bool:
        """Whether it gives values for every frame, or classes."""
        return self.subject.task.over_time

    @cached_property
    def clips(self) -> list[Clip]:
        """All that are judged, in the order of the store, each once."""
        found = {clip.id: clip for part in self.parts for clip in part.clips}
        return [clip for clip in self.data.clips if clip.id in found]

    @cached_property
    def speakers(self) -> dict[str, str]:
        """Clip id -> speaker; the clip itself where that is not known."""
        return {clip.id: clip.speaker or clip.id for clip in self.clips}

    def some(self, modality: str | None = None, count: int | None = None) -> list[Clip]:
        """Clips spread evenly over speakers, the same in every run.

        Args:
            modality: That they have; any by default.
            count: How many; by default `sample`.

        Raises:
            NotApplicable: The model does not read the modality, or no clip has it.
        """
        own: dict[str, list[Clip]] = defaultdict(list)
        clips = self.clips if modality is None else self._with(modality)
        for clip in sorted(clips, key=lambda clip: place(clip.id)):
            own[self.speakers[clip.id]].append(clip)
        ranked = [(rank, place(c.id), c) for clips in own.values() for rank, c in enumerate(clips)]
        return [clip for *_, clip in sorted(ranked, key=lambda x: x[:2])[: count or self.sample]]

    def _with(self, modality: str) -> list[Clip]:
        """The clips in which a modality is present."""
        what = "sound" if modality == "audio" else "images"
        names = [name for name, spec in self.spec.streams.items() if spec.modality == modality]
        if not names:
            raise NotApplicable(f"the model reads no {what}")
        files = [self.data.stream(name) for name in names]
        found = [c for c in self.clips if any(x.outline(c.id).mask.any() for x in files)]
        if not found:
            raise NotApplicable(f"no clip has {what}")
        return found

    @cached_property
    def extraction(self) -> Extraction:
        """What makes the streams of the first model, with the networks that its file holds."""
        return Extraction(self.parts[0].members[0].file, self.spec.streams)

    def model(self, member: Member, device: str | None = None) -> Model:
        """A model on a device, opened once."""
        key = member.file, device or self.device
        if key not in self._models:
            self._models[key] = member.open(key[1])
        return self._models[key]

    def member_of(self, clips: Sequence[Clip]) -> tuple[Member, list[Clip]]:
        """The model that judges the first of some clips, and those of them that it judges."""
        for part in self.parts:
            ids = {clip.id for clip in part.clips}
            if clips[0].id in ids:
                return part.members[0], [clip for clip in clips if clip.id in ids]
        raise ValueError(clips[0].id)

    def say(
        self,
        clips: Sequence[Clip],
        label: str,
        data: Store | None = None,
        change: Change | None = None,
        modality: str | None = None,
    ) -> Said:
        """What the models say about clips, each by that of its fold.

        Args:
            clips: The clips.
            label: Of the bar.
            data: Where other streams of them are.
            change: Done to every normalised batch.
            modality: Whose values the change alters.
        """
        found: dict[str, Any] = {}
        work: list[tuple[ClipModel, list[Clip]]] = []
        wanted = {clip.id for clip in clips}
        for part in self.parts:
            member = part.members[0]
            own = [clip for clip in part.clips if clip.id in wanted]
            wanted -= {clip.id for clip in own}
            model = ClipModel(
                self.model(member),
                member.spec,
                data or member.data,
                {"": change},
                {"": modality},
            )
            work += [(model, own[k : k + _CLIPS]) for k in range(0, len(own), _CLIPS)]
        for model, group in progress(work, label):
            said = model.predict(group)[""]
            found |= {clip.id: one for clip, one in zip(group, said, strict=True)}
        return found

    @cached_property
    def said(self) -> Said:
        """What the models say about all clips as they are."""
        return self.say(self.clips, "predict")

    @cached_property
    def scored(self) -> Scored:
        """That beside the truth."""
        return self.judge(UNCHANGED, self.said)

    def judge(self, name: str, said: Said) -> Scored:
        """What was said beside the truth.

        Args:
            name: One of the conditions of the judgement, under which nothing was judged yet.
            said: About some clips.
        """
        left = {*said}
        for part in self.parts:
            for clip in part.clips:
                if clip.id in left:
                    left.remove(clip.id)
                    spec = part.members[0].spec
                    self.judgement.add(name, part.fold, clip, [said[clip.id]], [spec])
        return self.judgement.scored(name)

    @property
    def classes(self) -> ClassTable:
        """Predicted classes; `NotApplicable` where the model gives values."""
        if isinstance(self.scored.table, SeriesTable):
            raise NotApplicable("the model gives continuous values, not classes")
        return self.scored.table

    @property
    def series(self) -> SeriesTable:
        """Predicted values; `NotApplicable` where the model gives classes."""
        if isinstance(self.scored.table, ClassTable):
            raise NotApplicable("the model gives classes, not continuous values")
        return self.scored.table

    @property
    def scored_speakers(self) -> np.ndarray:
        """(N,) speakers of the clips of `scored`."""
        return np.array([self.speakers[clip] for clip in self.scored.clips])

    def counts(self, clips: Collection[str]) -> np.ndarray:
        """(S,) how many of some clips each speaker has."""
        return np.unique([self.speakers[clip] for clip in clips], return_counts=True)[1]
