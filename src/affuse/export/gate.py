"""Whether an ONNX file says what its model file says, before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affuse.features.stream import Stream, StreamSpec, window_of
from affuse.inference.extraction import Extraction
from affuse.media.probe import probe
from affuse.models.applied import Applied, WindowOutput
from affuse.models.spec import ModelSpec

#: Difference of probabilities, values and readings, at most.
TOLERANCE = 1e-4
#: Of dense layers in 8 bits: mean difference at most, and the share of comparisons in which the
#: same class comes first at least.
MEAN_INT8, AGREEMENT_INT8 = 0.02, 0.98
#: Windows of a recording that are compared, at most, spread over it.
_WINDOWS = 8
#: Of the noise of which synthetic windows are made.
_SEED = 7

#: The raw streams of a window.
Sample = dict[str, Stream]


@dataclass(frozen=True)
class Difference:
    """How far two files are apart.

    Args:
        windows: Comparisons of a window, with all that was left out of it in turn.
        worst: Greatest difference of probabilities or values, of readings, and of the share of the
            sound in which a voice is heard.
        mean: Mean difference of probabilities or values.
        agreement: Share of the comparisons in which the same class comes first, up to ties within
            the tolerance; of values, 1.
        where: What the worst one is of.
    """

    windows: int
    worst: float
    mean: float
    agreement: float
    where: str

    @property
    def equal(self) -> bool:
        """Whether they say the same."""
        return self.worst <= TOLERANCE and self.agreement == 1.0

    @property
    def close(self) -> bool:
        """Whether they say nearly the same, as dense layers in 8 bits may."""
        return self.mean <= MEAN_INT8 and self.agreement >= AGREEMENT_INT8

    def __str__(self) -> str:
        return (
            f"{self.windows} comparisons, greatest difference {self.worst:.2g} ({self.where}), "
            f"mean {self.mean:.2g}, the same class first in {self.agreement:.1%}"
        )


def compare(ours: Applied, theirs: Applied, pairs: Sequence[tuple[Sample, Sample]]) -> Difference:
    """Compare two files on windows: as they are, without each modality, shorter, alone, together.

    Args:
        ours: The model file.
        theirs: The ONNX file.
        pairs: Streams of windows, as either file makes them.
    """
    worst, where, apart, same, count = 0.0, "nothing", [], 0, 0
    for name, change in _changes(ours.spec):
        samples = [
            [_embedded(applied, {n: change(n, x) for n, x in sample.items()}) for sample in side]
            for applied, side in zip((ours, theirs), zip(*pairs, strict=True), strict=True)
        ]
        for size in {1, len(pairs)}:
            for first in range(0, len(pairs), size):
                group = slice(first, first + size)
                found, told = (
                    applied.outputs(side[group])[0]
                    for applied, side in zip((ours, theirs), samples, strict=True)
                )
                difference = _apart(found, told)
                apart.append(float(difference.mean()))
                highest = max(float(difference.max()), _apart_beside(found, told))
                if not highest <= worst:
                    worst, where = highest, name
                same += int(_same_first(found, told).sum())
                count += len(found.scores)
    return Difference(count, worst, float(np.mean(apart)), same / count, where)


def _changes(spec: ModelSpec) -> Iterator[tuple[str, Callable[[str, Stream], Stream]]]:
    """What is left out of windows in turn."""
    modalities = sorted({stream.modality for stream in spec.streams.values()})

    def without(gone: Sequence[str]) -> Callable[[str, Stream], Stream]:
        def change(name: str, stream: Stream) -> Stream:
            if spec.streams[name].modality not in gone:
                return stream
            nothing = np.zeros_like(stream.mask)
            return replace(stream, values=np.zeros_like(stream.values), mask=nothing)

        return change

    def half(name: str, stream: Stream) -> Stream:
        if not spec.streams[name].rate or spec.streams[name].span is not None:
            return stream
        length = max(1, len(stream.mask) // 2)
        return replace(stream, values=stream.values[:length], mask=stream.mask[:length])

    def first(name: str, stream: Stream) -> Stream:
        if spec.streams[name].span is not None:
            return stream
        return replace(stream, values=stream.values[:1], mask=stream.mask[:1])

    yield "everything", without([])
    for modality in modalities if len(modalities) > 1 else ():
        yield f"without {modality}", without([modality])
    yield "nothing", without(modalities)
    yield "half a window", half
    yield "one frame", first


def _embedded(applied: Applied, sample: Sample) -> Sample:
    """A window as a model takes it."""
    return {name: applied.embed(name, stream, slice(None)) for name, stream in sample.items()}


def _apart(ours: WindowOutput, theirs: WindowOutput) -> np.ndarray:
    """Differences of probabilities, or of values that rest on something; infinite for others."""
    if ours.mask is None or theirs.mask is None:
        return np.abs(ours.probabilities - theirs.probabilities)
    # a graph may say less of frames beyond the longest stream, never something else
    length = min(ours.mask.shape[1], theirs.mask.shape[1])
    alike = np.array_equal(ours.mask[:, :length], theirs.mask[:, :length])
    if not alike or ours.mask[:, length:].any() or theirs.mask[:, length:].any():
        return np.full(1, np.inf)
    known = ours.mask[:, :length]
    found = np.abs(ours.scores[:, :length] - theirs.scores[:, :length])[known]
    return found if found.size else np.zeros(1)


def _apart_beside(ours: WindowOutput, theirs: WindowOutput) -> float:
    """Greatest difference of what is said beside; infinite where one knows it and one does not."""
    found, told = ({**x.ratings, "voice": x.voice} for x in (ours, theirs))
    if found.keys() != told.keys():
        return np.inf
    worst = 0.0
    for name, mine in found.items():
        other = told[name]
        if mine is None or other is None:
            worst = max(worst, 0.0 if mine is other else np.inf)
            continue
        known = np.isfinite(mine)
        if not np.array_equal(known, np.isfinite(other)):
            return np.inf
        worst = max(worst, float(np.abs(mine - other)[known].max(initial=0.0)))
    return worst


def _same_first(ours: WindowOutput, theirs: WindowOutput) -> np.ndarray:
    """(B,) whether the same class comes first; or the two are equally likely, as of nothing."""
    if ours.mask is not None:
        return np.ones(len(ours.scores), bool)
    rows = np.arange(len(ours.scores))
    first, second = (x.probabilities.argmax(1) for x in (ours, theirs))
    lead = ours.probabilities[rows, first] - ours.probabilities[rows, second]
    return np.asarray(lead <= TOLERANCE)


def recorded(
    paths: Sequence[Path], spec: ModelSpec, streams: Extraction, others: Extraction
) -> list[tuple[Sample, Sample]]:
    """Windows of recordings, as the extractors of either file make their streams.

    Args:
        paths: The recordings.
        spec: Of the model.
        streams: Of the model file.
        others: Of the ONNX file.

    Raises:
        BadInput: A recording cannot be used.
    """
    found: list[tuple[Sample, Sample]] = []
    for path in paths:
        info = probe(path)
        starts = np.linspace(0, max(info.duration - spec.seconds, 0), _WINDOWS).tolist()
        sides = []
        for extraction in (streams, others):
            read = extraction.read(info, starts=starts)
            whole: dict[str, list[Stream]] = {name: [] for name in spec.streams}
            for name, part in read.parts(info.duration):
                if part is not None:
                    whole[name].append(part)
            own = {name: _whole(parts, spec.streams[name]) for name, parts in whole.items()}
            cut = [window_of(own, spec.streams, start, spec.seconds) for start in starts]
            for number, (sample, start) in enumerate(zip(cut, starts, strict=True)):
                for name, stream in spec.streams.items():
                    if stream.span is not None:
                        sample[name] = read.window(name, number, start, info.duration)
            sides.append(cut)
        found += zip(*sides, strict=True)
    return found


def _whole(parts: Sequence[Stream], spec: StreamSpec) -> Stream:
    if not parts:
        return Stream(np.zeros((0, *spec.shape), spec.dtype), np.zeros(0, bool))
    values = np.concatenate([part.values for part in parts])
    return Stream(values, np.concatenate([part.mask for part in parts]), parts[0].start)


def synthetic(spec: ModelSpec, count: int = 4) -> list[tuple[Sample, Sample]]:
    """Windows of noise with the statistics of the training data; a stretch of each is absent."""
    generator = np.random.default_rng(_SEED)
    found = []
    for _ in range(count):
        sample = {name: _noise(stream, spec, generator) for name, stream in spec.streams.items()}
        found.append((sample, sample))
    return found


def _noise(stream: StreamSpec, spec: ModelSpec, generator: np.random.Generator) -> Stream:
    length = len(Stream.absent(stream, spec.seconds).mask)
    shape = (max(1, length), *stream.shape)
    mask = np.ones(shape[0], bool)
    first = int(generator.integers(1, shape[0] + 1))  # a stretch: many layers want frames together
    mask[first : first + shape[0] // 5] = False
    if stream.dtype == "uint8":
        return Stream(generator.integers(0, 256, shape, np.uint8), mask)
    values = generator.standard_normal(shape)
    if stream.kind == "scores":
        values -= np.log(np.exp(values).sum(-1, keepdims=True))
    elif (statistics := spec.normalisation.get(stream.name)) is not None:
        mean, deviation = np.array(statistics.mean), np.array(statistics.std)
        if mean.size == np.prod(stream.shape):
            mean, deviation = mean.reshape(stream.shape), deviation.reshape(stream.shape)
        values = mean + deviation * values
    return Stream(values.astype(stream.dtype), mask)
