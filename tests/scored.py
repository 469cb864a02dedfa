"""A table of scores that two models, too sure of themselves, gave to generated clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from affuse.corpora.clip import Clip, Corpus
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare

CLASSES = ("neutral", "calm", "happy", "sad")
VOICE, FACE = "audio/scores-voice", "video/scores-face"


def scored_clips(count: int = 160, speakers: int = 8) -> list[Clip]:
    """Clips of speakers who act every class."""
    return [
        Clip(f"{k:03d}", speaker=f"s{k % speakers}", label=CLASSES[(k // speakers) % 4])
        for k in range(count)
    ]


def logits(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """(4,) of the voice, which tells odd classes, and of the face, which tells late ones."""
    label = CLASSES.index(str(clip.label))
    noise = np.random.default_rng(int(clip.id)).normal(size=(2, 4))
    classes = np.arange(4)
    alike = np.stack([classes % 2 == label % 2, classes // 2 == label // 2])
    voice, face = 3 * (2.5 * alike + noise)
    return voice, face


def write_scores(
    path: Path,
    clips: Sequence[Clip],
    columns: Sequence[str] = CLASSES,
    fold: Callable[[Clip], str] | None = lambda clip: str(int(str(clip.speaker)[1:]) % 4),
) -> Path:
    """The table; published folds keep speakers apart unless `fold` does otherwise."""
    header = [f"{part}_{name}" for part in ("voice", "face") for name in columns]
    lines = [",".join(["clip", *(["fold"] if fold else []), *header])]
    for clip in clips:
        cells = [clip.id, *([fold(clip)] if fold else [])]
        lines.append(",".join([*cells, *(f"{x:.5f}" for x in np.concatenate(logits(clip)))]))
    path.write_text("\n".join(lines) + "\n")
    return path


def scored_store(folder: Path, clips: Sequence[Clip], table: Path) -> Path:
    """The store of both streams, and beside it a protocol of two folds and a recipe."""
    corpus = Corpus("folder", folder, clips, CLASSES, "none")
    parts = {VOICE: "voice_", FACE: "face_"}
    made = [create_extractor(n, Path(f"{table}#{part}"), CLASSES) for n, part in parts.items()]
    prepare(corpus, folder / "store", made)
    lines = ["clip,speaker,fold0,fold1"]
    for clip in clips:
        home = int(str(clip.speaker)[1:]) % 4
        roles = ["test" if home == k else "train" for k in (0, 1)]
        lines.append(",".join([clip.id, str(clip.speaker), *roles]))
    (folder / "protocol.csv").write_text("\n".join(lines) + "\n")
    recipe = {
        "name": "scored",
        "corpus": "folder",
        "protocol": str(folder / "protocol.csv"),
        "streams": [VOICE, FACE],
        "model": {"name": "product"},
        "optimiser": {"name": "adam", "lr": 0.1, "weight_decay": 0.0},
        "epochs": 15,
        "primary": 0.0,
        "auxiliary": 1.0,
        "selection": "last",
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "store"
