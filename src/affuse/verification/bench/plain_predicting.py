"""Prediction of a recording, written plainly: decode all, search every frame, window by window.

Detector, crop, networks and windows are affuse's; how they are put together is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.features.sound import SoundExtractor
from affuse.features.stream import Stream
from affuse.inference.predictor import Predictor
from affuse.media.audio import Sound, read_sound
from affuse.media.crops import cut_out
from affuse.media.detectors import create_detector
from affuse.media.face import FaceOptions
from affuse.verification.bench.sides import Work

STAGES = {
    f"{__name__}:read_frames": "decode",
    "affuse.media.audio": "decode",
    "affuse.media.mtcnn": "find faces",
    "affuse.media.detectors": "find faces",
    "affuse.media.crops": "crop",
    "affuse.models.frozen": "voice network",
    "affuse.models.backbones.whisper": "voice network",
    "affuse.features": "voice network",
    "affuse.models": "face network, fusion",
}


@dataclass(frozen=True)
class _Image:
    """An image as `cut_out` takes it."""

    image: NDArray[np.uint8]

    @property
    def width(self) -> int:
        return self.image.shape[1]

    @property
    def height(self) -> int:
        return self.image.shape[0]

    def part(self, x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
        return self.image[y1:y2, x1:x2]


def predict_plainly(recording: str) -> Work:
    """Sets up the prediction of a recording with the bundled model."""
    predictor = Predictor()
    (seen,) = (name for name in predictor.spec.streams if name.startswith("video/"))
    (heard,) = (name for name in predictor.spec.streams if name.startswith("audio/"))
    extractor = predictor.streams.extractor(heard)
    assert isinstance(extractor, SoundExtractor)
    extractor.stream_of(_silence(extractor.sound_rate))

    def work() -> list[float]:
        frames, fps = read_frames(Path(recording))
        crops = [face_of(frame, predictor.spec.streams[seen].shape[0]) for frame in frames]
        sound = read_sound(Path(recording), extractor.sound_rate)
        assert sound is not None, f"{recording} has no sound"
        found = []
        spec, leader = predictor.spec, predictor.applied.leader
        for start in predictor.task.plan(spec, leader, len(frames) / fps).starts.tolist():
            window = {
                seen: images_of(crops, fps, start, spec.seconds, spec.streams[seen].rate),
                heard: extractor.stream_of(sound.between(start, start + spec.seconds)),
            }
            sample = {
                name: predictor.applied.embed(name, stream, slice(None))
                for name, stream in window.items()
            }
            output, _ = predictor.applied.outputs([sample])
            found.append(output.probabilities[0])
        return [float(x) for x in np.mean(found, axis=0)]

    return work


def read_frames(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """All frames (H, W, 3) RGB, and their rate in Hz."""
    video = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        there, frame = video.read()
        if not there:
            return frames, video.get(cv2.CAP_PROP_FPS)
        frames.append(np.asarray(frame[:, :, ::-1], np.uint8))


def face_of(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8] | None:
    """The largest face of a frame, aligned, (size, size, 3); None without one."""
    options = FaceOptions()
    detector = create_detector(
        "mtcnn", min_face_size=options.min_face_size, max_side=options.max_side
    )
    (faces,) = detector.detect([np.ascontiguousarray(frame)])
    if not faces:
        return None
    box = np.array(faces[0].box)
    return cut_out(_Image(frame), box, faces[0].landmarks, size, 0.0, align=True)


def images_of(
    crops: Sequence[NDArray[np.uint8] | None], fps: float, start: float, seconds: float, rate: float
) -> Stream:
    """The crops of a window, at the rate of the stream."""
    times = start + np.arange(round(seconds * rate)) / rate
    chosen = [crops[min(round(time * fps), len(crops) - 1)] for time in times]
    mask = np.array([crop is not None for crop in chosen])
    shape = next((crop.shape for crop in crops if crop is not None), (1, 1, 3))
    values = [np.zeros(shape, np.uint8) if crop is None else crop for crop in chosen]
    return Stream(np.stack(values), mask)


def _silence(rate: int) -> Sound:
    return Sound(np.zeros(rate, np.float32), rate, ((0.0, 1.0),))
