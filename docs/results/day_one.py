"""What the bundled model makes of recordings that it has not seen.

    python docs/results/day_one.py DATA WEIGHTS [--model FILE]

DATA holds `ravdess_speech`, `ferplus` and `diffusionfer`; WEIGHTS is what `make weights` made of
it. Prints the tables of `backbones.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import soundfile
import torch
from scipy import signal

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.labels import Labels, Rule, label_clips
from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput
from affuse.execution.progress import progress
from affuse.features.batch import collate, normalise
from affuse.features.store import Store
from affuse.inference.predictor import Predictor
from affuse.metrics.calibration import calibration
from affuse.metrics.classification import accuracy_interval, classification_scores
from affuse.models.bundled import DAY_ONE
from affuse.tasks.timeline import Timeline

HOME = {name: emotion for emotion, names in EMOTIONS.items() for name in names}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--model", type=Path, default=DAY_ONE)
    options = parser.parse_args()
    predictor = Predictor(options.model)
    classes = predictor.spec.outputs
    tables = {
        "RAVDESS speech, four actors left out (sound)": voices(predictor, options),
        **{
            f"the same, {name}": voices(predictor, options, change)
            for name, change in HEARD.items()
        },
        "FER+ validation, first choice of raters": faces(predictor, options, "plurality"),
        "FER+ validation images with a majority": faces(predictor, options, "majority"),
        "DiffusionFER (images)": drawn(predictor, options),
    }
    print("| recordings | clips | accuracy | 95 % interval | UAR | NLL | ECE | confidence |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (shares, labels, groups) in tables.items():
        true = np.array([classes.index(label) for label in labels])
        found = classification_scores(true, shares.argmax(1), len(classes))
        sure = calibration(shares, true)
        low, high = accuracy_interval(shares.argmax(1) == true, np.array(groups))
        print(
            f"| {name} | {len(true)} | {found.accuracy:.3f} | {low:.3f} to {high:.3f} | "
            f"{found.uar:.3f} | {sure.nll:.3f} | {sure.ece:.3f} | {sure.confidence:.3f} |"
        )
        recalls = ", ".join(f"{c} {r:.2f}" for c, r in zip(classes, found.recall, strict=True))
        print(f"{name}: recall {recalls}", file=sys.stderr)
    print("\n| nothing to read | likeliest emotion | its probability, largest of all windows |")
    print("|---|---|---|")
    for name, said in nothings(predictor):
        print(f"| {name} | {said} |")


Found = tuple[np.ndarray, list[str], list[str]]
Change = Callable[[np.ndarray, int], np.ndarray]


def noisy(sound: np.ndarray, rate: int) -> np.ndarray:
    """White noise 10 dB below the speech."""
    noise = np.random.default_rng(0).standard_normal(len(sound))
    return sound + np.sqrt(np.mean(sound**2)) * 10**-0.5 * noise


def in_room(sound: np.ndarray, rate: int) -> np.ndarray:
    """A room in which sound falls by 60 dB in half a second, a quarter of its energy direct."""
    tail = np.random.default_rng(0).standard_normal(rate // 2)
    tail *= 10 ** (-3 * np.arange(len(tail)) / len(tail))
    tail *= np.sqrt(3 / np.sum(tail**2))
    return signal.fftconvolve(sound, np.concatenate([[1.0], tail]))[: len(sound)] / 2


def by_telephone(sound: np.ndarray, rate: int) -> np.ndarray:
    """300 to 3400 Hz."""
    band = signal.butter(6, (300, 3400), "bandpass", fs=rate, output="sos")
    return np.asarray(signal.sosfilt(band, sound))


HEARD: dict[str, Change] = {
    "white noise at 10 dB": noisy,
    "in a room (0.5 s)": in_room,
    "by telephone": by_telephone,
    "20 dB quieter": lambda sound, rate: 0.1 * sound,
}


def voices(
    predictor: Predictor, options: argparse.Namespace, change: Change | None = None
) -> Found:
    """Clips of the actors that the voice was not trained on."""
    split = json.loads((options.weights / "voice/fold0/split.json").read_text())
    corpus = read_corpus("ravdess", options.data / "ravdess_speech")
    clips = [clip for clip in corpus.clips if clip.id in set(split["development"])]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in progress(clips, "voices"):
            path = clip.audio
            assert path is not None
            if change is not None:
                sound, rate = soundfile.read(path)
                path = Path(folder, "changed.wav")
                soundfile.write(path, change(sound, rate), rate)
            rows.append(overall(predictor, path))
    return np.array(rows), [HOME[str(c.label)] for c in clips], [str(c.speaker) for c in clips]


def faces(predictor: Predictor, options: argparse.Namespace, rule: Rule) -> Found:
    """Validation images of FER+ whose label is one of the classes."""
    data = Store(options.weights / "stores/ferplus")
    labels = Labels(rule, "video", least=2, others="count")
    there = [clip for clip in data.clips if clip.partition == "validation"]
    found = label_clips(there, data.classes, labels)
    names = [found.classes[k] for k in found.targets.argmax(1)]
    kept = [(c, HOME[n]) for c, n in zip(found.clips, names, strict=True) if n in HOME]
    (stream,) = (s for s in predictor.spec.streams.values() if s.modality == "video")
    (sound,) = (s for s in predictor.spec.streams.values() if s.modality == "audio")
    rows = []
    for first in range(0, len(kept), 64):
        samples = [
            {stream.name: data.stream(stream.name)[c.id]} for c, _ in kept[first : first + 64]
        ]
        batch = collate(samples, {stream.name: stream})
        count = len(samples)
        batch.streams[sound.name] = torch.zeros(count, 50, *sound.shape)
        batch.masks[sound.name] = torch.zeros(count, 50, dtype=torch.bool)
        with torch.inference_mode():
            logits = predictor.model(normalise(batch, predictor.spec.normalisation)).logits
        rows.append(logits.softmax(-1).numpy())
    return np.concatenate(rows), [n for _, n in kept], [str(c.speaker) for c, _ in kept]


def drawn(predictor: Predictor, options: argparse.Namespace) -> Found:
    """Images that a diffusion model drew, each as a recording of one image."""
    corpus = read_corpus("diffusionfer", options.data / "diffusionfer")
    names = {"angry": "angry", "fear": "fearful", "surprise": "surprised"}
    rows, labels, groups = [], [], []
    for clip in progress(corpus.clips, "pictures"):
        assert clip.video is not None
        try:
            rows.append(overall(predictor, clip.video))
        except BadInput as error:
            print(error, file=sys.stderr)
            continue
        labels.append(names.get(str(clip.label), str(clip.label)))
        groups.append(clip.id)
    return np.array(rows), labels, groups


def overall(predictor: Predictor, path: Path) -> np.ndarray:
    """(C,) mean probabilities of a recording."""
    timeline = predictor.predict(path, thumbnails=False)
    assert isinstance(timeline, Timeline)
    return timeline.overall


def nothings(predictor: Predictor) -> Iterator[tuple[str, str]]:
    """What is said about recordings in which there is nobody."""
    random = np.random.default_rng(0)
    rate, seconds = 16000, 10
    time = np.arange(rate * seconds) / rate
    white = random.standard_normal(len(time))
    sounds = {
        "silence": np.zeros(len(time)),
        "hiss, quiet": 0.003 * white,
        "white noise": 0.1 * white,
        "brown noise": 0.3 * np.cumsum(white) / np.abs(np.cumsum(white)).max(),
        "hum of 50 Hz": 0.2 * sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 12)),
        "a chord": 0.1 * sum(np.sin(2 * np.pi * f * time) for f in (220.0, 277.2, 329.6)),
    }
    walls = {
        "a white wall": np.full((480, 640, 3), 235, np.uint8),
        "a wall of bricks": bricks(),
        "noise on the image": random.integers(0, 256, (480, 640, 3), np.uint8),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, sound in sounds.items():
            path = Path(folder, "sound.wav")
            soundfile.write(path, sound.astype(np.float32), rate)
            yield name, said(predictor, path)
        for name, wall in walls.items():
            path = Path(folder, "wall.mp4")
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 480))
            for _ in range(75):
                shaken = wall.astype(np.int16) + random.integers(-4, 5, wall.shape)
                writer.write(shaken.clip(0, 255).astype(np.uint8))
            writer.release()
            yield name, said(predictor, path)


def bricks() -> np.ndarray:
    """A wall (480, 640, 3)."""
    wall = np.full((480, 640, 3), (60, 80, 160), np.uint8)
    for row in range(0, 480, 40):
        wall[row : row + 4] = 190
        for column in range(40 * (row // 40 % 2), 640, 80):
            wall[row : row + 40, column : column + 4] = 190
    return wall


def said(predictor: Predictor, path: Path) -> str:
    """The likeliest emotion and how sure the surest window is."""
    try:
        timeline = predictor.predict(path, thumbnails=False)
    except BadInput as error:
        return f"none: {error.reason} | "
    assert isinstance(timeline, Timeline)
    return f"{timeline.emotion} | {np.nanmax(timeline.probabilities):.2f}"


if __name__ == "__main__":
    main()
