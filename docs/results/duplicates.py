"""Recall and false alarms of near-duplicate detection: python docs/results/duplicates.py DATA

DATA holds `ravdess_speech` (sound) and `videos` (images). Prints the tables of duplicates.md.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import av
import cv2
import numpy as np
import soundfile
import soxr
import torch

from affuse.audit import duplicates
from affuse.corpora.clip import Clip
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.features.fingerprint import AudioFingerprint, VideoFingerprint
from affuse.media.audio import read_sound
from affuse.media.probe import probe
from affuse.media.video import read_frames

SEGMENT = 2.9  # seconds into which longer videos are cut
RATE = 48000

Fingerprints = dict[str, np.ndarray]
rng = np.random.default_rng(0)


def write_sound(path: Path, audio: np.ndarray, rate: int, codec: str, bitrate: int = 0) -> Path:
    """Encode (N,) sound; the suffix of the path follows from the codec."""
    if codec == "flac":
        soundfile.write(path.with_suffix(".flac"), audio, rate)
        return path.with_suffix(".flac")
    path = path.with_suffix({"libmp3lame": ".mp3", "aac": ".m4a", "libopus": ".ogg"}[codec])
    if codec == "libopus" and rate != RATE:
        audio, rate = soxr.resample(audio, rate, RATE), RATE
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bitrate
        frame = av.AudioFrame.from_ndarray(np.float32(audio)[None], format="fltp", layout="mono")
        frame.rate, frame.pts = rate, 0
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def louder(audio: np.ndarray) -> np.ndarray:
    """6 dB above full scale, clipped."""
    return np.clip(2 * audio / np.abs(audio).max(), -1, 1)


def telephone(audio: np.ndarray) -> np.ndarray:
    """At 8 kHz."""
    return soxr.resample(audio, 16000, 8000)


def trimmed(audio: np.ndarray, seconds: float = 0.2) -> np.ndarray:
    """Without its beginning."""
    return audio[round(seconds * 16000) :]


def padded(audio: np.ndarray, seconds: float = 0.2) -> np.ndarray:
    """With silence before."""
    return np.pad(audio, (round(seconds * 16000), 0))


def about() -> float:
    """A shift that is no whole number of frames."""
    return float(rng.uniform(0.15, 0.25))


SOUND: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "MP3, 64 kbit/s": lambda p, x: write_sound(p, x, 16000, "libmp3lame", 64000),
    "AAC, 96 kbit/s": lambda p, x: write_sound(p, x, 16000, "aac", 96000),
    "Opus, 32 kbit/s": lambda p, x: write_sound(p, x, 16000, "libopus", 32000),
    "-12 dB": lambda p, x: write_sound(p, x / 4, 16000, "flac"),
    "6 dB above full scale, clipped": lambda p, x: write_sound(p, louder(x), 16000, "flac"),
    "resampled at 8 kHz": lambda p, x: write_sound(p, telephone(x), 8000, "flac"),
    "first 0.2 s cut off": lambda p, x: write_sound(p, trimmed(x), 16000, "flac"),
    "0.2 s of zeros before": lambda p, x: write_sound(p, padded(x), 16000, "flac"),
    "8 kHz, clipped, cut, MP3 32 kbit/s": lambda p, x: write_sound(
        p, telephone(louder(trimmed(x, about()))), 8000, "libmp3lame", 32000
    ),
    "8 kHz, clipped, zeros, AAC 64 kbit/s": lambda p, x: write_sound(
        p, telephone(louder(padded(x, about()))), 8000, "aac", 64000
    ),
    "8 kHz, -12 dB, zeros, Opus 32 kbit/s": lambda p, x: write_sound(
        p, telephone(padded(x, about()) / 4), 8000, "libopus", 32000
    ),
    "8 kHz, -12 dB, zeros, Opus 12 kbit/s": lambda p, x: write_sound(
        p, telephone(padded(x, about()) / 4), 8000, "libopus", 12000
    ),
}

PICTURES: dict[str, dict[str, float | str]] = {
    "H.264, CRF 35": {"crf": 35},
    "H.264, CRF 28, half size": {"crf": 28, "scale": 0.5},
    "H.264, CRF 35, half size": {"crf": 35, "scale": 0.5},
    "25 frames per second": {"fps": 25},
    "first 0.2 s cut off": {"shift": 0.2},
    "first image 0.2 s longer": {"shift": -0.2},
    "MPEG-4, 400 kbit/s": {"codec": "mpeg4"},
    "brighter by 15 % and 8 levels": {"gain": 1.15, "offset": 8},
    "CRF 28, half size, 25 fps, 0.23 s cut": {"crf": 28, "scale": 0.5, "fps": 25, "shift": 0.23},
    "CRF 35, half size, 25 fps, 0.23 s cut": {"crf": 35, "scale": 0.5, "fps": 25, "shift": 0.23},
}


def write_video(
    path: Path,
    clip: Clip,
    codec: str = "libx264",
    crf: int = 23,
    scale: float = 1.0,
    fps: int = 30,
    shift: float = 0.0,
    gain: float = 1.0,
    offset: float = 0.0,
) -> Path:
    """Encode the images of a clip; a negative shift holds the first one."""

    def shown() -> Iterator[np.ndarray]:
        """Every image as often as it is seen at the frame rate."""
        count = 0
        last: np.ndarray | None = None
        for frame in read_frames(clip.video, clip.start or None, clip.end):
            while last is not None and count / fps < frame.time - clip.start - shift - 1e-6:
                yield last
                count += 1
            rgb = frame.rgb()
            height, width = (round(side * scale) // 2 * 2 for side in rgb.shape[:2])
            rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
            last = np.clip(rgb * gain + offset, 0, 255).astype(np.uint8) if gain != 1 else rgb
        assert last is not None
        yield last

    with av.open(str(path), "w") as container:
        for number, rgb in enumerate(shown()):
            if number == 0:
                options = {"crf": str(crf), "preset": "veryfast"} if codec == "libx264" else {}
                stream = container.add_stream(codec, rate=fps, options=options)
                stream.height, stream.width = rgb.shape[:2]
                stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
                if codec == "mpeg4":
                    stream.bit_rate = 400_000
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def between(
    prints: Fingerprints, rate: float, threshold: float
) -> tuple[np.ndarray, list[tuple[float, str, str]]]:
    """Similarities of all pairs, and the highest with their clips."""
    scores = [
        (duplicates.similarity(prints[a], prints[b], rate) or 0.0, a, b)
        for a, b in combinations(prints, 2)
    ]
    scores.sort(reverse=True)
    top = [score for score in scores if score[0] >= threshold]
    return np.array([score[0] for score in scores]), scores[: len(top) + 3]


def table_row(
    name: str, originals: Fingerprints, copies: Fingerprints, rate: float, threshold: float
) -> str:
    """Copies as `near_duplicates` finds them among all originals."""
    prints = originals | {f"copy {clip}": values for clip, values in copies.items()}
    groups = {clip: clip.startswith("copy ") for clip in prints}
    pairs = duplicates.near_duplicates(prints, rate, threshold, groups)
    found = {a for a, b, _ in pairs if b == f"copy {a}"}
    scores = [
        duplicates.similarity(originals[clip], values, rate) or 0.0
        for clip, values in copies.items()
    ]
    low, first, middle = np.quantile(scores, [0, 0.01, 0.5])
    others = len(pairs) - len(found)
    return (
        f"| {name} | {len(copies)} | {len(found) / len(copies):.3f} | {low:.3f} | {first:.3f} "
        f"| {middle:.3f} | {others} |"
    )


HEAD = (
    "| copy | clips | found | lowest | 1 % | median | other pairs |\n|---|---|---|---|---|---|---|"
)


def report_originals(title: str, prints: Fingerprints, rate: float, threshold: float) -> None:
    """Print how alike different recordings are."""
    scores, top = between(prints, rate, threshold)
    middle, high, higher = np.quantile(scores, [0.5, 0.999, 0.9999])
    print(
        f"\n{title}: {len(prints)} clips, {len(scores)} pairs; median {middle:.3f}, 99.9 % "
        f"{high:.3f}, 99.99 % {higher:.3f}; at or above the threshold and the next three:"
    )
    print(*[f"- {score:.3f} {a}, {b}" for score, a, b in top], sep="\n", flush=True)


def sound(data: Path, folder: Path) -> None:
    """Print the tables of RAVDESS speech."""
    extractor, threshold = AudioFingerprint(), duplicates.SOUND_THRESHOLD
    rate = extractor.spec.rate
    files = sorted(data.rglob("*.flac"))
    originals = {f.stem: extractor.extract(Clip(f.stem, audio=f)).values for f in files}
    print(f"\n## Sound, threshold {threshold}\n\n{HEAD}")
    for name, encode in SOUND.items():
        copies = {}
        for file in files[::5]:
            copy = encode(folder / "copy", read_sound(file, 16000).samples)
            copies[file.stem] = extractor.extract(Clip("copy", audio=copy)).values
        print(table_row(name, originals, copies, rate, threshold), flush=True)
    report_originals("RAVDESS speech", originals, rate, threshold)
    print("\n| clips | seconds | peak memory of this process, GB |\n|---|---|---|")
    for count in (7442, 20000):
        many = warped(list(originals.values()), count)
        started = time.time()
        duplicates.near_duplicates(many, rate, threshold)
        took, peak = time.time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"| {count} | {took:.1f} | {peak / 1e6:.2f} |", flush=True)


def warped(originals: list[np.ndarray], count: int) -> Fingerprints:
    """As hard as takes of one sentence: clips whose time runs unevenly."""
    prints = {}
    for number in range(count):
        values = originals[rng.integers(len(originals))]
        length = int(len(values) * rng.uniform(0.8, 1.25))
        inner = np.sort(rng.uniform(0, 0.5, 4)) + np.linspace(0.1, 0.4, 4)
        places = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, 6), [0, *inner, 1])
        prints[str(number)] = values[np.int64(places * (len(values) - 1))]
    return prints


def segments(path: Path) -> Iterator[Clip]:
    """Clips of about three seconds, the whole video."""
    seconds = probe(path).duration
    count = max(1, int(seconds / SEGMENT))
    for part in range(count):
        start, end = part * seconds / count, (part + 1) * seconds / count
        yield Clip(f"{path.stem} {start:.1f} s", video=path, start=start, end=end)


def pictures(title: str, clips: list[Clip], copied: list[Clip], folder: Path) -> None:
    """Print the tables of some clips with images."""
    extractor, threshold = VideoFingerprint(), duplicates.VIDEO_THRESHOLD
    rate = extractor.spec.rate
    originals = {clip.id: extractor.extract(clip).values for clip in clips}
    print(f"\n## {title}, threshold {threshold}\n\n{HEAD}")
    for name, options in PICTURES.items():
        copies = {}
        for clip in copied:
            copy = write_video(folder / "copy.mp4", clip, **options)
            copies[clip.id] = extractor.extract(Clip("copy", video=copy)).values
        print(table_row(name, originals, copies, rate, threshold), flush=True)
    report_originals(title, originals, rate, threshold)


def main() -> None:
    """Make all tables."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    data, started = Path(sys.argv[1]), time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound(data / "ravdess_speech", folder)
        clips = [clip for path in sorted((data / "videos").iterdir()) for clip in segments(path)]
        pictures("Videos", clips, clips, folder)
        synthesise(folder / "synthetic", actors=(1, 2, 3))
        files = sorted((folder / "synthetic").rglob("*.mp4"))
        clips = [Clip(path.stem, video=path) for path in files]
        pictures("Synthetic corpus of RAVDESS", clips, clips[::4], folder)
    print(f"\n{time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
