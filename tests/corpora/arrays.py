"""A small data set as the leader-follower system's preprocessing leaves it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

#: Set -> trial -> number of rows; two trials are one video.
TRIALS = {
    "Train_Set": {"b": 20, "a": 18, "12_left": 25, "12_right": 16, "video4_1": 22},
    "Validation_Set": {"video9": 21},
    "Target_Set": {"hidden": 19},
}
#: Trial and row without a face.
BLACK = ("a", 3)


def write_arrays(root: Path) -> Path:
    """Random arrays; every trial from a seed of its own."""
    for name, trials in TRIALS.items():
        for seed, (trial, rows) in enumerate(trials.items()):
            random = np.random.default_rng([seed, len(name)])
            folder = root / "npy_data" / trial
            folder.mkdir(parents=True)
            frame = random.integers(0, 256, (rows, 48, 48, 3)).astype(np.uint8)
            if trial == BLACK[0]:
                frame = frame.astype(np.int16)
                frame[BLACK[1]] = 0
            np.save(folder / "frame.npy", frame)
            np.save(folder / "vggish.npy", random.normal(size=(rows, 128)).astype(np.float32))
            np.save(folder / "mfcc.npy", random.normal(0, 20, (rows, 39)))
            np.save(folder / "egemaps.npy", random.normal(size=(rows, 23)))
            if name != "Target_Set":
                label = np.cumsum(random.normal(0, 0.2, (rows, 2)), 0)
                np.save(folder / "label.npy", np.clip(label, -1, 1))
    write_info(root, {"partition": TRIALS})
    return root


def write_info(root: Path, content: object) -> None:
    (root / "dataset_info.pkl").write_bytes(pickle.dumps(content))
