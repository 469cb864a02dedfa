"""A recording to probabilities over time: `affuse predict` beside a plain way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from affuse.verification.bench.comparison import Bench, Check, Target, ratio
from affuse.verification.bench.preparing import STAGES as PREPARING
from affuse.verification.bench.recordings import write_recording
from affuse.verification.bench.sides import Side, Work

STAGES = PREPARING | {
    "affuse.models.frozen": "voice network",
    "affuse.models.backbones.whisper": "voice network",
    "affuse.models": "face network, fusion",
    "affuse.inference.keyframes": "key frames",
}
OURS, PLAIN = "affuse", "plain way"
#: How many times as long the recording is whose memory is measured.
LONGER = 4
#: Targets: times as fast as the plain way; memory of a longer recording, times that of a short one.
FASTER, GROWN = 1.0, 1.1
_PLAIN = "affuse.verification.bench.plain_predicting:predict_plainly"


def predict(recording: str, people: int = 1) -> Work:
    """Sets up the prediction of a recording with the bundled model."""
    from affuse.inference.predictor import Predictor

    predictor = Predictor(low_quality="keep")
    before = Path(recording).with_name("before.mp4")
    predictor.predict(before)  # loads its networks

    def work() -> Any:
        if people > 1:
            return {"people": len(predictor.predict_people(Path(recording), people))}
        said: Any = predictor.predict(Path(recording))
        return [float(x) for x in np.nanmean(said.probabilities, axis=0)]

    return work


def compare(bench: Bench, clips: int) -> None:
    """Measure a recording as long as some clips, and one that is longer."""
    seconds = clips * bench.seconds
    short = _recording(bench, seconds)
    runs = bench.measure(_sides(short), clips=clips, recording_s=round(seconds, 1))
    _per_second(bench, seconds)
    said = {name: np.mean([run.outcome for run in found], axis=0) for name, found in runs.items()}
    differ = np.abs(said[OURS] - said[PLAIN]).max()
    bench.checks.append(Check("mean probabilities, largest difference", float(differ), 0.1))
    bench.targets.append(
        Target(
            f"{seconds:g} s, times as fast as the plain way (CPU)", ratio(runs, PLAIN, OURS), FASTER
        )
    )
    long = _recording(bench, LONGER * seconds)
    later = bench.measure(
        _sides(long), repeats=1, clips=LONGER * clips, recording_s=round(LONGER * seconds, 1)
    )
    _per_second(bench, LONGER * seconds)
    grown = {name: later[name][0].peak / min(run.peak for run in runs[name]) for name in runs}
    bench.targets.append(
        Target(f"memory at {LONGER} times the length, times that", grown[OURS], GROWN, "most")
    )
    bench.notes.append(f"memory of the plain way at {LONGER} times: {grown[PLAIN]:.2f} times")


def _sides(recording: Path) -> list[Side]:
    options = {"recording": str(recording)}
    return [Side(OURS, f"{__name__}:predict", options), Side(PLAIN, _PLAIN, options)]


def _recording(bench: Bench, seconds: float, people: int = 1) -> Path:
    """A recording in a folder of its own, beside a short one that loads what is needed."""
    folder = bench.folder / f"{seconds:g}s-{people}"
    if not folder.exists():
        folder.mkdir()
        write_recording(folder / "before.mp4", 1.0, bench.size)
        write_recording(folder / "recording.mp4", seconds, bench.size, people=people)
    return folder / "recording.mp4"


def _per_second(bench: Bench, seconds: float) -> None:
    for row in bench.rows[-2:]:
        row["cpu_per_second"] = float(f"{row['cpu_seconds'] / seconds:.3g}")


def grow(bench: Bench, limit: float) -> None:
    """How the cost of `affuse predict` grows with the length of a recording, and with people."""

    def side(recording: Path, people: int = 1) -> Side:
        options = {"recording": str(recording), "people": people}
        return Side(OURS, f"{__name__}:predict", options)

    length = bench.seconds
    bench.grow(
        "times the seconds", (1, 4, 16, 64), lambda n: side(_recording(bench, n * length)), limit
    )
    bench.grow("people", (1, 2, 4), lambda n: side(_recording(bench, length, n), n), limit)
