"""Recordings to streams: `affuse prepare` beside the published preparation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.verification.bench.comparison import Bench, Check, Target, ratio
from affuse.verification.bench.plain_preparing import NOTE, has_librosa
from affuse.verification.bench.recordings import write_recording
from affuse.verification.bench.sides import Run, Side, Work

STAGES = {
    "affuse.features.fingerprint": "fingerprints",
    "affuse.media.mtcnn": "find faces",
    "affuse.media.mtcnn_networks": "find faces",
    "affuse.media.summed_area": "find faces",
    "affuse.media.detectors": "find faces",
    "affuse.media.following": "find faces",
    "affuse.media.linking": "find faces",
    "affuse.media.appearance": "find faces",
    "affuse.media.second_look": "find faces",
    "affuse.media.crops": "crop",
    "affuse.media.quality": "crop",
    "affuse.media.published_faces:PublishedFaces.see": "crop",
    "affuse.media.audio": "sound",
    "affuse.media.loudness": "sound",
    "affuse.media.sounding": "sound",
    "affuse.media.sound_clock": "sound",
    "affuse.media.channels": "sound",
    "affuse.features.sound": "sound",
    "affuse.features.spectral": "sound",
    "affuse.features.published:PublishedMfcc": "sound",
    "affuse.features.published:SoundWindows": "sound",
    "affuse.features.archive": "write",
    "affuse.features.parts": "write",
    "affuse.features.consolidate": "write",
    "affuse.features.store": "write",
    "affuse.features.store_index": "write",
    "affuse.features.stream_file": "write",
    "affuse.execution.files": "write",
    "affuse.media.reading": "decode",
    "affuse.media.probe": "decode",
    "affuse.media.container": "decode",
    "affuse.media.contents": "decode",
    "affuse.media.timestamps": "decode",
    "affuse.media.shown": "decode",
    __name__: "decode",
}
DEFAULT = ("audio/mfcc10", "video/faces224")
PUBLISHED = ("audio/mfcc10-published-constant", "video/faces224-published")
OURS, SAME, PLAIN = "affuse", "affuse, published streams", "published way"
FLOOR, TWO = "one decode + face network", "affuse, two workers"
#: Targets: times as fast as the published way; times the floor; times one worker.
FASTER, ABOVE, SHARED = 6.0, 2.0, 1.8


def prepare(
    recordings: str, clips: int, store: str, streams: Sequence[str], workers: int = 1
) -> Work:
    """Sets up `affuse prepare` of clips; the workers have done a clip before."""
    from affuse.features.catalogue import create_extractor
    from affuse.features.prepare import prepare as prepare_corpus

    extractors = [create_extractor(name) for name in streams]
    first = _corpus(Path(recordings), workers)
    prepare_corpus(first, Path(f"{store}-before"), extractors, workers)
    shutil.rmtree(f"{store}-before")

    def work() -> Any:
        shutil.rmtree(store, ignore_errors=True)
        report = prepare_corpus(_corpus(Path(recordings), clips), Path(store), extractors, workers)
        return {"failures": [*map(list, report.failures)], "absent": report.absent}

    return work


def prepare_here(recordings: str, clips: int, store: str, streams: Sequence[str]) -> Work:
    """Sets up the same without workers, for the stages."""
    from affuse.features.catalogue import create_extractor
    from affuse.features.consolidate import consolidate
    from affuse.features.fingerprint import AudioFingerprint, ContentHash, VideoFingerprint
    from affuse.features.parts import part_path, write_part
    from affuse.features.recorded import begin_all

    extractors = [create_extractor(name) for name in streams]
    extractors += [ContentHash(), AudioFingerprint(), VideoFingerprint()]
    by_name = {extractor.spec.name: extractor for extractor in extractors}

    def make(clips: int, folder: Path) -> None:
        corpus = _corpus(Path(recordings), clips)
        for clip in corpus.clips:
            for name, blocks in begin_all(by_name, clip).items():
                write_part(part_path(folder / "parts" / name, clip.id), clip, by_name[name], blocks)
        for name, extractor in by_name.items():
            consolidate(folder, extractor, corpus.clips, None, folder / "parts" / name)

    make(1, Path(f"{store}-before"))
    shutil.rmtree(f"{store}-before")
    return lambda: make(clips, Path(store))


def decode_and_find(recordings: str, clips: int) -> Work:
    """Sets up one plain decode of all frames and the face network on a frame per 0.2 s.

    The frames, and the size at which they are searched, are those of the default of `prepare`.
    """
    import av
    import cv2

    from affuse.media.detectors import create_detector
    from affuse.media.face import FaceOptions

    options = FaceOptions()
    detector = create_detector("mtcnn", min_face_size=options.min_face_size)
    detector.detect([np.zeros((64, 64, 3), np.uint8)])

    def work() -> None:
        for clip in _corpus(Path(recordings), clips).clips:
            due = 0.0
            with av.open(str(clip.video)) as container:
                container.streams.video[0].thread_type = "NONE"
                for frame in container.decode(container.streams.video[0]):
                    if float(frame.time or 0) < due:
                        continue
                    due = float(frame.time or 0) + options.every
                    scale = min(1.0, (options.max_side or 640) / max(frame.width, frame.height))
                    size = round(frame.width * scale), round(frame.height * scale)
                    image: Any = frame.to_ndarray(format="rgb24")
                    detector.detect([cv2.resize(image, size, interpolation=cv2.INTER_AREA)])

    return work


def _corpus(recordings: Path, count: int) -> Any:
    """Clips whose images are `000000.mp4` ... and whose sound is `000000.wav` ..."""
    from affuse.corpora.clip import Clip, Corpus

    clips = [
        Clip(name, recordings / f"{name}.mp4", recordings / f"{name}.wav", label="neutral")
        for name in (f"{k:06d}" for k in range(count))
    ]
    return Corpus("folder", recordings, clips, ("neutral",), "generated")


def sides(recordings: Path, clips: int, folder: Path, workers: int) -> list[Side]:
    """What is run in turns."""
    options = {"recordings": str(recordings), "clips": clips}
    here, plain = f"{__name__}:", "affuse.verification.bench.plain_preparing:prepare_plainly"
    ours = options | {"store": str(folder / "ours"), "streams": DEFAULT}
    same = options | {"store": str(folder / "same"), "streams": PUBLISHED}
    found = [
        Side(OURS, f"{here}prepare", ours),
        Side(PLAIN, plain, options | {"out": str(folder / "plain")}),
        Side(SAME, f"{here}prepare", same),
        Side(FLOOR, f"{here}decode_and_find", options),
    ]
    if workers > 1 and clips > 1:
        two = ours | {"store": str(folder / "two"), "workers": 2}
        found.insert(1, Side(TWO, f"{here}prepare", two))
    return found


def compare(bench: Bench, clips: int) -> None:
    """Measure one number of clips."""
    recordings = bench.recordings(clips)
    folder = bench.folder / f"prepare{clips}"
    runs = bench.measure(sides(recordings, clips, folder, workers=2), clips=clips)
    one = {"recordings": str(recordings), "clips": clips}
    bench.forget_stages(TWO)  # they are in its workers
    for name, streams in ((OURS, DEFAULT), (SAME, PUBLISHED)):
        options = one | {"store": str(folder / f"{name} here"), "streams": streams}
        bench.break_down(name, Side(name, f"{__name__}:prepare_here", options))
    bench.checks += _checks(folder, clips, runs)
    if not has_librosa() and NOTE not in bench.notes:
        bench.notes.append(NOTE)
    bench.targets += [
        Target("times as fast as the published way (CPU)", ratio(runs, PLAIN, OURS), FASTER),
        Target("the same of the published streams (CPU)", ratio(runs, PLAIN, SAME), FASTER),
        Target("times one decode + face network (CPU)", ratio(runs, OURS, FLOOR), ABOVE, "most"),
    ]
    if TWO in runs:
        shared = ratio(runs, OURS, TWO, "seconds")
        bench.targets.append(Target("two workers, times as fast as one", shared, SHARED))


def _checks(folder: Path, clips: int, runs: dict[str, list[Run]]) -> list[Check]:
    """Whether both ways made the same crops and MFCCs."""
    from affuse.features.store import Store

    crops, rows = [], []
    store = Store(folder / "same")
    for k in range(clips):
        name = f"{k:06d}"
        faces = np.load(folder / "plain" / f"{name}_faces.npy").astype(int)
        crops.append(np.abs(store.stream(PUBLISHED[1])[name].values - faces).mean())
        mfcc = np.load(folder / "plain" / f"{name}_mfcc.npy")
        rows.append(np.abs(store.stream(PUBLISHED[0])[name].values - mfcc).max())
    ours = Store(folder / "ours").stream(DEFAULT[1])
    unseen = 1 - np.mean([ours[f"{k:06d}"].mask.mean() for k in range(clips)])
    failed = sum(len(run.outcome["failures"]) for run in runs[OURS])
    return [
        Check("crops of the published streams, mean difference in levels", np.max(crops), 3.0),
        Check("their MFCCs, largest difference in dB", np.max(rows), 0.5),
        Check("share of crops without a face, default streams", unseen, 0.05),
        Check("failures", failed, 0),
    ]


def grow(bench: Bench, limit: float) -> None:
    """How the cost of `affuse prepare` grows with clips, seconds, people and workers."""
    here = f"{__name__}:prepare"

    def side(recordings: Path, clips: int, name: str, workers: int = 1) -> Side:
        store = str(bench.folder / f"grown-{name}")
        options = {"recordings": str(recordings), "clips": clips, "store": store}
        return Side(name, here, options | {"streams": DEFAULT, "workers": workers})

    def one(name: str, seconds: float, people: int = 1) -> Path:
        folder = bench.folder / name
        folder.mkdir(exist_ok=True)
        write_recording(folder / "000000.mp4", seconds, bench.size, people=people)
        return folder

    length = bench.seconds
    bench.grow("clips", (1, 10, 100, 1000), lambda n: side(bench.recordings(n), n, "clips"), limit)
    bench.grow(
        "times the seconds",
        (1, 4, 16, 64),
        lambda n: side(one(f"seconds{n}", n * length), 1, "seconds"),
        limit,
    )
    bench.grow(
        "people", (1, 2, 4), lambda n: side(one(f"people{n}", length, n), 1, "people"), limit
    )
    bench.grow("workers", (1, 2, 4), lambda n: side(bench.recordings(12), 12, "workers", n), limit)
