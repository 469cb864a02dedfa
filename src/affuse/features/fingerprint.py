"""Streams that tell whether two files hold the same recording: digests, and coarse images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.execution.files import file_digest
from affuse.execution.remembered import remembered
from affuse.features.arrays import array_pictures
from affuse.features.pictures import numbered_images
from affuse.features.recorded import Blocks, RecordingExtractor, has_pictures, nothing
from affuse.features.sound import SoundExtractor, all_present, heard
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound
    from affuse.media.face import Readings
    from affuse.media.video import Frame

#: The bands end below 4 kHz, so that sound that went through a telephone has them all.
_SOUND: dict[str, Any] = {
    "rate": 8000,
    "n_fft": 1024,
    "length": 640,
    "hop": 160,
    "fmin": 150.0,
    "fmax": 3500.0,
    "scale": "htk",
}
_BANDS = 24
#: Decibels below the loud frames of a clip; what is quieter, codecs change.
_RANGE = 20.0
#: Steps per decibel.
_STEPS = 12.0

_SIZE = 16
_VIDEO_RATE = 5.0
#: Longer side in pixels to which an image is brought before it is averaged over the grid.
_SIDE = 64
#: Steps per grey level by which an image differs from the clip's mean.
_GAIN = 4.0
#: Images per second of an image folder whose video is missing.
_IMAGES_RATE = 30.0


class ContentHash:
    """`content/sha256`: SHA-256 of the clip's files, one row per clip.

    The row does not depend on the part of the files that the clip is.
    """

    def __init__(self) -> None:
        recipe = {"extractor": "content hash", "rows": ["video", "audio"]}
        self.spec = StreamSpec("content/sha256", 0.0, (2, 32), "uint8", recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The files with the images and the sound."""
        return list(dict.fromkeys(p for p in (clip.video, clip.audio) if p is not None))

    def extract(self, clip: Clip) -> Stream | None:
        """(1, 2, 32) uint8: of the file with the images and of that with the sound.

        Zeros stand for a file that there is not; None where there is neither.

        Raises:
            BadInput: A file cannot be read.
        """
        if not self.sources(clip):
            return None
        values = np.zeros((1, 2, 32), np.uint8)
        for row, path in enumerate((clip.video, clip.audio)):
            if path is not None:
                values[0, row] = np.frombuffer(_digest(path), np.uint8)
        return all_present(values)


class AudioFingerprint(SoundExtractor):
    """`audio/fingerprint`: a coarse image of the sound that gain does not change, 50 Hz.

    Level in 24 mel bands from 150 to 3500 Hz over 80 ms, in twelfths of a decibel above a floor
    20 dB below the loud frames of the clip.
    """

    sound_rate = _SOUND["rate"]

    def __init__(self) -> None:
        recipe: dict[str, Any] = {"extractor": "audio fingerprint", **_SOUND, "mels": _BANDS}
        recipe |= {"range": _RANGE, "steps": _STEPS}
        rate = _SOUND["rate"] / _SOUND["hop"]
        self.spec = StreamSpec("audio/fingerprint", rate, (_BANDS,), "uint8", recipe)

    def stream_of(self, sound: Sound) -> Stream:
        """(1 + N // 160, 24) uint8; zeros throughout for digital silence."""
        from affuse.features.spectral import decibels, mel_spectrogram

        power = mel_spectrogram(sound.samples, mels=_BANDS, **_SOUND)
        levels = decibels(power, None)
        loud = np.percentile(levels.max(1), 95)
        steps = _to_bytes((levels - max(loud - _RANGE, -100.0)) * _STEPS)
        return heard(sound, steps, self.spec.rate)


class VideoFingerprint(RecordingExtractor):
    """`video/fingerprint`: small grey images of how a clip differs from its mean, 5 Hz.

    Whole images, averaged over a grid of 16 x 16 and over the time between neighbours, in
    quarters of a grey level around 128.
    """

    def __init__(self) -> None:
        recipe = {"extractor": "video fingerprint", "side": _SIDE, "gain": _GAIN}
        recipe |= {"default_fps": _IMAGES_RATE}
        shape = (_SIZE, _SIZE)
        self.spec = StreamSpec("video/fingerprint", _VIDEO_RATE, shape, "uint8", recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The file with the images, or else the images."""
        if clip.video is not None:
            return [clip.video]
        if clip.images is None:
            return []
        if clip.images.is_file():
            return [clip.images]
        return sorted(p for p in clip.images.glob("*.jpg") if not p.name.startswith("."))

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (T, 16, 16) uint8, absent where there is no image.

        Raises:
            BadInput: The images cannot be decoded, or there are none in the clip's time.
        """
        place, shown = clip.video or clip.images, _OverTime(clip.start, clip.end)
        if place is None or (clip.video is not None and not has_pictures(clip.video, clip.tracks)):
            return nothing
        if clip.video is not None:
            readings.of(clip.video).watch(shown)

        def blocks() -> Iterator[Stream]:
            if clip.video is not None:
                readings.of(clip.video).check_frames()
            else:
                given = _from_array if place.suffix == ".npy" else _from_images
                for time, picture in given(place, clip):
                    shown.add(time, picture)
            values, mask = shown.result()
            if not mask.any():
                raise BadInput(place, f"holds no image from {clip.start:g} s on")
            values -= values[mask].mean(0)
            values[~mask] = 0
            yield Stream(_to_bytes(values * _GAIN + 128), mask)

        return blocks


class _OverTime:
    """Images at the rate of the stream, each the mean of those around it, and where there are.

    An image counts for its two neighbours on the clock by how near it is: picking the nearest
    would give other images when the clip is shifted or has another frame rate.

    Args:
        start: Of the clip in seconds.
        end: Of the clip in seconds.
    """

    def __init__(self, start: float, end: float | None) -> None:
        self.start: float | None = start or None
        self.end = end
        self._sums: list[NDArray[np.float32]] = []
        self._weights: list[float] = []

    def see(self, frame: Frame) -> None:
        """Take a frame of a recording."""
        self.add(frame.time - (self.start or 0.0), _small(frame.rgb(_SIDE)))

    def finish(self) -> None:
        """The last frame has come."""

    def add(self, time: float, picture: NDArray[np.float32]) -> None:
        """Take an image at a second of the clip."""
        before, share = divmod(time * _VIDEO_RATE, 1)
        while len(self._sums) < before + 2:
            self._sums.append(np.zeros((_SIZE, _SIZE), np.float32))
            self._weights.append(0.0)
        for row, weight in ((int(before), 1 - share), (int(before) + 1, share)):
            self._sums[row] += np.float32(weight) * picture
            self._weights[row] += weight

    def result(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(T, 16, 16) and (T,)."""
        total = np.array(self._weights)
        mask = total > 0.5
        shape = 0, _SIZE, _SIZE
        values = np.stack(self._sums) if self._sums else np.zeros(shape, np.float32)
        values[mask] /= total[mask, None, None]
        return values, mask


def _from_images(folder: Path, clip: Clip) -> Iterator[tuple[float, NDArray[np.float32]]]:
    for number, path in numbered_images(folder).items():
        time = (number - 1) / _IMAGES_RATE
        if clip.start <= time and (clip.end is None or time < clip.end):
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise BadInput(path, "is not an image that can be decoded")
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            yield time - clip.start, _small(np.asarray(rgb, np.uint8))


def _from_array(path: Path, clip: Clip) -> Iterator[tuple[float, NDArray[np.float32]]]:
    pictures, seen = array_pictures(path, clip)
    for row in np.flatnonzero(seen).tolist():
        yield row / _IMAGES_RATE, _small(pictures[row])


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels averaged over the grid, (16, 16)."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA))


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _digest(path: Path) -> bytes:
    try:
        return bytes.fromhex(_sha256(path))
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})") from error


_sha256 = remembered(16)(file_digest)  # many clips can be parts of one file
