"""What the bundled model is worth on faces and voices of low quality, and how that is measured.

    python docs/results/quality.py DATA [--faces N] [--voices N] > quality-tables.md

DATA holds `ferplus/ferplus.npz`, `diffusionfer`, `ravdess_speech` and `voices`. Prints the tables
of `quality.md`, on which the limits of `affuse.tasks.quality` rest. Faces are validation images
of FER+, and voices those of the four actors of RAVDESS from whom the bundled model has not learned.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import soundfile

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput, Unusable
from affuse.features.stream import Stream
from affuse.inference.predictor import Predictor
from affuse.media.detectors import create_detector
from affuse.media.loudness import LoudnessMeter
from affuse.media.quality import face_quality, turn_of
from affuse.models.bundled import BUNDLED
from affuse.models.modelfile import load_model
from affuse.models.sliding import WindowModel
from affuse.tasks.timeline import Timeline

HOME = {name: emotion for emotion, names in EMOTIONS.items() for name in names}
FACES, UNHEARD = "video/aligned48", ("11", "13", "18", "22")
Change = Callable[[np.ndarray], np.ndarray]
BLURS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
SIDES = (48, 32, 24, 16, 14, 12, 10, 9, 8, 6)
GAINS = (1.0, 0.5, 0.25, 0.2, 0.15, 0.1, 0.05)
LIFTS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
NOISES = (None, 30, 20, 15, 10, 5, 0, -5, -10, -15, -20)
LEVELS = (0, -10, -20, -30, -35, -40, -50, -60)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--faces", type=int, default=10_000, help="of FER+ at most")
    parser.add_argument("--voices", type=int, default=240, help="of RAVDESS at most")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    options = parser.parse_args()
    for name in options.only:
        TABLES[name](options.data, options.voices if name == "voices" else options.faces)


# Faces --------------------------------------------------------------------------------------------


class FaceModel:
    """The bundled model on faces that are cut out already."""

    def __init__(self) -> None:
        model, spec = load_model(BUNDLED)
        self.applied, self.classes = WindowModel(model, spec), list(spec.outputs)

    def says(self, faces: np.ndarray) -> np.ndarray:
        """Number of the likeliest class (N,) of faces (N, 48, 48) grey."""
        frames = np.repeat(faces[..., None], 3, -1)
        stream = Stream(frames, np.ones(len(frames), bool))
        rows = self.applied.embed(FACES, stream, slice(None)).values
        absent = {
            name: Stream(np.zeros((1, *spec.shape), spec.dtype), np.zeros(1, bool))
            for name, spec in self.applied.spec.streams.items()
            if name != FACES
        }
        found = []
        for row in rows:
            seen = Stream(row[None], np.ones(1, bool))
            output, _ = self.applied.outputs([{**absent, FACES: seen}])
            found.append(int(output.scores[0].argmax()))
        return np.array(found)


def ferplus(data: Path, most: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Faces (N, 48, 48), their emotions (N,) as numbers, and the names of these."""
    held = np.load(data / "ferplus" / "ferplus.npz", allow_pickle=False)
    columns = [str(name) for name in held["vote_columns"]]
    votes = np.stack([held["votes"][:, columns.index(c)] for c in columns], 1)
    train = set(held["dup_group"][held["split"] == "train"].tolist())
    apart = np.array([group not in train for group in held["dup_group"].tolist()])
    clear = votes.max(1) > votes.sum(1) / 2
    known = np.array([HOME.get(columns[k]) is not None for k in votes.argmax(1)])
    rows = np.flatnonzero((held["split"] == "valid") & apart & clear & known)
    rows = np.random.default_rng(0).permutation(rows)[:most]
    names = list(EMOTIONS)
    labels = np.array([names.index(HOME[columns[k]]) for k in votes[rows].argmax(1)])
    return held["images"][rows].reshape(-1, 48, 48), labels, names


def of_faces(data: Path, most: int) -> None:
    """Accuracy on faces that are shrunk, blurred, darkened and overexposed."""
    images, labels, names = ferplus(data, most)
    model = FaceModel()
    assert names == model.classes
    print(f"{len(images)} faces of FER+\n")
    table("side in pixels", SIDES, _shrunk, "size", model, images, labels)
    table(
        "blur, standard deviation in pixels of 48",
        BLURS,
        _blurred,
        "sharpness",
        model,
        images,
        labels,
    )
    table("darkened to", GAINS, _darkened, "light", model, images, labels)
    table("lightened by", LIFTS, _lightened, "light", model, images, labels)


def table(
    title: str,
    levels: Sequence[float],
    change: Callable[[np.ndarray, float], np.ndarray],
    field: str,
    model: FaceModel,
    images: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Recall and what is measured, at each level of one change."""
    print(f"| {title} | {field}: median (5 % to 95 %) | clipped | UAR | 95 % interval | neutral |")
    print("|---|---|---|---|---|---|")
    for level in levels:
        faces = np.stack([change(image, level) for image in images])
        said = model.says(faces)
        box = np.array([0.0, 0.0, level, level])
        noted = [face_quality(np.repeat(x[..., None], 3, -1), box, None) for x in faces]
        low, median, high = np.quantile([getattr(x, field) for x in noted], (0.05, 0.5, 0.95))
        clipped = np.median([x.clipped for x in noted])
        neutral = (said == 0).mean()
        print(
            f"| {level:g} | {median:.3g} ({low:.3g} to {high:.3g}) | {clipped:.2f} | "
            f"{_recall(labels, said)} | {neutral:.2f} |"
        )
    print()


def _shrunk(image: np.ndarray, side: float) -> np.ndarray:
    small = cv2.resize(image, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (48, 48), interpolation=cv2.INTER_LINEAR))


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma else image


def _darkened(image: np.ndarray, gain: float) -> np.ndarray:
    return np.asarray(np.round(image * gain), np.uint8)


def _lightened(image: np.ndarray, share: float) -> np.ndarray:
    """Exposed longer: what is above a threshold is white."""
    return np.asarray(np.clip(np.round(image / (1 - share)), 0, 255), np.uint8)


def of_turn(data: Path, most: int) -> None:
    """Accuracy by the turn of the head."""
    images, labels, _ = ferplus(data, most)
    said = FaceModel().says(images)
    detector = create_detector("mtcnn", min_face_size=60, max_side=None)
    turns = np.full((len(images), 2), np.nan)
    for k, image in enumerate(images):
        large = cv2.resize(image, (192, 192), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(large, 48, 48, 48, 48, cv2.BORDER_REPLICATE)
        (found,) = detector.detect([np.repeat(framed[..., None], 3, -1)])
        if found and found[0].landmarks is not None:
            turns[k] = turn_of(np.asarray(found[0].landmarks, np.float64))
    print(f"face found in {np.isfinite(turns[:, 0]).sum()} of {len(images)} images of FER+\n")
    for name, values, edges in (
        ("yaw", abs(turns[:, 0]), (0, 10, 20, 30, 40, 50, 60, 70, 91)),
        ("pitch", turns[:, 1], (-91, -30, -20, -10, 0, 10, 20, 30, 91)),
    ):
        print(
            f"| {name} in degrees | faces | accuracy | UAR | 95 % interval |\n|---|---|---|---|---|"
        )
        for low, high in itertools.pairwise(edges):
            rows = (values >= low) & (values < high)
            if rows.sum() > 10:
                right = (said == labels)[rows].mean()
                recall = _recall(labels[rows], said[rows])
                print(f"| {low} to {high} | {rows.sum()} | {right:.2f} | {recall} |")
        print()


def of_found(data: Path, most: int) -> None:
    """What the whole program makes of generated faces that are shrunk, blurred or darkened."""
    with (data / "diffusionfer" / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["annotated_label"] in HOME]
    rows = [rows[k] for k in np.random.default_rng(0).permutation(len(rows))[: min(most, 210)]]
    predictor = Predictor(BUNDLED, low_quality="keep")
    changes: list[tuple[str, Change]] = [("as it is", lambda x: x)]
    for side in (112, 56, 40, 28, 20, 14, 10):
        changes.append((f"{side} pixels", partial(_in_scene, side=side)))
    for sigma in (2.0, 4.0, 8.0, 16.0, 24.0):
        changes.append((f"blur of {sigma:g}", partial(_blurred, sigma=sigma)))
    for gain in (0.25, 0.1, 0.05, 0.02):
        changes.append((f"darkened to {gain:g}", partial(_darkened, gain=gain)))
    print(f"{len(rows)} faces of DiffusionFER, 224 x 224 pixels, as images\n")
    print("| | found | UAR of these | 95 % interval | size | sharpness | light |")
    print("|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "face.png"
        for title, change in changes:
            labels, said, noted = [], [], []
            for row in rows:
                image = cv2.imread(str(data / "diffusionfer" / row["path"]))
                assert image is not None
                cv2.imwrite(str(path), change(image))
                try:
                    timeline = predictor.predict(path, thumbnails=False)
                except (Unusable, BadInput):
                    continue
                labels.append(list(EMOTIONS).index(HOME[row["annotated_label"]]))
                assert isinstance(timeline, Timeline)
                said.append(int(timeline.probabilities[0].argmax()))
                noted.append([float(x[0]) for x in list(timeline.quality.values.values())[:3]])
            if not said:
                print(f"| {title} | 0 | | | | | |")
                continue
            size, sharpness, light = np.median(noted, axis=0)
            recall = _recall(np.array(labels), np.array(said))
            print(
                f"| {title} | {len(said)} | {recall} | {size:.0f} | {sharpness:.2f} | {light:.3f} |"
            )
    print()


def _in_scene(image: np.ndarray, side: int) -> np.ndarray:
    """A small image in the middle of a grey one of 640 by 360 pixels."""
    scene = np.full((360, 640, 3), 128, np.uint8)
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    y, x = (360 - side) // 2, (640 - side) // 2
    scene[y : y + side, x : x + side] = small
    return scene


# Voices -------------------------------------------------------------------------------------------


def of_voices(data: Path, most: int) -> None:
    """Accuracy on voices in white noise, and on quiet ones."""
    clips = [
        clip
        for clip in read_corpus("ravdess", data / "ravdess_speech").clips
        if str(clip.speaker).lstrip("aA").zfill(2) in UNHEARD
    ]
    clips = [clips[k] for k in np.random.default_rng(0).permutation(len(clips))[:most]]
    names = list(EMOTIONS)
    labels = np.array([names.index(HOME[str(clip.label)]) for clip in clips])
    predictor = Predictor(BUNDLED, low_quality="keep")
    print(f"{len(clips)} sentences of RAVDESS\n")
    for title, levels, change in (
        ("SNR of the white noise in dB", NOISES, _noisy),
        ("gain in dB", LEVELS, _quiet),
    ):
        print(
            f"| {title} | level: median | `sound_snr`: median (5 % to 95 %) | UAR | 95 % interval |"
            " neutral |\n|---|---|---|---|---|---|"
        )
        for level in levels:
            said, noted = [], []
            rng = np.random.default_rng(0)
            with TemporaryDirectory() as folder:
                path = Path(folder) / "voice.wav"
                for clip in clips:
                    samples, rate = soundfile.read(clip.audio, dtype="float64")
                    soundfile.write(path, change(samples, level, rng), rate, subtype="PCM_24")
                    timeline = predictor.predict(path)
                    assert isinstance(timeline, Timeline)
                    said.append(int(timeline.overall.argmax()))
                    values = timeline.quality.values
                    noted.append(
                        [float(np.nanmedian(values[f"sound_{x}"])) for x in ("level", "snr")]
                    )
            loud, ratio = np.array(noted).T
            low, median, high = np.nanquantile(ratio, (0.05, 0.5, 0.95))
            neutral = (np.array(said) == 0).mean()
            print(
                f"| {'none' if level is None else level} | {np.median(loud):.0f} | {median:.1f} "
                f"({low:.1f} to {high:.1f}) | {_recall(labels, np.array(said))} | {neutral:.2f} |"
            )
        print()


def _noisy(samples: np.ndarray, level: float | None, rng: np.random.Generator) -> np.ndarray:
    if level is None:
        return samples
    noise = rng.standard_normal(len(samples))
    noise *= np.sqrt(np.square(samples).mean() / 10 ** (level / 10))
    mixed = samples + noise
    # as loud as before, so that nothing but the noise changes
    return mixed * np.sqrt(np.square(samples).mean() / np.square(mixed).mean())


def _quiet(samples: np.ndarray, level: float | None, rng: np.random.Generator) -> np.ndarray:
    return samples * 10 ** ((level or 0) / 20)


def of_snr(data: Path, most: int) -> None:
    """Error of the estimated signal-to-noise ratio."""
    kinds = {
        "RAVDESS (English, pauses at both ends)": sorted(
            (data / "ravdess_speech").glob("Actor_*/*.flac")
        )[::12],
        **{
            name: sorted((data / "voices" / name).rglob("*.opus"))[::n]
            for name, n in (("nemo", 40), ("emovo", 8), ("emotale", 10), ("ased", 25))
        },
    }
    print("| voices | | 30 dB | 20 dB | 10 dB | 5 dB | 0 dB | -5 dB |\n" + 8 * "|---" + "|")
    for name, files in kinds.items():
        errors: dict[int, list[float]] = {level: [] for level in (30, 20, 10, 5, 0, -5)}
        for number, path in enumerate(files):
            samples, rate = soundfile.read(path, dtype="float32")
            if samples.ndim > 1:
                samples = samples.mean(1)
            rng = np.random.default_rng(number)
            for level, found in errors.items():
                noise = rng.standard_normal(len(samples))
                noise *= np.sqrt(np.square(samples).mean() / 10 ** (level / 10))
                meter = LoudnessMeter(rate)
                meter.add(0, (samples + noise).astype(np.float32))
                span = np.array([0.0]), np.array([len(samples) / rate])
                found.append(float(meter.loudness.snr(*span)[0]) - level)
        cells = [f"{np.mean(x):+.1f} ± {np.std(x):.1f}" for x in errors.values()]
        print(f"| {name} | {len(files)} | {' | '.join(cells)} |")
    print()


def of_cost(data: Path, most: int) -> None:
    """The time that one face takes: the least of many, for other programs may be running."""
    random = np.random.default_rng(0)
    landmarks = np.array([[30.0, 40.0], [70.0, 40.0], [50.0, 65.0], [35.0, 85.0], [65.0, 85.0]])
    for size in (48, 112, 224):
        crop = random.integers(0, 256, (size, size, 3), np.uint8)
        call = partial(face_quality, crop, np.array([0.0, 0.0, 100.0, 100.0]), landmarks, 0.1)
        least = min(timeit.repeat(call, number=10, repeat=100)) / 10
        print(f"{size} pixels: {1000 * least:.3f} ms")


def _recall(labels: np.ndarray, said: np.ndarray) -> str:
    """Unweighted average recall and its 95 % interval, drawing cases anew, as two cells."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(500):
        some = rng.integers(0, len(labels), len(labels))
        drawn.append(_mean_recall(labels[some], said[some]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{_mean_recall(labels, said):.2f} | {low:.2f} to {high:.2f}"


def _mean_recall(labels: np.ndarray, said: np.ndarray) -> float:
    return float(np.mean([(said[labels == k] == k).mean() for k in np.unique(labels)]))


TABLES: dict[str, Callable[[Path, int], None]] = {
    "faces": of_faces,
    "turn": of_turn,
    "found": of_found,
    "voices": of_voices,
    "snr": of_snr,
    "cost": of_cost,
}


if __name__ == "__main__":
    main()
