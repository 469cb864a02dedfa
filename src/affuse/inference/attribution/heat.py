"""Key frames with what each region of the face did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from affuse.inference.colours import AGAINST, FOR
from affuse.media.crops import place_of_crop
from affuse.tasks.explanation import PartEffect, signed
from affuse.tasks.prediction import KeyFrame, Prediction

#: The strongest tint, and the fall from which it is used at the earliest, so that hardly anything
#: looks like hardly anything.
_STRONGEST, _LEAST = 0.6, 0.1

Image = NDArray[np.uint8]


def heated_frames(prediction: Prediction) -> list[KeyFrame]:
    """The key frames, regions tinted by what they did for the first output that is spoken of.

    Red spoke for it, blue against it. Frames without the face, and those of a prediction that is
    not explained or knows no regions, stay as they are.
    """
    if not is_tinted(prediction):
        return prediction.key_frames
    regions = regions_of(prediction)
    assert prediction.explanation is not None
    k = prediction.explanation.main[0]
    most = strength(regions, k)
    found = []
    for frame in prediction.key_frames:
        labels, falls = _labels(prediction, frame, regions), _falls_at(prediction, frame, regions)
        if labels is None or np.isnan(falls).any():
            found.append(frame)
            continue
        levels = np.append(falls[:, k], 0.0)[labels]  # the last: beside the crop
        found.append(replace(frame, picture=tinted(frame.picture, levels, most)))
    return found


def is_tinted(prediction: Prediction) -> bool:
    """Whether it is known what the regions of a face did, and where in the frames they are."""
    found, regions, face = prediction.explanation, regions_of(prediction), prediction.face
    if found is None or not found.main or not regions or face is None:
        return False
    crop = regions[0].crop
    return crop is not None and (not crop[1] or face.landmarks is not None)


def words_at(prediction: Prediction, frame: KeyFrame) -> str:
    """What the regions did at a key frame, for those who do not see it; empty if not known."""
    if not is_tinted(prediction):
        return ""
    regions = regions_of(prediction)
    assert prediction.explanation is not None
    if _labels(prediction, frame, regions) is None:
        return f"{frame.time:.1f} s"
    falls = _falls_at(prediction, frame, regions)
    if np.isnan(falls).any():
        return f"{frame.time:.1f} s"
    k = prediction.explanation.main[0]
    order = np.argsort(-np.abs(falls[:, k]), kind="stable")
    said = ", ".join(f"{regions[r].name} {signed(float(falls[r, k]))}" for r in order)
    return f"{frame.time:.1f} s, {prediction.explanation.outputs[k]}: {said}"


def regions_of(prediction: Prediction) -> list[PartEffect]:
    """The regions of the face in the first stream of images that has some."""
    if prediction.explanation is None:
        return []
    regions = [part for part in prediction.explanation.parts if part.what == "region"]
    return [part for part in regions if part.stream == regions[0].stream]


def strength(regions: Sequence[PartEffect], k: int) -> float:
    """The fall of an output that is tinted most."""
    falls = np.stack([part.falls[:, k] for part in regions])
    known = falls[~np.isnan(falls)]
    return max(_LEAST, float(np.abs(known).max())) if len(known) else _LEAST


def tinted(picture: Image, levels: np.ndarray, most: float) -> Image:
    """An image (H, W, 3) whose pixels are tinted by levels (H, W), `most` the strongest."""
    alpha = (_STRONGEST * (np.abs(levels) / most).clip(0, 1))[..., None]
    colour = np.where(levels[..., None] > 0, _rgb(FOR), _rgb(AGAINST))
    return ((1 - alpha) * picture + alpha * colour).round().astype(np.uint8)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float64)


def _falls_at(prediction: Prediction, frame: KeyFrame, regions: Sequence[PartEffect]) -> np.ndarray:
    """(R, K) what hiding each region does in the window whose middle is next to a frame."""
    assert prediction.explanation is not None
    middles = prediction.explanation.windows.mean(1)
    window = int(np.abs(middles - frame.time).argmin())
    return np.stack([part.falls[window] for part in regions])


def _labels(
    prediction: Prediction, frame: KeyFrame, regions: Sequence[PartEffect]
) -> np.ndarray | None:
    """(H, W) which region each pixel of a key frame lies in, -1 for none; None without a face."""
    crop, face = regions[0].crop, prediction.face
    assert crop is not None and face is not None
    (box,), (there,) = face.at(np.array([frame.time]))
    if not there:
        return None
    landmarks = None if face.landmarks is None else face.landmarks_at(np.array([frame.time]))[0][0]
    height, width = frame.picture.shape[:2]
    size = round(width / frame.scale), round(height / frame.scale)
    corner, side = place_of_crop(*size, box, landmarks, *crop)
    y, x = np.mgrid[:height, :width]
    places = ((x + 0.5) / frame.scale + 1j * (y + 0.5) / frame.scale - corner) / side
    inside = (places.real >= 0) & (places.real < 1) & (places.imag >= 0) & (places.imag < 1)
    tall, wide = regions[0].where.shape
    rows = (places.imag * tall).astype(int).clip(0, tall - 1)
    columns = (places.real * wide).astype(int).clip(0, wide - 1)
    found = np.full((height, width), -1)
    for number, part in enumerate(regions):
        found[inside & part.where[rows, columns]] = number
    return found
