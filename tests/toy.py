"""A store of generated streams: the sound tells one half of the class, the image the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.registry import read_corpus
from affuse.features.batch import Batch
from affuse.features.prepare import prepare
from affuse.features.stream import Stream, StreamSpec
from affuse.models.base import Model, Output

CLASSES = ("neutral", "calm", "happy", "sad")
AUDIO = StreamSpec("audio/mfcc10", 40.0, (10,))
SOUND30 = StreamSpec("audio/mfcc10", 30.0, (10,))
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


class Curve(Toy):
    """One of the two curves of a clip in noise."""

    def extract(self, clip: Clip) -> Stream:
        times = np.arange(int(8 * self.spec.rate)) / self.spec.rate
        which = 1 if self.spec.modality == "audio" else 0
        curve = np.array([curves(int(clip.id), t)[which] for t in times])
        noise = np.random.default_rng(int(clip.id)).normal(0, 0.1, (len(times), *self.spec.shape))
        return Stream((curve[:, None] + noise).astype(np.float32), np.ones(len(times), bool))


def curves(clip: int, time: float) -> tuple[float, float]:
    """Valence and arousal of a clip at a second."""
    phase = 1.7 * clip
    return 0.8 * np.sin(1.1 * time + phase), 0.8 * np.cos(0.7 * time + phase)


class Level(Model):
    """The first value of each video frame."""

    def forward(self, batch: Batch) -> Output:
        x, mask = batch.streams[VIDEO.name], batch.masks[VIDEO.name]
        return self.answer(x[..., :1], mask.unsqueeze(-1))


def timed_store(folder: Path, *specs: StreamSpec) -> Corpus:
    """Eight clips of 8 s whose streams follow a slow curve each: valence seen, arousal heard.

    Nobody annotated the half second from 2 s on. Five clips train, two develop, one tests; the
    protocol lies beside the store.
    """
    lines = ["path,speaker,id,annotation"]
    (folder / "raw").mkdir()
    for k in range(8):
        rows = ["time,valence,arousal"]
        for i in range(240):
            valence, arousal = curves(k, i / 30)
            gap = 60 <= i < 75
            rows.append(f"{i / 30:.4f},{'' if gap else f'{valence:.4f}'},{arousal:.4f}")
        (folder / f"raw/{k}.csv").write_text("\n".join(rows) + "\n")
        (folder / f"raw/{k}.mp4").touch()
        lines.append(f"{k}.mp4,s{k},{k},{k}.csv")
    (folder / "raw/clips.csv").write_text("\n".join(lines) + "\n")
    roles = ["train"] * 5 + ["development"] * 2 + ["test"]
    table = [f"{k},s{k},{role}" for k, role in enumerate(roles)]
    (folder / "protocol.csv").write_text("\n".join(["clip,speaker,fold0", *table]) + "\n")
    corpus = read_corpus("folder", folder / "raw")
    clips = [replace(clip, video=None, audio=None) for clip in corpus.clips]
    corpus = replace(corpus, clips=clips)
    prepare(corpus, folder / "store", [Curve(spec) for spec in specs or (AUDIO, VIDEO)])
    return corpus
