"""How late `affuse live` is: from the moment an image is due to the line that speaks about it.

python -m tests.bench.live VIDEO [--hop SECONDS] [--model FILE] [--seconds SECONDS]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does

import av
import numpy as np

from affuse.inference.live import KEPT, follow
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.media.source import open_source
from affuse.media.timestamps import picture_times
from affuse.models.bundled import BUNDLED
from affuse.verification.bench.sides import peak_memory

BINS = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, np.inf]
BAR = 50
EVERY = 60.0  # seconds from one note of the memory to the next


def looped(video: Path, folder: Path, seconds: float) -> Path:
    """A recording that repeats another one until it is long enough, without encoding it again."""
    path, begin = folder / f"looped{video.suffix}", 0.0
    with av.open(str(path), "w") as out:
        streams: dict[int, av.stream.Stream] = {}
        while begin < seconds:
            with av.open(str(video)) as source:
                longest = 0.0
                for stream in (*source.streams.video[:1], *source.streams.audio[:1]):
                    if stream.index not in streams:
                        streams[stream.index] = out.add_stream_from_template(stream)
                    longest = max(longest, float((stream.duration or 0) * stream.time_base))
                for packet in source.demux([source.streams[k] for k in streams]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(begin / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
                begin += longest
    return path


def latencies(path: Path, model: Path, hop: float) -> Iterator[tuple[float, float, int, int]]:
    """Of each line: until when it speaks, how late, the frames dropped, and the memory in MB."""
    predictor = Predictor(model)
    with open_source(str(path), {x.modality for x in predictor.spec.streams.values()}) as packets:
        live = Live(packets, predictor.window + KEPT, realtime=True)
        for line in follow(predictor, live, hop, 0.0):
            yield line.time, live.behind(line.time), line.dropped, round(peak_memory())


def main() -> None:
    """Print the percentiles, a histogram, what was dropped and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--hop", type=float, default=0.2)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--seconds", type=float, default=0.0, help="repeat it for so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = options.video
        if options.seconds:
            video = looped(video, Path(folder), options.seconds)
        due, began = picture_times(video), time.process_time()
        lines = np.array([*latencies(video, options.model, options.hop)])
        spent = time.process_time() - began
    ends, late = lines[:, 0], lines[:, 1]
    known = due[due <= ends[-1]]
    first = np.searchsorted(ends, known - 1e-6)  # the first line that speaks about each image
    waits = ends[first] + late[first] - known
    p50, p95 = np.percentile(waits, (50, 95))
    asked = round(ends[-1] / options.hop) - round(ends[0] / options.hop) + 1
    print(
        "| hop, s | images | lines | left out | dropped | p50, s | p95, s | max, s | CPU, s | MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {options.hop:g} | {len(known)} | {len(lines)} | {asked - len(lines)} | "
        f"{int(lines[-1, 2])} | {p50:.2f} | {p95:.2f} | {waits.max():.2f} | {spent:.0f} | "
        f"{int(lines[-1, 3])} |\n"
    )
    counts, _ = np.histogram(waits, BINS)
    for low, high, count in zip(BINS, BINS[1:], counts, strict=False):
        print(f"{low:5.2f} to {high:4.2f} s {count:7d} {'#' * round(BAR * count / counts.max())}")
    print()
    for minute in np.arange(0.0, ends[-1], EVERY):
        part = (known >= minute) & (known < minute + EVERY)
        memory = lines[(ends >= minute) & (ends < minute + EVERY), 3]
        p50, p95 = np.percentile(waits[part], (50, 95))
        print(f"minute {minute / 60:3.0f}: p50 {p50:.2f} s, p95 {p95:.2f} s, {memory.max():.0f} MB")


if __name__ == "__main__":
    main()
