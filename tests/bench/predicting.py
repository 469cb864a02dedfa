"""What `affuse predict` computes beside one plain decode of the same file, and how much memory.

    python -m tests.bench.predicting [VIDEO...] [--repeats 3] [--threads 1]

For every video, in turns, in processes of their own: processor seconds of decoding all its images
with PyAV, of predicting it with the bundled model (without the files, and with them), the seconds
that pass, and the peak memory of the process. Without videos it generates three of a talking face,
60 s of 512 x 512, 1280 x 720 and 1920 x 1080 at 30 Hz. Prints a Markdown table and JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

SIZES = ((512, 512), (1280, 720), (1920, 1080))

DECODE = """
import av, sys
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    for frame in container.decode(stream):
        pass
"""
PREDICT = """
import sys, tempfile
from pathlib import Path
import cv2, torch
torch.set_num_threads(int(sys.argv[2]))
cv2.setNumThreads(int(sys.argv[2]))
from affuse.inference.output import write_timeline
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
predictor = Predictor(BUNDLED)
START
timeline = predictor.predict(Path(sys.argv[1]))
if sys.argv[3] == "files":
    with tempfile.TemporaryDirectory() as folder:
        write_timeline(timeline, Path(folder), "a")
"""
MEASURE = """
import json, time
from affuse.verification.bench.sides import peak_memory
began = time.perf_counter(), time.process_time()
{code}
spent = time.perf_counter() - began[0], time.process_time() - began[1]
print(json.dumps([*spent, peak_memory()]), file=sys.stdout)
"""


def measured(code: str, *words: str, threads: int) -> tuple[float, float, float]:
    """Seconds that pass, processor seconds, and peak memory in MB, from START on."""
    before, marked, after = code.partition("START\n")
    text = (
        before + MEASURE.format(code=after)
        if marked
        else "import sys\n" + MEASURE.format(code=code)
    )
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, "-c", text, *words],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    passed, spent, peak = json.loads(done.stdout.splitlines()[-1])
    return passed, spent, peak


def generated(path: Path, size: tuple[int, int], seconds: float = 60.0) -> Path:
    """A talking face and its voice."""
    from tests.inference.people import take

    frames, sound = take(3, 1)
    width, height = size
    container: Any
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 30, options={"preset": "fast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        heard = container.add_stream("aac", 48000, layout="mono")
        large = [_fitted(frame, size) for frame in frames]
        there_and_back = [*large, *large[-2:0:-1]]
        for k in range(round(seconds * 30)):
            image = there_and_back[round(k * 25 / 30) % len(there_and_back)]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = np.resize(sound.astype(np.float32), round(seconds * 48000))
        for first in range(0, len(samples), 1024):
            part = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = 48000, first, Fraction(1, 48000)
            container.mux(heard.encode(part))
        container.mux(heard.encode())
    return path


def _fitted(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a frame, as large as wanted."""
    width, height = size
    scale = max(width / frame.shape[1], height / frame.shape[0])
    large = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    y, x = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[y : y + height, x : x + width])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    report: dict[str, dict[str, float]] = {}
    titles = ("video", "seconds", "decode, CPU s", "predict, CPU s", "ratio", "passes, s")
    print(f"| {' | '.join(titles)} | times real time | MB |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        videos = options.videos or [
            generated(Path(folder) / f"{width}x{height}.mp4", (width, height))
            for width, height in SIZES
        ]
        for path in videos:
            with av.open(str(path)) as container:
                length = float(container.duration or 0) / 1e6
            rows = []
            for _ in range(options.repeats):
                _, decode, _ = measured(DECODE, str(path), threads=1)
                passed, spent, peak = measured(
                    PREDICT, str(path), str(options.threads), "no", threads=options.threads
                )
                rows.append((decode, spent, spent / decode, passed, length / passed, peak))
            decode, spent, ratio, passed, speed, peak = (
                statistics.median(column) for column in zip(*rows, strict=True)
            )
            report[path.name] = {"decode": decode, "predict": spent, "ratio": ratio, "MB": peak}
            print(
                f"| {path.name} | {length:.1f} | {decode:.2f} | {spent:.2f} | {ratio:.1f} | "
                f"{passed:.1f} | {speed:.1f} | {peak:.0f} |"
            )
    print(json.dumps(report, indent=2), file=sys.stderr)


if __name__ == "__main__":
    main()
