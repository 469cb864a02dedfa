"""FER+ of generated images, in both forms that are read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from affuse.corpora.ferplus import CLASSES, OTHERS

COLUMNS = (*CLASSES, *OTHERS)
SETS = {"Training": "train", "PublicTest": "valid"}


@dataclass
class Drawn:
    """Images with the votes of ten raters; one without a name shows no face.

    Args:
        pictures: 48 x 48 grey levels each.
        votes: Numbers of raters per column of `COLUMNS`.
        sets: `Training` or `PublicTest`.
        names: Such as `fer0000003.png`, or empty.
    """

    pictures: list[np.ndarray] = field(default_factory=list)
    votes: list[list[int]] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(
        self,
        picture: np.ndarray,
        votes: Sequence[int],
        set_: str = "Training",
        *,
        face: bool = True,
    ) -> str:
        """Add an image; the id of its clip."""
        name = f"fer{len(self.names):07d}"
        self.pictures.append(picture)
        self.votes.append(list(votes))
        self.sets.append(set_)
        self.names.append(f"{name}.png" if face else "")
        return name


def smooth(random: np.random.Generator, side: int = 48) -> np.ndarray:
    """A random image of large spots."""
    spots = cv2.resize(random.normal(size=(6, 6)), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 45 * spots, 0, 255).astype(np.uint8)


def copy_of(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The image with another contrast and brightness, and noise."""
    contrast, light = random.uniform(0.5, 1.0), random.uniform(-20, 20)
    levels = 128 + light + contrast * (picture.astype(float) - 128)
    return np.clip(levels + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def ballot(**counts: int) -> list[int]:
    """Votes in the order of `COLUMNS`."""
    return [counts.get(name, 0) for name in COLUMNS]


def draw(count: int, seed: int = 0) -> Drawn:
    """Images of which every fifth is for validation, and what is special about FER+.

    The last ones are: a copy of image 0 for training, a copy of it for validation, a copy of the
    first of validation in it, an image most raters find unknown, and one that shows no face.
    """
    random = np.random.default_rng(seed)
    drawn = Drawn()
    for k in range(count):
        votes = random.multinomial(10, np.roll([0.7, 0.2, 0.05, 0.05, 0, 0, 0, 0, 0, 0], k % 8))
        drawn.add(smooth(random), votes.tolist(), "PublicTest" if k % 5 == 4 else "Training")
    for original, set_ in ((0, "Training"), (0, "PublicTest"), (4, "PublicTest")):
        drawn.add(copy_of(drawn.pictures[original], random), ballot(anger=6, fear=4), set_)
    drawn.add(smooth(random), ballot(unknown=6, sadness=3, NF=1))
    drawn.add(smooth(random), ballot(NF=9, neutral=1), face=False)
    return drawn


def write_archive(root: Path, drawn: Drawn) -> Path:
    """`ferplus.npz`, of the images that have a name as it was published."""
    root.mkdir(parents=True, exist_ok=True)
    rows = [k for k, name in enumerate(drawn.names) if name]
    np.savez(
        root / "ferplus.npz",
        images=np.stack([drawn.pictures[k] for k in rows]),
        votes=np.array([drawn.votes[k] for k in rows], np.uint8),
        vote_columns=np.array(COLUMNS),
        split=np.array([SETS[drawn.sets[k]] for k in rows]),
        name=np.array([drawn.names[k] for k in rows]),
    )
    return root


def write_tables(root: Path, drawn: Drawn) -> Path:
    """`fer2013.csv` and `fer2013new.csv`."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "fer2013.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["emotion", "pixels", "Usage"])
        for picture, set_ in zip(drawn.pictures, drawn.sets, strict=True):
            table.writerow([0, " ".join(map(str, picture.ravel().tolist())), set_])
    with (root / "fer2013new.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Usage", "Image name", *COLUMNS])
        table.writerows(
            [set_, name, *votes]
            for set_, name, votes in zip(drawn.sets, drawn.names, drawn.votes, strict=True)
        )
    return root
