"""Windows over clips from which everything that nobody annotated was cut out.

What lay apart in time then lies side by side, and what was absent is input of zeros: kept to
reproduce the published training, no sound way to make windows.

Source: leader-follower attentive fusion (ICCVW 2021), released preprocessing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration
from affuse.features.windows import frame_windows
from affuse.tasks.annotated_targets import later
from affuse.tasks.targets import Target
from affuse.training.data import ClipDataset, Sample


class SplicedDataset(ClipDataset):
    """Windows of the annotated frames of clips; short ones are zero-filled.

    Args:
        store: Where the streams are.
        clips: The clips.
        streams: Names of the streams, all of them with a frame per frame of the annotation.
        window: Seconds.
        target: What a window is to be learned as, NaN where nobody annotated.
        hop: Seconds from window to window, the last one flush with the end of what is left.
        delay: Seconds by which targets lie later than what they are about, counted in what is left.

    Raises:
        AffuseError: A stream of another rate.
    """

    def __init__(
        self,
        store: Store,
        clips: Sequence[Clip],
        streams: Sequence[str],
        window: float,
        target: Target,
        hop: float,
        delay: float = 0.0,
    ) -> None:
        super().__init__(store, clips[:0], streams, window, target)
        for name, spec in self.specs.items():
            if spec.rate != TARGET_RATE:
                raise AffuseError(
                    f"over_time.spliced needs streams of {TARGET_RATE:g} Hz; {name} has "
                    f"{spec.rate:g} Hz"
                )
        self.length, self.delay = round(window * TARGET_RATE), delay
        self._annotated: dict[str, np.ndarray] = {}
        for clip in clips:
            rows = {name: file[clip.id] for name, file in self.files.items()}
            duration = stream_duration(rows, self.specs)
            targets = target(clip.id, 0.0, duration)
            self._annotated[clip.id] = np.flatnonzero(~np.isnan(targets).any(-1))
            spans = frame_windows(
                len(self._annotated[clip.id]), self.length, round(hop * TARGET_RATE)
            )
            self.windows += [(clip.id, first) for first, _ in spans]

    def __getitem__(self, index: int) -> Sample:
        clip, first = self.windows[index]
        annotated = self._annotated[clip]
        window = slice(int(first), int(first) + self.length)
        kept, told = annotated[window], annotated[later(len(annotated), self.delay)][window]
        streams = {name: self._rows(file[clip], kept) for name, file in self.files.items()}
        seconds = (told[-1] + 1) / TARGET_RATE
        targets = self._filled(self.target(clip, 0.0, seconds)[told])
        return streams, targets, clip

    def _rows(self, stream: Stream, kept: np.ndarray) -> Stream:
        """Some frames of a stream, zero where it has none."""
        there = kept < len(stream.mask)
        values = np.zeros((len(kept), *stream.values.shape[1:]), stream.values.dtype)
        values[there] = stream.values[kept[there]]
        return Stream(self._filled(values), np.ones(self.length, bool))

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        missing = self.length - len(rows)
        return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
