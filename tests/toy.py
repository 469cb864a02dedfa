"""A store of generated streams: the sound tells one half of the class, the picture the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.features.prepare import prepare
from affuse.features.stream import Stream, StreamSpec

CLASSES = ("neutral", "calm", "happy", "sad")
AUDIO = StreamSpec("audio/mfcc10", 40.0, (10,))
VIDEO = StreamSpec("video/openface", 30.0, (6,))


@dataclass
class Toy:
    """Noise around one of two means per modality."""

    spec: StreamSpec

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        random = np.random.default_rng([len(self.spec.name), int(clip.id)])
        label = CLASSES.index(clip.label)
        bit = label % 2 if self.spec.modality == "audio" else label // 2
        length = int((1.0 + 0.5 * random.random()) * self.spec.rate)
        values = random.standard_normal((length, *self.spec.shape)) + 1.5 * bit
        return Stream(values.astype(np.float32), np.ones(length, bool))


def toy_store(folder: Path, clips: int = 64, speakers: int = 8) -> Path:
    """Prepare the store and write a protocol `protocol.csv` of two folds beside it."""
    rows = [
        Clip(f"{k:03d}", speaker=f"s{k % speakers}", label=CLASSES[(k // speakers) % 4])
        for k in range(clips)
    ]
    corpus = Corpus("folder", folder, rows, CLASSES, "none")
    prepare(corpus, folder / "store", [Toy(AUDIO), Toy(VIDEO)])
    lines = ["clip,speaker,fold0,fold1"]
    for clip in rows:
        number = int(clip.speaker[1:])
        roles = [
            "test" if number % 4 == k else "development" if number % 4 == k + 1 else "train"
            for k in (0, 1)
        ]
        lines.append(",".join([clip.id, clip.speaker, *roles]))
    (folder / "protocol.csv").write_text("\n".join(lines) + "\n")
    return folder / "store"


def toy_recipe(folder: Path, **changes: object) -> Path:
    """A recipe file for the store."""
    import yaml

    recipe = {
        "name": "toy",
        "corpus": "folder",
        "protocol": str(folder / "protocol.csv"),
        "streams": ["audio/mfcc10", "video/openface"],
        "model": {"name": "chumachenko-it"},
        "window": 1.2,
        "epochs": 4,
        "batch_size": 8,
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path
