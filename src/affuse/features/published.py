"""The published preprocessing of RAVDESS: streams of a fixed span of 3.6 s.

Source: Chumachenko et al. 2022, released preprocessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.execution.spool import Spool
from affuse.features.extractor import check_length
from affuse.features.faces import SPAN
from affuse.features.recorded import Blocks, RecordingExtractor, Windowed, absent, nothing
from affuse.features.sound import MFCC, SoundExtractor, in_16_bits, masked
from affuse.features.stream import Stream, StreamSpec
from affuse.media.channels import Samples

if TYPE_CHECKING:
    from affuse.media.audio import Sound
    from affuse.media.face import Readings

_SAMPLES = 79380  # 3.6 s at 22.05 kHz
_ROWS = 156  # of these


class PublishedMfcc(SoundExtractor):
    """`audio/mfcc10-published`: the published audio preprocessing, 156 frames of 3.6 s.

    Sound is cut in the middle or padded with zeros at the end, quantised as a 16-bit file is
    written, and turned into ten MFCCs with a floor 80 dB below the loudest value.

    Args:
        padding: `reflect` as in librosa 0.8.1, which the published code pins; `constant` as in
            every librosa from 0.9 on.

    Source: Chumachenko et al. 2022, released preprocessing, with the resampler of librosa from 0.10
    on. A clip of exactly 3.6 s, which that code turns into an empty file, is kept as it is.
    """

    sound_rate, rounded_up = 22050, True

    def __init__(self, padding: str = "reflect") -> None:
        name = "audio/mfcc10-published" + ("-constant" if padding == "constant" else "")
        recipe = {
            "extractor": "reference mfcc",
            **MFCC,
            "padding": padding,
            "top_db": 80.0,
            "samples": _SAMPLES,
            "crop": "centre",
            "length": "rounded up",
            "quantised": "16 bit, rounded down",
        }
        self.spec = StreamSpec(name, 22050 / 512, (10,), recipe=recipe, span=SPAN)

    def stream_of(self, sound: Sound) -> Stream:
        """(156, 10) float32; as published, the zeros at the end are present."""
        surplus = max(len(sound.samples) - _SAMPLES, 0)
        rows = self.rows(sound.samples[surplus // 2 :][:_SAMPLES])
        return self._where_heard(rows, sound, surplus // 2 / self.sound_rate)

    def rows(self, samples: Samples) -> np.ndarray:
        """At most 3.6 s (N,) float32 -> (156, 10) float32."""
        from affuse.features.spectral import mfcc

        samples = in_16_bits(np.pad(samples, (0, _SAMPLES - len(samples))))
        return mfcc(samples, padding=self.spec.recipe["padding"], top_db=80.0)

    def _where_heard(self, rows: np.ndarray, sound: Sound, start: float = 0.0) -> Stream:
        """The stream of rows, the first of which is about some second of a sound."""
        times = start + np.arange(len(rows)) / self.spec.rate
        stream = masked(rows, sound.at(times) | (times > sound.spans[-1][1]))
        return replace(stream, notes=sound.notes)

    def begin_windows(self, clip: Clip, readings: Readings, starts: Sequence[float]) -> Windowed:
        """See `RecordingExtractor`; the sound is resampled once for all windows."""
        if clip.audio is None:
            return absent
        path, reading = clip.audio, readings.of(clip.audio)
        heard = reading.listen(self.sound_rate, None, None, self.rounded_up)
        windows = SoundWindows(self, starts)
        heard.to(windows.push)

        def window(number: int) -> Stream | None:
            whole = reading.sound(heard)
            if whole is None:
                return None
            sound = whole.between(starts[number], starts[number] + SPAN)
            check_length(path, sound.seconds, "its sound")
            return self._where_heard(windows.rows(number), sound)

        return window


class SoundWindows:
    """Computes the rows of windows of a sound while it comes by.

    Args:
        extractor: What makes them.
        starts: Seconds at which windows begin, not falling.
    """

    def __init__(self, extractor: PublishedMfcc, starts: Sequence[float]) -> None:
        self._extractor = extractor
        self._firsts = [round(start * extractor.sound_rate) for start in starts]
        self._rows = Spool((_ROWS, *extractor.spec.shape), extractor.spec.dtype)
        self._held, self._place = np.zeros(0, np.float32), 0  # and the number of their first

    def push(self, samples: Samples) -> None:
        """Take samples (N,), one part after the other."""
        if len(self._rows) == len(self._firsts):
            return
        self._held = np.concatenate([self._held, samples])
        while len(self._rows) < len(self._firsts) and self._next() == _SAMPLES:
            self._compute()

    def _next(self) -> int:
        """Let go of what comes before the next window; returns the samples that it has so far."""
        gone = min(self._firsts[len(self._rows)] - self._place, len(self._held))
        self._held, self._place = self._held[gone:], self._place + gone
        return min(len(self._held), _SAMPLES)

    def _compute(self) -> None:
        self._rows.append(self._extractor.rows(self._held[:_SAMPLES])[None])

    def rows(self, number: int) -> np.ndarray:
        """(156, 10) float32 of a window, once the last samples have come."""
        while len(self._rows) <= number:  # the sound ends before they do
            self._next()
            self._compute()
        return self._rows.read(number, number + 1)[0]


class PublishedFaces(RecordingExtractor):
    """`video/faces224-published`: the published face preprocessing, 15 BGR crops from the start.

    As published, images are counted, not timed: the window is 3.6 s at about 30 Hz only.

    Args:
        frames: Number of crops N, for `video/faces224-published-<N>`; None for 15.

    Raises:
        AffuseError: More crops than the window has images.

    Source: Chumachenko et al. 2022, released preprocessing.
    """

    def __init__(self, frames: int | None = None) -> None:
        from affuse.media.published_faces import REFERENCE_WINDOW, reference_frames

        name = "video/faces224-published" + ("" if frames is None else f"-{frames}")
        self.frames = 15 if frames is None else frames
        if not 1 <= self.frames <= REFERENCE_WINDOW:
            raise AffuseError(f"{name}: there are 1 to {REFERENCE_WINDOW} images to choose from")
        first, *rest = map(str, reference_frames(self.frames))
        numbers = ", ".join(
            [first, *rest] if len(rest) < 3 else [first, rest[0], f"... {rest[-1]}"]
        )
        recipe = {"extractor": "reference faces", "colours": "BGR", "frames": numbers}
        rate = self.frames / SPAN
        self.spec = StreamSpec(name, rate, (224, 224, 3), "uint8", recipe, span=SPAN)

    def sources(self, clip: Clip) -> list[Path]:
        """The file with the images."""
        return [] if clip.video is None else [clip.video]

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (N, 224, 224, 3) uint8 BGR."""
        window = self.begin_windows(clip, readings, [clip.start])
        if clip.video is None:
            return nothing

        def blocks() -> Iterator[Stream]:
            if (stream := window(0)) is not None:
                yield stream

        return blocks

    def begin_windows(self, clip: Clip, readings: Readings, starts: Sequence[float]) -> Windowed:
        """See `RecordingExtractor`."""
        from affuse.media.face import cover_of
        from affuse.media.published_faces import PublishedWindows

        if clip.video is None:
            return absent
        reading = readings.of(clip.video)
        found = PublishedWindows(self.frames, starts, cover_of(readings.changes))
        reading.watch(found)

        def window(number: int) -> Stream | None:
            reading.check_frames()
            return Stream(*found.window(number))

        return window
