"""What an encoder of sound costs in other number formats and with fewer layers, and how far off.

python -m tests.bench.encoder WEIGHTS RECORDING...

Per format and number of layers: megabytes of weights, seconds of one core per second of sound
(process time), and how the values of all layers differ from those in float32, as a share of each
layer's deviation: mean, and the largest.
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affuse.features.sections import Sections
from affuse.features.stream import StreamSpec
from affuse.features.whisper_logmel import whisper_logmel
from affuse.media.audio import read_sound
from affuse.models.frozen.whisper import load_encoder

RATE, HOP, ROWS = 16000, 320, 50
FORMATS = ("float32", "bfloat16", "float16", "int8", "int8 weights")


def converted(network: Any, kind: str) -> Any:
    """A copy of a network in another format.

    `int8` computes dense layers with 8 bits, chosen for every input anew (dynamic quantisation);
    `int8 weights` only stores their weights so, a scale for each row, and computes in float32.
    """
    network = copy.deepcopy(network)
    if kind == "int8 weights":
        for part in network.modules():
            if isinstance(part, nn.Linear):
                scale = part.weight.abs().amax(1, keepdim=True) / 127
                part.weight.copy_((part.weight / scale).round() * scale)
        return network
    if kind == "int8":
        with warnings.catch_warnings(action="ignore"):
            return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, torch.qint8)
    return network.to(getattr(torch, kind))


def megabytes(network: Any, kind: str) -> float:
    """Of the weights in a file; of int8 what is no matrix of a dense layer in float16."""
    dense = sum(x.weight.numel() for x in network.modules() if isinstance(x, nn.Linear))
    every = sum(x.numel() for x in network.parameters())
    size = {"float32": 4, "bfloat16": 2, "float16": 2}.get(kind, 1)
    return (dense * size + (every - dense) * (size if size > 1 else 2)) / 1e6


def computed(network: Any, kind: str, sounds: list[np.ndarray]) -> tuple[list[Tensor], float]:
    """All layers of every sound, as the streams compute them, and seconds of process time."""
    values = torch.float32 if kind.startswith("int8") else getattr(torch, kind)
    layers, width = len(network.layers) + 1, network.conv1.out_channels

    def rows(samples: np.ndarray) -> np.ndarray:
        samples = np.pad(samples, (0, -len(samples) % HOP))
        mel = torch.from_numpy(whisper_logmel(samples, network.conv1.in_channels)).to(values)
        with torch.inference_mode():
            return torch.stack([x[0].float() for x in network(mel.T[None])], 1).numpy()

    found = []
    spec = StreamSpec("audio/whisper-x-layers", RATE / HOP, (layers, width))
    started = time.process_time()
    for sound in sounds:
        sections = Sections(rows, spec, HOP, ROWS, ROWS)
        sections.push(sound)
        sections.finish()
        found.append(torch.from_numpy(sections.taken()))
    return found, time.process_time() - started


def sound_of(path: Path) -> np.ndarray:
    """(N,) float32 at 16 kHz."""
    sound = read_sound(path, RATE)
    assert sound is not None, f"{path} has no sound"
    return sound.samples


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sounds = [sound_of(path) for path in options.recordings]
    seconds = sum(map(len, sounds)) / RATE
    whole = load_encoder(options.weights).layers
    print(f"{len(sounds)} recordings, {seconds:.1f} s\n")
    print("| layers | format | MB | s per s | mean error | largest |\n|---|---|---|---|---|---|")
    for layers in (None, *range(whole - 1, 0, -1)):
        network: Any = load_encoder(options.weights, layers).network
        expected: list[Tensor] = []
        for kind in FORMATS if layers in (None, whole - 2, whole - 3) else FORMATS[:1]:
            other = converted(network, kind)
            computed(other, kind, sounds[:1])  # warm up
            found, taken = computed(other, kind, sounds)
            expected = expected or found
            rows, truth = torch.cat(found), torch.cat(expected)
            off = (rows - truth).abs() / truth.std((0, 2), keepdim=True)
            size = megabytes(network, kind)
            print(
                f"| {layers or whole} | {kind} | {size:.1f} | {taken / seconds:.3f} | "
                f"{off.mean():.4f} | {off.max():.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
