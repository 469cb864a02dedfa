"""Run all comparisons on one thread and print one table; with `--json FILE` also as JSON.

Those of `affuse bench` come last, in seconds; the others in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from affuse.execution.memory import keep_freed
from tests.bench import corpora, models

ROUNDS = 5


def used() -> float:
    """Processor seconds of this process and of those that it started: others may run beside it."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def compare(**versions: Callable[[], object]) -> dict[str, float]:
    """Median milliseconds of processor time of each version, in turns; times the last is slower."""
    times: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(ROUNDS):
        for name, run in versions.items():
            began = used()
            run()
            times[name].append(1000 * (used() - began))
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    first, *_, last = medians.values()
    return medians | {"times faster": round(last / first, 2)}


def start_up() -> dict[str, float]:
    """`affuse --help` beside a bare interpreter."""

    def start(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *words], capture_output=True, check=True)

    return compare(help=start("-m", "affuse", "--help"), bare_python=start("-c", "pass"))


def mfcc_of_a_clip() -> dict[str, float]:
    """3.6 s of sound: ours beside librosa."""
    import librosa

    from affuse.features.spectral import mfcc

    audio = np.random.default_rng(0).standard_normal(79380).astype(np.float32)
    librosa.feature.mfcc(y=audio, sr=22050, n_mfcc=10)  # compiles on the first call
    return compare(
        affuse=lambda: mfcc(audio),
        librosa=lambda: librosa.feature.mfcc(y=audio, sr=22050, n_mfcc=10),
    )


def faces_in_frames() -> dict[str, float]:
    """16 frames of 320 x 240 with a face: one batch beside one by one."""
    import cv2
    from skimage.data import astronaut

    from affuse.media.detectors import create_detector

    frame = cv2.resize(astronaut(), (320, 240))
    frames = [np.ascontiguousarray(np.roll(frame, k, 1)) for k in range(16)]
    detector = create_detector("mtcnn", min_face_size=40)
    detector.detect(frames[:1])
    return compare(
        batch=lambda: detector.detect(frames),
        one_by_one=lambda: [detector.detect([frame]) for frame in frames],
    )


def efficientface_on_frames() -> dict[str, float]:
    """60 frames of 224 x 224: chunks, channels-last, beside one batch as it comes."""
    from affuse.models.backbones.efficientface import EfficientFace
    from affuse.models.layers.framewise import present_features

    net = EfficientFace().eval()
    x = torch.randn(4, 15, 3, 224, 224)
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).view(4, 15, 3, 224, 224)
    mask = torch.ones(4, 15, dtype=torch.bool)

    @torch.inference_mode()
    def chunks() -> object:
        return present_features(net, last, mask)

    @torch.inference_mode()
    def plain() -> object:
        return net(x.flatten(0, 1))

    plain()
    return compare(chunks=chunks, one_batch=plain)


def auxformer_forward() -> dict[str, float]:
    """8 clips of 5 s through AuxFormer: ours beside MultiheadAttention with masks of numbers."""
    return compare(**models.auxformer(5.0, train=False))


def auxformer_training() -> dict[str, float]:
    """The same, forward and backward."""
    return compare(**models.auxformer(5.0, train=True))


def clips_of_faces() -> dict[str, float]:
    """2 clips of 8 images through R(2+1)D: 2-D convolutions beside 3-D ones."""
    return compare(**models.clips_of_faces())


def fusion_training() -> dict[str, float]:
    """A training step of chumachenko-ia on 240 frames of 224 x 224: ours beside plain networks."""
    return compare(**models.fusion_training("chumachenko-ia"))


def avtca_training() -> dict[str, float]:
    """The same of AVT-CA."""
    return compare(**models.fusion_training("avtca"))


def ir50_training() -> dict[str, float]:
    """A training step of IR-50 on 60 images of 40 x 40: ours beside the plain network."""
    return compare(**models.ir50_training())


def efficientface_training() -> dict[str, float]:
    """32 images of 112 x 112, forward and backward in bfloat16: halving in 32 bits beside not."""
    return compare(**models.efficientface_training())


def hundred_thousand_clips() -> dict[str, float]:
    """100,000 clips: listing, protocol, leak check (once, seconds and MB)."""
    return corpora.hundred_thousand_clips()


def affuse_bench() -> dict[str, dict[str, Any]]:
    """What `affuse bench` measures: name -> its result."""
    from affuse.cli.bench import WHAT
    from affuse.verification.bench.measure import measure

    return {what: measure(what, clips) for what, clips in WHAT.items()}


def rows_of(result: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Name, and processor seconds of ours and of the plain way, for each number of clips."""
    cpu = {(row["side"], row["clips"]): row["cpu_seconds"] for row in result["rows"]}
    for (side, clips), ours in cpu.items():
        if side == result["ours"]:
            name = f"affuse bench {result['what']}, {clips} clips; {result['plain']} (CPU s)"
            yield name, ours, cpu[result["plain"], clips]


def main() -> None:
    """Print every comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="comparisons of parts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed()  # as training does
    comparisons = (
        start_up,
        mfcc_of_a_clip,
        faces_in_frames,
        efficientface_on_frames,
        auxformer_forward,
        auxformer_training,
        clips_of_faces,
        fusion_training,
        avtca_training,
        ir50_training,
        efficientface_training,
        hundred_thousand_clips,
    )
    report: dict[str, Any] = {}
    lines = []
    for comparison in comparisons:
        if options.only and comparison.__name__ not in options.only:
            continue
        print(comparison.__doc__, file=sys.stderr)
        report[comparison.__name__] = found = comparison()
        print(f"  {found}", file=sys.stderr)
        if faster := found.get("times faster"):
            first, *_, last = (value for name, value in found.items() if name != "times faster")
            lines.append((str(comparison.__doc__), first, last, faster))
    report["affuse bench"] = measured = {} if options.only else affuse_bench()
    for result in measured.values():
        lines += [(*row, round(row[2] / row[1], 2)) for row in rows_of(result)]
    print("| what | ours | simple version | times faster |\n|---|---|---|---|")
    for line in lines:
        print(f"| {' | '.join(map(str, line))} |")
    if options.json:
        text = json.dumps(
            {"unit": "ms of processor time, median of 5, one thread", **report}, indent=2
        )
        options.json.write_text(text)


main()
