"""A folder corpus of short melodies, and a recipe that learns whether they are low or high."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import yaml

from affuse.cli.main import main

STREAM, RATE = "audio/logmel64-16k", 16000


def melody_corpus(folder: Path, **recipe: object) -> Path:
    """Write 8 clips of 4 speakers into `wav`, `recipe.yaml`, and prepare the store `plain`."""
    random = np.random.default_rng(0)
    (folder / "wav").mkdir()
    lines = ["path,speaker,label"]
    for k in range(8):
        hertz = np.repeat(random.uniform(150, 400, 10) * (1 + k % 2), RATE // 10)
        sound = 0.1 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
        soundfile.write(folder / f"wav/{k}.wav", sound.astype(np.float32), RATE, subtype="FLOAT")
        lines.append(f"{k}.wav,s{k // 2},{('joy', 'anger')[k % 2]}")
    (folder / "wav/clips.csv").write_text("\n".join(lines) + "\n")
    written = {
        "name": "melodies",
        "corpus": "folder",
        "protocol": "leave-one-speaker-out",
        "streams": [STREAM],
        "model": {"name": "audio-only"},
        "window": 1.0,
        "epochs": 2,
        "batch_size": 4,
        "selection": "last",
        **recipe,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(written))
    prepare_melodies(folder, "plain")
    return folder


def prepare_melodies(folder: Path, store: str, *changes: str) -> None:
    """Prepare a store of the clips, changed."""
    base = ["prepare", "folder", str(folder / "wav"), "--streams", STREAM]
    said = [word for change in changes for word in ("--change", change)]
    assert main([*base, "--store", str(folder / store), *said]) == 0


def train_melodies(folder: Path, out: str, *arguments: str) -> int:
    """Train the first fold; the exit code."""
    base = ["train", str(folder / "recipe.yaml"), "fold=0", "--store", str(folder / "plain")]
    alike = ["--allow", "near-audio,same-features"]
    return main([*base, "--out", str(folder / out), *alike, *arguments])
