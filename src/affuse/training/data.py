"""Clips of a store as batches: windows, their order, and statistics of the training clips."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.baseline import evidence_of, is_personal, together
from affuse.features.batch import TARGET_RATE, Batch, Normalisation, check_finite, collate
from affuse.features.extractor import SHORTEST, same_stream
from affuse.features.speakers import SpeakerBaselines
from affuse.features.store import Store, StreamFile
from affuse.features.stream import (
    Stream,
    StreamSpec,
    stream_duration,
    window_of,
)
from affuse.tasks.targets import Target
from affuse.training.processes import count, number
from affuse.training.sampling import balanced_order

Sample = tuple[dict[str, Stream], np.ndarray, str]


class ClipDataset(Dataset[Sample]):
    """Windows of clips with their targets.

    Args:
        store: Where the streams are.
        clips: The clips.
        streams: Names of the streams.
        window: Seconds.
        target: What a window is to be learned as.
        hop: Seconds from window to window, the last one flush with the end of the clip; 0 for one
            window in its middle.
        shift: Largest random shift of the windows in seconds, for training.
        adjust_duration: Probability that a window is cut to a random stretch of what the clip has
            there, of at least `SHORTEST` seconds, for training.
        seed: Of all that is drawn; together with the epoch and the clip it fixes each draw.
        copies: Stores of changed recordings of the same clips, for training: in each epoch a clip
            is read from one of those of its corpus or from the store itself, the same window of
            all.

    Attributes:
        speakers: Standardises clips by what is known of their speakers; None where nothing does.
        strangers: Share of the windows, drawn in every epoch, that are left as they are.
        resident: All windows on the device that learns from them (`affuse.training.resident`);
            None where each batch is read from the store.

    Raises:
        BadInput: Copies have another spec of a stream, or none of them.
    """

    speakers: SpeakerBaselines | None = None
    strangers: float = 0.0
    resident: Batch | None = None

    def __init__(
        self,
        store: Store,
        clips: Sequence[Clip],
        streams: Sequence[str],
        window: float,
        target: Target,
        hop: float = 0.0,
        shift: float = 0.0,
        adjust_duration: float = 0.0,
        seed: int = 0,
        copies: Sequence[Store] = (),
    ) -> None:
        self.files = {name: store.stream(name) for name in streams}
        self.specs = {name: file.spec for name, file in self.files.items()}
        self.window, self.shift, self.seed, self.epoch = window, shift, seed, 0
        self.adjust_duration = adjust_duration
        versions: dict[str, list[dict[str, StreamFile]]] = {}
        for copy in copies:
            versions.setdefault(copy.corpus, []).append(copied_files(copy, self.files))
        self._copies = {clip.id: versions.get(clip.corpus or store.corpus, []) for clip in clips}
        self.target = target
        self.windows = [(clip.id, start) for clip in clips for start in self._starts(clip.id, hop)]

    def _starts(self, clip: str, hop: float) -> list[float]:
        streams = {name: file.outline(clip) for name, file in self.files.items()}
        duration = stream_duration(streams, self.specs)
        if not hop or duration <= self.window:
            return [(duration - self.window) / 2]
        frames, length, step = (round(s * TARGET_RATE) for s in (duration, self.window, hop))
        return [k / TARGET_RATE for k in (*range(0, frames - length, step), frames - length)]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Sample:
        clip, start = self.windows[index]
        if self.shift:
            start += self._draw(clip).uniform(-self.shift, self.shift)
        streams = {name: file[clip] for name, file in self._version(clip).items()}
        seconds = self.window
        if self.adjust_duration:
            free = {name: x for name, x in streams.items() if self.specs[name].span is None}
            start, seconds = self._stretch(clip, start, stream_duration(free, self.specs))
        window = window_of(streams, self.specs, start, seconds)
        if self.speakers and not (self.strangers and self._draw(clip, 2).random() < self.strangers):
            window = self.speakers.moved(clip, window)
        return window, self.target(clip, start, seconds), clip

    def _stretch(self, clip: str, start: float, duration: float) -> tuple[float, float]:
        """Start and seconds of what is left in this epoch of a window of a clip."""
        random = self._draw(clip, 3)
        first, last = max(start, 0.0), min(start + self.window, duration)
        if random.random() >= self.adjust_duration or last - first <= SHORTEST:
            return start, self.window
        seconds = random.uniform(SHORTEST, last - first)
        return random.uniform(first, last - seconds), seconds

    def _draw(self, clip: str, *purpose: int) -> np.random.Generator:
        """Random numbers of a clip in this epoch, others for each purpose."""
        return np.random.default_rng([self.seed, self.epoch, zlib.crc32(clip.encode()), *purpose])

    def _version(self, clip: str) -> Mapping[str, StreamFile]:
        """The streams of a clip that are read in this epoch."""
        copies = self._copies[clip]
        if not copies:
            return self.files
        drawn = int(self._draw(clip, 1).integers(len(copies) + 1))
        changed = copies[drawn - 1] if drawn else {}
        return self.files | {name: file for name, file in changed.items() if clip in file}

    @property
    def constant(self) -> bool:
        """Whether every epoch has the same windows."""
        drawn = self.shift or self.adjust_duration or (self.speakers and self.strangers)
        return not drawn and not any(self._copies.values())

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some of the windows as a raw batch."""
        if self.resident:
            return self.resident.rows(indices)
        samples, targets, ids = zip(*(self[index] for index in indices), strict=True)
        return collate(samples, self.specs, targets, ids)


def copied_files(copy: Store, files: Mapping[str, StreamFile]) -> dict[str, StreamFile]:
    """The streams of changed recordings, as far as they are among those of a store.

    Raises:
        BadInput: One has another spec, or there is none.
    """
    found = {name: copy.stream(name) for name in files if copy.has(name)}
    if not found:
        raise BadInput(copy.path, f"has none of the streams {', '.join(files)}")
    for name, file in found.items():
        if not same_stream(file.spec, files[name].spec):
            raise BadInput(copy.path, f"its {name} is made in another way than {files[name].path}")
    return found


class EpochSampler(Sampler[int]):
    """A new order in every epoch that depends on the seed and the epoch alone.

    Args:
        dataset: What is sampled; its `epoch` follows.
        seed: Of the orders.
        groups: Clip id -> its groups, which occur equally often (`balanced_order`); by default
            every window occurs once.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        seed: int,
        groups: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.dataset, self.seed = dataset, seed
        self.groups = [groups[clip] for clip, _ in dataset.windows] if groups else None

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.dataset.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.dataset.epoch])
        if self.groups:
            return iter(balanced_order(self.groups, random))
        return iter(random.permutation(len(self.dataset)).tolist())


class BatchParts(Sampler[list[int]]):
    """The part of one process of batches that several make together.

    A batch of all of them has `count` times as many windows as that of one; every window of an
    epoch is in one part of one batch. The last batch may be smaller; windows too few for a part
    each go into the batch before.

    Args:
        sampler: The order, the same in all processes.
        batch_size: Of a part.
        number: Of the process, from 0.
        count: Of processes.
    """

    def __init__(self, sampler: EpochSampler, batch_size: int, number: int, count: int) -> None:
        self.sampler, self.number, self.count = sampler, number, count
        whole = batch_size * count
        firsts = [*range(0, len(sampler), whole)]
        if len(firsts) > 1 and len(sampler) - firsts[-1] < count:
            del firsts[-1]
        self.batches = [*pairwise([*firsts, len(sampler)])]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.sampler)
        for first, last in self.batches:
            yield order[first + self.number : last : self.count]


def loader(
    dataset: ClipDataset,
    batch_size: int,
    order: Literal["random", "fixed"],
    seed: int = 0,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> DataLoader[Any]:
    """A data set as raw batches, cut from memory maps: worker processes would not pay.

    Of several processes each gets its part: of every batch in training, of all of them together
    else.

    Raises:
        AffuseError: There are fewer windows than processes.
    """
    if len(dataset) < count():
        raise AffuseError(
            f"{len(dataset)} windows are too few for {count()} processes; start fewer of them"
        )

    sampler = EpochSampler(dataset, seed, groups) if order == "random" else None
    own = torch.Generator()  # or every pass over the data would draw from the global one
    if count() == 1:
        return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=_as_it_is, generator=own)
    if sampler:
        parts = BatchParts(sampler, batch_size, number(), count())
        return DataLoader(dataset, batch_sampler=parts, collate_fn=_as_it_is, generator=own)
    first, last = (len(dataset) * k // count() for k in (number(), number() + 1))
    return DataLoader(
        dataset, batch_size, sampler=range(first, last), collate_fn=_as_it_is, generator=own
    )


def _as_it_is(batch: Any) -> Any:
    return batch


def training_statistics(dataset: ClipDataset, scalar: bool = False) -> dict[str, Normalisation]:
    """Mean and deviation over the present frames of training clips.

    Per feature or colour; the bands of a spectrum share one mean and one deviation, because their
    relative levels are what a voice sounds like. Scores stay as they are.

    Args:
        dataset: Windows of the training clips.
        scalar: One mean and one deviation for all features of a stream; images from -1 to 1.

    Raises:
        AffuseError: A stream has nothing present in any clip, or a number that is not finite.
    """
    sums = {name: np.zeros((3, spec.shape[-1])) for name, spec in dataset.specs.items()}
    for index in range(len(dataset)):
        streams, _, clip = dataset[index]
        for name, stream in streams.items():
            check_finite(stream, dataset.specs[name], clip)
            values = stream.values[stream.mask].reshape(-1, dataset.specs[name].shape[-1])
            values = values.astype(np.float64)
            sums[name] += [np.full(values.shape[1], len(values)), values.sum(0), (values**2).sum(0)]
    statistics = {}
    for name in sums:
        count, total, squares = sums[name]
        if count[0] == 0:
            raise AffuseError(f"no training clip has anything present in stream {name}")
        if scalar and dataset.specs[name].is_picture:
            statistics[name] = Normalisation((127.5,), (127.5,))
            continue
        if dataset.specs[name].kind == "scores":
            statistics[name] = Normalisation()
            continue
        if scalar or dataset.specs[name].kind in ("spectrum", "maps"):
            count, total, squares = (np.full_like(part, part.sum()) for part in sums[name])
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        std[std < 1e-6 * np.maximum(np.abs(mean), 1)] = 1.0
        statistics[name] = Normalisation(tuple(mean.tolist()), tuple(std.tolist()))
    return statistics


def whole_statistics(dataset: ClipDataset) -> dict[str, Normalisation]:
    """Mean and deviation over the present frames of whole training clips, as of a person's.

    Of every value of a frame by itself; those of images and scores are as `training_statistics`
    gives them.

    Args:
        dataset: Windows of the training clips.

    Raises:
        AffuseError: A stream has nothing present in any clip, or a number that is not finite.
    """
    others = not all(map(is_personal, dataset.specs.values()))
    statistics = training_statistics(dataset) if others else {}
    known = together(
        evidence_of({n: file[clip] for n, file in dataset.files.items()}, dataset.specs, clip)
        for clip in dict.fromkeys(clip for clip, _ in dataset.windows)
    )
    statistics |= {name: evidence.normalisation() for name, evidence in known.items()}
    if missing := dataset.specs.keys() - statistics.keys():
        raise AffuseError(f"no training clip has anything present in stream {min(missing)}")
    return {name: statistics[name] for name in dataset.specs}


def normalisation_of(dataset: ClipDataset, kind: str) -> dict[str, Normalisation]:
    """The statistics that a recipe's `normalisation` names, but for `init`.

    Args:
        dataset: Windows of the training clips.
        kind: `standard`, `video`, `scalar`, `speaker` or `published`, as in `Recipe`.
    """
    if kind == "published":
        return published_normalisation(dataset.specs)
    if kind == "speaker":
        return whole_statistics(dataset)
    statistics = training_statistics(dataset, kind == "scalar")
    if kind == "video":
        sound = [name for name in statistics if name.startswith("audio/")]
        statistics |= dict.fromkeys(sound, Normalisation())
    return statistics


def published_normalisation(specs: Mapping[str, StreamSpec]) -> dict[str, Normalisation]:
    """Images divided by 255, everything else as it is."""
    return {
        name: Normalisation(std=(255.0,)) if spec.is_picture else Normalisation()
        for name, spec in specs.items()
    }
