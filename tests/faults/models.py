"""A small model of the voice with random weights; what it says is arbitrary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import torch

import affuse
from affuse.features.catalogue import stream_spec
from affuse.models.modelfile import ModelSpec, save_model


def voice_model(path: Path) -> Path:
    """A model file of three classes from `audio/mfcc10`."""
    torch.manual_seed(0)
    names = ["audio/mfcc10"]
    spec = ModelSpec(
        model="audio-only",
        options={},
        streams={name: stream_spec(name) for name in names},
        normalisation={},
        outputs=["neutral", "happy", "sad"],
        task="classification",
        window=1.0,
        training={},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, affuse.create_model("audio-only", names, 3), spec)
    return path


def tone(path: Path, seconds: float = 1.0) -> Path:
    """A recording of a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(int(16000 * seconds)) / 20), 16000)
    return path
