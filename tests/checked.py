"""A corpus of generated tones, and models that tell them apart, each with a fault or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from affuse.features.batch import Batch, Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model, Output
from affuse.models.layers.alignment import Clock
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import MODELS, ModelEntry
from tests.commands import run
from tests.toy import AUDIO, VIDEO

STREAM, RATE = "audio/logmel64-16k", 16000
CLASSES = ("neutral", "happy", "angry")
#: Hz of the tone of every class, of that of every voice, and of that of men.
TONES, VOICE, MAN = (500.0, 1000.0, 1800.0), 3000.0, 700.0
#: Natural logarithm of the power of 4 dB, and how high a tone stands out.
_LOUDER, _CLEAR = 0.4 * np.log(10), 3.0


def tone_corpus(folder: Path) -> Path:
    """Write 96 clips of 16 speakers, half of them men, and prepare the store; return its folder.

    One clip in sixteen says another class than its label.
    """
    random = np.random.default_rng(0)
    wav = folder / "wav"
    wav.mkdir(parents=True)
    lines = ["path,speaker,label,sex,age"]
    for k in range(96):
        speaker, label = k % 16, (k // 16) % 3
        man = speaker % 2
        said = (label + 1) % 3 if speaker == 3 * (k // 16) else label
        times = np.arange(int(random.uniform(0.8, 1.0) * RATE)) / RATE
        hertz = [TONES[said], VOICE, *([MAN] if man else [])]
        sound = sum(np.sin(2 * np.pi * f * times + random.uniform(0, 6)) for f in hertz)
        sound = 0.05 * sound + random.normal(0, 1e-3, len(times))
        soundfile.write(wav / f"{k:03d}.wav", sound.astype(np.float32), RATE, subtype="FLOAT")
        sex, age = ("female", "male")[man], (25, 50)[(speaker // 2) % 2]
        lines.append(f"{k:03d}.wav,s{speaker:02d},{CLASSES[label]},{sex},{age}")
    (wav / "clips.csv").write_text("\n".join(lines) + "\n")
    store = folder / "store"
    words = ("--store", store, "--streams", STREAM, "--workers", 1)
    assert run("prepare", "folder", wav, *words) == 0
    return store


class Tones(Model):
    """The class whose tone stands out, as sure as there is a voice.

    Args:
        fault: What is wrong with it; see `faults`.
        loudness: Log power of the voices of the corpus.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        fault: str = "",
        loudness: float = 0.0,
    ) -> None:
        super().__init__(streams, outputs, head)
        self.fault, self.loudness = fault, loudness
        self.scale = torch.nn.Parameter(torch.tensor(1.0))
        self.calls = 0

    def forward(self, batch: Batch) -> Output:
        x, mask = batch.streams[STREAM], batch.masks[STREAM]
        count = mask.sum(1, keepdim=True)
        mean = x.sum(1) / count.clamp(min=0 if self.fault == "no number" else 1)
        tones = torch.stack([_stands_out(mean, hertz) for hertz in TONES], 1)
        voice = (_stands_out(mean, VOICE) - _CLEAR).clamp(0, 1)
        scores = self.scale * tones.clamp(min=0) * voice[:, None]
        man = _stands_out(mean, MAN) > _CLEAR
        if self.fault == "men":  # two classes change places
            scores = torch.where(man[:, None], scores[:, [2, 1, 0]], scores)
        if self.fault == "gain":
            loud = mean[:, _band(VOICE)] - self.loudness > _LOUDER
            scores = torch.where(loud[:, None], scores[:, [1, 2, 0]], scores)
        if self.fault == "silence":
            quiet = x.amax((1, 2)) < self.loudness - 10
            scores = scores + quiet[:, None] * torch.tensor([0.0, 0.0, 5.0])
        if self.fault == "batch":
            scores = scores - 0.2 * scores.mean(0)
        if self.fault == "memory":
            self.calls += 1
            scores = scores * (1 + 0.001 * self.calls)
        if self.fault == "length":
            scores = scores + 0.1 * mask.shape[1] * (count == 0)
        return self.answer(scores, mask.any(1, keepdim=True))


class TwoLevels(Model):
    """The first value of each video frame is valence, that of each sound frame arousal.

    Args:
        fault: `length`: the frames that are absent count; `guesses`: what is said has nothing to do
            with what is seen and heard.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "frames",
        fault: str = "",
    ) -> None:
        super().__init__(streams, outputs, head)
        self.fault = fault
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, batch: Batch) -> Output:
        columns, masks = [], []
        for name in (VIDEO.name, AUDIO.name):
            clock = Clock(name, self.streams[name].rate)
            x, mask = batch.streams[name][..., :1], batch.masks[name]
            x, mask = self.on_frames(x, mask, clock, batch)
            columns.append(x)
            masks.append(mask)
        values = self.scale * torch.cat(columns, -1)
        if self.fault == "length" and not batch.masks[AUDIO.name].any():
            values = values + 0.01 * batch.masks[AUDIO.name].shape[1]
        if self.fault == "guesses":
            values = 0.5 * torch.sin(torch.arange(values.numel()) * 2.0).reshape(values.shape)
        return self.answer(values, (masks[0] | masks[1]).unsqueeze(-1))


def _band(hertz: float) -> int:
    """The mel band of a tone."""
    mels = [2595 * np.log10(1 + f / 700) for f in (hertz, RATE / 2)]
    return int(mels[0] / mels[1] * 65 - 0.5)


def _stands_out(mean: Tensor, hertz: float) -> Tensor:
    """By how much a band is above those around it, (B,)."""
    band = _band(hertz)
    around = [band - 4, band - 3, band + 3, band + 4]
    return mean[:, band - 1 : band + 2].amax(1) - mean[:, around].mean(1)


def tones_model(path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, fault: str = "") -> Path:
    """A model file; the model is registered as long as a test runs."""
    monkeypatch.setitem(
        MODELS._own, "tones", ModelEntry("tests.checked:Tones", modalities=("audio",))
    )
    data = Store(store)
    voices = [data.stream(STREAM)[clip.id].values[:, _band(VOICE)].mean() for clip in data.clips]
    options = {"fault": fault, "loudness": float(np.median(voices))}
    spec = ModelSpec(
        model="tones",
        options=options,
        streams={STREAM: stream_spec(STREAM)},
        normalisation={STREAM: Normalisation()},
        outputs=list(CLASSES),
        window=1.0,
    )
    save_model(path, spec.build(), spec)
    return path
