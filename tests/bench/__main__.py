"""Run all comparisons on one thread and print one JSON object to stdout."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from tests.bench import corpora, models

ROUNDS = 5


def compare(**versions: Callable[[], object]) -> dict[str, float]:
    """Median milliseconds of each version, in turns, and how often the first fits the last."""
    times: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(ROUNDS):
        for name, run in versions.items():
            began = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - began))
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


def reading_streams() -> dict[str, float]:
    """1,000 clips in random order: one memory map beside one .npz per clip."""
    from affuse.features.archive import write_archive
    from affuse.features.store import StreamFile
    from affuse.features.stream import StreamSpec

    spec = StreamSpec("audio/mfcc10", 43.0, (10,))
    clip = np.zeros((156, 10), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.safetensors"
        names = [f"{k:04d}" for k in range(1000)]
        arrays = {
            "offset": ("int64", (1001,), [np.arange(1001) * 156]),
            "start": ("float64", (1000,), [np.zeros(1000)]),
            "values": ("float32", (156000, 10), [clip] * 1000),
            "mask": ("bool", (156000,), [np.ones(156000, bool)]),
        }
        write_archive(path, arrays, {"spec": spec.to_json(), "clips": names, "made_from": names})
        for name in names:
            np.savez(Path(folder) / f"{name}.npz", values=clip)
        order = np.random.default_rng(0).permutation(names)
        file = StreamFile(path)
        return compare(
            memory_map=lambda: [np.array(file[name].values) for name in order],
            npz_per_clip=lambda: [np.load(Path(folder) / f"{n}.npz")["values"] for n in order],
        )


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
    """A training step of chumachenko-ia on 120 frames of 224 x 224: ours beside plain networks."""
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


def main() -> None:
    """Print every comparison."""
    torch.set_num_threads(1)
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
        reading_streams,
        hundred_thousand_clips,
    )
    report = {}
    for comparison in comparisons:
        print(comparison.__doc__, file=sys.stderr)
        report[comparison.__name__] = compare_result = comparison()
        print(f"  {compare_result}", file=sys.stderr)
    print(json.dumps({"unit": "ms, median of 5, one thread", **report}, indent=2))


main()
