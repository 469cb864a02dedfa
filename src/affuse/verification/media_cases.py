"""Parity of face detection and face crops with the published pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.media.mtcnn import MTCNN
from affuse.media.published_faces import published_faces
from affuse.media.video import read_frames

Check = tuple[str, float, float]
"""Quantity, worst error, tolerance."""


def check_mtcnn(case: dict[str, Any], data_dir: Path) -> list[Check]:
    """Compare MTCNN with the faces that the published detector finds in decoded frames.

    Args:
        case: The content of `data_mtcnn.json`, or of some of its items.
        data_dir: Folder with the recordings.

    Returns:
        Worst errors: of the decoded frame (sum of levels) and the number of faces, both exact, of
        boxes and landmarks in pixels, and of probabilities.
    """
    detectors: dict[int, MTCNN] = {}
    decoding, number = 0.0, 0.0
    box, landmark, probability = 0.0, 0.0, 0.0
    frames = _frames(case["items"], data_dir)
    for item in case["items"]:
        image = frames[item["file"], item["frame"]]
        decoding = max(decoding, abs(float(image.sum(dtype=np.int64)) - item["rgb_sum"]))
        size = item["min_face_size"]
        if size not in detectors:
            detectors[size] = MTCNN(size, None, tuple(case["thresholds"]), case["factor"])
        (faces,) = detectors[size].detect([image])
        number = max(number, abs(len(faces) - len(item["faces"])))
        for face, expected in zip(faces, item["faces"], strict=False):
            assert face.landmarks is not None
            box = max(box, _difference(face.box, expected["box"]))
            landmark = max(landmark, _difference(face.landmarks, expected["landmarks"]))
            probability = max(probability, abs(face.probability - expected["probability"]))
    return [
        ("decoded frame", decoding, 0.0),
        ("number of faces", number, 0.0),
        ("box, pixels", box, 0.5),
        ("landmarks, pixels", landmark, 0.5),
        ("probability", probability, 1e-3),
    ]


def check_faces224(case: dict[str, Any], data_dir: Path) -> list[Check]:
    """Compare the face crops of the published preprocessing, made with another decoder.

    Args:
        case: The content of `data_faces224.json`, or of some of its items.
        data_dir: Folder with the recordings.

    Returns:
        Worst errors in levels (0 to 255): of the means per frame and channel, the spread per
        frame, and the median over the probed pixels (single ones lie on edges).
    """
    mean, spread, probe = 0.0, 0.0, 0.0
    missing = 0.0
    for item in case["items"]:
        found = published_faces(data_dir / item["file"])
        crops, present = found.crops, found.present
        expected = np.array(item["frame_channel_means"])
        mean = max(mean, _difference(crops.mean((1, 2)), expected))
        spread = max(spread, _difference(crops.std((1, 2, 3)), item["frame_std"]))
        positions, values = np.array(item["probe"]).T
        differences = np.abs(crops.reshape(-1)[positions].astype(float) - values)
        probe = max(probe, float(np.median(differences)))
        missing = max(missing, float(np.sum(present != expected.any(1))))
    return [
        ("frames without a face", missing, 0.0),
        ("channel means, levels", mean, 2.0),
        ("spread, levels", spread, 2.0),
        ("median probe, levels", probe, 2.0),
    ]


def _frames(
    items: list[dict[str, Any]], data_dir: Path
) -> dict[tuple[str, int], NDArray[np.uint8]]:
    """The frames that the items name, decoded in one pass per file."""
    wanted: dict[str, set[int]] = {}
    for item in items:
        wanted.setdefault(item["file"], set()).add(item["frame"])
    frames = {}
    for file, numbers in wanted.items():
        for number, frame in enumerate(read_frames(data_dir / file)):
            if number in numbers:
                frames[file, number] = frame.rgb()
    return frames


def _difference(a: Any, b: Any) -> float:
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())
