"""What the bundled model makes of recordings that it has not seen.

    python docs/results/bundled.py DATA WEIGHTS [--model FILE]

DATA holds `ravdess_speech`, `ferplus`, `diffusionfer` and `voices`; WEIGHTS is what `make weights`
made of it, with stores of further voices in `stores` (`emovo`, `emotale`, `ased`), if there are
such. Prints the tables of `bundled.md`; of a model of faces alone, such as another seed of the
face, those rows that are about faces.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import soundfile
import torch
from scipy import signal

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.labels import Labels, Rule, label_clips
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.registry import read_corpus
from affuse.corpora.synthetic.sounds import KINDS, sound
from affuse.errors import BadInput
from affuse.execution.progress import progress
from affuse.features.batch import collate, normalise
from affuse.features.speakers import Amount, SpeakerBaselines
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration
from affuse.inference.predictor import Predictor
from affuse.inference.sliding import slide
from affuse.metrics.calibration import calibration
from affuse.metrics.classification import accuracy_interval, classification_scores
from affuse.models.applied import LEAST_VOICE
from affuse.models.bundled import BUNDLED
from affuse.models.modelfile import load_model
from affuse.tasks.timeline import Timeline

CLASSES = tuple(EMOTIONS)
HOME = {name: emotion for emotion, names in EMOTIONS.items() for name in names}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    options = parser.parse_args()
    predictor = Predictor(options.model)
    classes = predictor.spec.outputs
    hears = any(spec.modality == "audio" for spec in predictor.spec.streams.values())
    tables = {
        **(spoken(predictor, options) if hears else {}),
        "FER+ validation, first choice of raters": faces(predictor, options, "plurality"),
        "FER+ validation images with a majority": faces(predictor, options, "majority"),
        "DiffusionFER, the half that was held apart (images)": drawn(predictor, options),
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
    if not hears:
        return
    print("\n| nothing to read | what is said |")
    print("|---|---|")
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


def middle(sound: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """As many seconds from the middle."""
    return sound[(first := (len(sound) - round(seconds * rate)) // 2) : len(sound) - first]


HEARD: dict[str, Change] = {
    "white noise at 10 dB": noisy,
    "in a room (0.5 s)": in_room,
    "by telephone": by_telephone,
    "20 dB quieter": lambda sound, rate: 0.1 * sound,
    "its middle second alone": partial(middle, seconds=1.0),
}


def spoken(predictor: Predictor, options: argparse.Namespace) -> dict[str, Found]:
    """Voices of people that the model has not heard, as they are and changed."""
    return {
        "RAVDESS speech, four actors left out (sound)": voices(predictor, options),
        **{
            f"the same, {name}": voices(predictor, options, change)
            for name, change in HEARD.items()
        },
        **further(predictor, options),
    }


def voices(
    predictor: Predictor, options: argparse.Namespace, change: Change | None = None
) -> Found:
    """Clips of the actors that the voice was not trained on."""
    split = json.loads((options.weights / "voice/fold0/split.json").read_text())
    corpus = read_corpus("ravdess", options.data / "ravdess_speech")
    clips = [clip for clip in corpus.clips if f"ravdess/{clip.id}" in set(split["development"])]
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


def further(predictor: Predictor, options: argparse.Namespace) -> dict[str, Found]:
    """Voices of corpora that the model has not heard, nothing and everything known of a speaker."""
    found: dict[str, Found] = {}
    model, _ = load_model(predictor.file)
    sounds = {n: s for n, s in predictor.spec.streams.items() if s.modality == "audio"}
    (face,) = (s for s in predictor.spec.streams.values() if s.modality == "video")
    for name in ("emovo", "emotale", "ased"):
        path = options.weights / "stores" / name
        if not path.is_dir():
            continue
        data = Store(path)
        clips = [c for c in data.usable([*sounds]) if HOME.get(str(c.label)) in CLASSES]
        amounts: dict[str, Amount] = {"": "none"}
        if predictor.baselines:
            amounts |= {", all of a speaker known": "all"}
        for words, amount in amounts.items():
            people = predictor.baselines and SpeakerBaselines(
                data, clips, predictor.baselines, amount
            )
            rows, heard = [], []
            for clip in progress(clips, name):
                streams = {key: data.stream(key)[clip.id] for key in sounds}
                streams = people.moved(clip.id, streams) if people else streams
                duration = stream_duration(streams, sounds)
                streams |= {face.name: Stream.absent(face, duration)}
                said = slide(model, predictor.spec, streams, duration)
                rows.append(said.anyway)
                heard.append(np.nanmax(said.voice) >= LEAST_VOICE)
            print(f"{name}{words}: a voice in {np.mean(heard):.1%}", file=sys.stderr)
            labels = [HOME[str(clip.label)] for clip in clips]
            found[f"{name}{words}"] = np.array(rows), labels, [str(c.speaker) for c in clips]
    return found


def faces(predictor: Predictor, options: argparse.Namespace, rule: Rule) -> Found:
    """Validation images of FER+ whose label is one of the classes."""
    model, _ = load_model(predictor.file)
    data = Store(options.weights / "stores/ferplus")
    labels = Labels(rule, "video", least=2, others="count")
    there = [clip for clip in data.clips if clip.partition == "validation"]
    found = label_clips(there, data.classes, labels)
    names = [found.classes[k] for k in found.targets.argmax(1)]
    kept = [(c, HOME[n]) for c, n in zip(found.clips, names, strict=True) if n in HOME]
    (stream,) = (s for s in predictor.spec.streams.values() if s.modality == "video")
    sounds = [s for s in predictor.spec.streams.values() if s.modality == "audio"]
    rows = []
    for first in range(0, len(kept), 64):
        samples = [
            {stream.name: data.stream(stream.name)[c.id]} for c, _ in kept[first : first + 64]
        ]
        batch = collate(samples, {stream.name: stream})
        count = len(samples)
        for spec in sounds:
            batch.streams[spec.name] = torch.zeros(count, 50, *spec.shape)
            batch.masks[spec.name] = torch.zeros(count, 50, dtype=torch.bool)
        with torch.inference_mode():
            logits = model(normalise(batch, predictor.spec.normalisation)).logits
        rows.append(logits.softmax(-1).numpy())
    return np.concatenate(rows), [n for _, n in kept], [str(c.speaker) for c, _ in kept]


def drawn(predictor: Predictor, options: argparse.Namespace) -> Found:
    """Images that a diffusion model drew, each as a recording of one image."""
    corpus = read_corpus("diffusionfer", options.data / "diffusionfer")
    roles = load_protocol("diffusionfer/halves", corpus.clips).roles(0, corpus.clips)
    clips = [clip for clip, has in zip(corpus.clips, roles, strict=True) if has == ("test",)]
    rows, labels, groups = [], [], []
    for clip in progress(clips, "pictures"):
        assert clip.video is not None
        try:
            rows.append(overall(predictor, clip.video))
        except BadInput as error:
            print(error, file=sys.stderr)
            continue
        labels.append(HOME[str(clip.label)])
        groups.append(clip.id)
    return np.array(rows), labels, groups


def overall(predictor: Predictor, path: Path) -> np.ndarray:
    """(C,) mean probabilities of a recording."""
    timeline = predictor.predict(path, thumbnails=False)
    assert isinstance(timeline, Timeline)
    return timeline.overall


def nothings(predictor: Predictor) -> Iterator[tuple[str, str]]:
    """What is said about recordings in which there is nobody.

    Sounds are drawn with another seed than those that the model learned from.
    """
    random = np.random.default_rng(0)
    walls = {
        "a white wall": np.full((480, 640, 3), 235, np.uint8),
        "a wall of bricks": bricks(),
        "noise on the image": random.integers(0, 256, (480, 640, 3), np.uint8),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.wav")
        for kind in ("exact zeros", *KINDS):
            told = []
            for number in range(1, 6):
                drawn = sound(2, kind, number, 10) if kind in KINDS else np.zeros(160_000)
                soundfile.write(path, drawn, 16000)
                told.append(said(predictor, path))
            yield f"{kind}, {len(told)} of 10 s", "; ".join(dict.fromkeys(told))
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
    """What is said, and how sure the surest window is where an emotion is named."""
    try:
        timeline = predictor.predict(path, thumbnails=False)
    except BadInput as error:
        return error.reason
    assert isinstance(timeline, Timeline)
    if not timeline.known.any():
        return timeline.headline
    return f"{timeline.emotion}, at most {np.nanmax(timeline.probabilities):.2f}"


if __name__ == "__main__":
    main()
