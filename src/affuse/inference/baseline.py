"""What recordings of a person tell of them: the baseline that their predictions stand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Tracks
from affuse.errors import AffuseError, BadInput
from affuse.execution.progress import progress
from affuse.features.baseline import Baselines, Known, evidence_of, together
from affuse.features.catalogue import Sources
from affuse.features.extractor import check_length
from affuse.features.speakers import NO_BASELINE
from affuse.inference.extraction import Extracted, Extraction, Voice
from affuse.inference.given import RecordingLike, opened
from affuse.media.probe import probe
from affuse.models.spec import ModelSpec
from affuse.tasks.own_baseline import OwnBaseline


@dataclass(frozen=True)
class Baseline:
    """What is known of a person.

    Args:
        known: Name of a stream -> evidence.
        recordings: How many recordings it is of.
    """

    known: Known = field(default_factory=dict)
    recordings: int = 0

    def used(self, baselines: Baselines) -> OwnBaseline:
        """What predictions say of it."""
        return OwnBaseline(self.recordings, baselines.seconds(self.known))

    @classmethod
    def of(cls, parts: Iterable[Baseline]) -> Baseline:
        """All that is known, added in the order of the parts."""
        parts = list(parts)
        return cls(together(part.known for part in parts), sum(part.recordings for part in parts))


class BaselineReader:
    """Reads recordings of one person, for what a model can know of them.

    Args:
        model: The model file.
        spec: Its spec.
        source: As `Predictor` takes it.

    Raises:
        BadInput: The model was not trained to know people.
    """

    def __init__(self, model: Path, spec: ModelSpec, source: Sources = None) -> None:
        baselines = spec.baselines
        if baselines is None:
            raise BadInput(model, NO_BASELINE)
        self._baselines, self._spec = baselines, spec
        self._streams = Extraction(model, baselines.specs, source)

    def read_all(self, paths: Iterable[RecordingLike]) -> Baseline:
        """What recordings tell together, with a bar.

        Raises:
            BadInput: See `read`.
        """
        return Baseline.of(self.read(path) for path in progress([*paths], "baseline"))

    def read(
        self, path: RecordingLike, tracks: Tracks | None = None, voice: Voice = "all"
    ) -> Baseline:
        """What one recording tells of its main person; it is read once.

        Args:
            path: The recording, as `Predictor.predict` takes it.
            tracks: Which tracks of sound and images to read; by default the file decides.
            voice: Whether all sound is theirs, or what goes with their mouth.

        Raises:
            BadInput: It cannot be used, or shows nothing that the model reads.
        """
        with opened(path) as file, self._streams.computed():
            return self._read(file, tracks, voice)

    def _read(self, path: Path, tracks: Tracks | None, voice: Voice) -> Baseline:
        info = probe(path, tracks)
        if not info.still:
            check_length(info.path, info.duration)
        starts = np.arange(0, max(info.duration, 1e-3), self._spec.seconds).tolist()
        found = self._streams.read(info, voice=voice, starts=starts)
        try:
            known = together(self._parts(found, info.duration, starts))
        except BadInput:
            raise
        except AffuseError as error:  # a frame that is not finite
            raise BadInput(info.path, str(error)) from error
        if not known:
            raise BadInput(info.path, "shows nothing of a person that the model reads")
        return Baseline(known, 1)

    def _parts(self, found: Extracted, duration: float, starts: list[float]) -> Iterator[Known]:
        """What the parts of a recording tell, each let go of before the next."""
        specs = self._baselines.specs
        for name, part in found.parts(duration):
            if part is not None and len(part.mask):
                yield evidence_of({name: part}, specs)
        for name in (name for name, spec in specs.items() if spec.span is not None):
            for number, start in enumerate(starts):
                yield evidence_of({name: found.window(name, number, start, duration)}, specs)
