"""The published preparation of RAVDESS, written plainly: OpenCV, MTCNN, librosa, `.npy` files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.verification.bench.plain_mtcnn import PlainMTCNN
from affuse.verification.bench.sides import Work

_HERE = __name__
STAGES = {
    f"{_HERE}:count_frames": "decode",
    f"{_HERE}:next_frame": "decode",
    "affuse.verification.bench.plain_mtcnn": "find faces",
    f"{_HERE}:crop": "crop",
    f"{_HERE}:load_sound": "sound",
    f"{_HERE}:mfcc_of": "sound",
    "numpy.lib": "write",
}
RATE, SAMPLES = 22050, 79380  # 3.6 s
FRAMES = (3, 10, 17, 24, 31, 39, 46, 53, 60, 67, 75, 82, 89, 96, 103)

#: Said where the sound is not computed by what the published code uses.
NOTE = "librosa is not installed: the plain way computes its MFCCs with affuse's own functions"


def prepare_plainly(recordings: str, clips: int, out: str) -> Work:
    """Sets up the preparation of clips `000000.mp4` ...; writes two `.npy` files for each."""
    detector, folder = PlainMTCNN(), Path(recordings)
    Path(out).mkdir(parents=True, exist_ok=True)
    detector.detect(np.zeros((64, 64, 3), np.uint8))
    mfcc_of(np.zeros(SAMPLES, np.float32))

    def work() -> None:
        for k in range(clips):
            name = f"{k:06d}"
            np.save(Path(out) / f"{name}_faces.npy", faces_of(folder / f"{name}.mp4", detector))
            np.save(Path(out) / f"{name}_mfcc.npy", mfcc_of(load_sound(folder / f"{name}.wav")))

    return work


def faces_of(path: Path, detector: PlainMTCNN) -> NDArray[np.uint8]:
    """(15, 224, 224, 3) BGR: the largest face of frames 3, 10, ... 103, black at the end."""
    count = count_frames(path)
    video = cv2.VideoCapture(str(path))
    crops: list[NDArray[np.uint8]] = []
    box: tuple[int, ...] | None = None
    for number in range(count):
        frame = next_frame(video)
        if number not in FRAMES:
            continue
        faces = detector.detect(np.ascontiguousarray(frame[:, :, ::-1]))
        if len(faces):
            box = tuple(round(float(edge)) for edge in faces[0])
        if box is not None:
            crops.append(crop(frame, box))
    video.release()
    crops += [np.zeros((224, 224, 3), np.uint8)] * (len(FRAMES) - len(crops))
    return np.array(crops)


def count_frames(path: Path) -> int:
    """By decoding all of them, as the published code does before it begins."""
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


def next_frame(video: cv2.VideoCapture) -> NDArray[np.uint8]:
    """(H, W, 3) BGR."""
    return np.asarray(video.read()[1], np.uint8)


def crop(frame: NDArray[np.uint8], box: tuple[int, ...]) -> NDArray[np.uint8]:
    """The box out of a frame, in the size of the network; proportions are not kept."""
    x1, y1, x2, y2 = (max(edge, 0) for edge in box)
    return np.asarray(cv2.resize(frame[y1:y2, x1:x2], (224, 224)), np.uint8)


def load_sound(path: Path) -> NDArray[np.float32]:
    """(79380,) at 22.05 kHz: the middle, or zeros at the end, in 16 bits as a file keeps them."""
    samples = _loaded(path)
    surplus = max(len(samples) - SAMPLES, 0)
    samples = np.pad(samples[surplus // 2 :][:SAMPLES], (0, max(SAMPLES - len(samples), 0)))
    if not has_librosa():
        from affuse.features.sound import in_16_bits

        return in_16_bits(samples)
    import soundfile

    written = path.with_name(f"{path.stem}_croppad.wav")
    soundfile.write(written, samples, RATE)
    return np.asarray(soundfile.read(written, dtype="float32")[0], np.float32)


def _loaded(path: Path) -> NDArray[np.float32]:
    if has_librosa():
        import librosa

        return np.asarray(librosa.load(path, sr=RATE)[0], np.float32)
    from affuse.media.audio import read_sound

    sound = read_sound(path, RATE)
    assert sound is not None, f"{path} has no sound"
    return sound.samples


def mfcc_of(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(156, 10)."""
    if has_librosa():
        import librosa

        found: Any = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=10)
        return np.asarray(found.T, np.float32)
    from affuse.features.spectral import mfcc

    return mfcc(samples)


def has_librosa() -> bool:
    """Whether what the published code computes its sound with is installed."""
    return find_spec("librosa") is not None
