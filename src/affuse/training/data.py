"""Windows of the clips of a store, with what they are to be learned as."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from torch.utils.data import Dataset

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.batch import TARGET_RATE, Batch, collate
from affuse.features.extractor import SHORTEST, same_stream
from affuse.features.speakers import SpeakerBaselines
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration, window_of
from affuse.features.stream_file import StreamFile
from affuse.tasks.targets import Target

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
        if self.resident is not None:
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
