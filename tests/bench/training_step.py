"""How far the gradient of one published training step is from that in 64 bits.

`python -m tests.bench.training_step --clips 8 --device cuda` prints one JSON object: for every
published network that reads images the relative error of the whole gradient, in 32 bits, in
bfloat16, and with torch's own batch normalisation; on the CPU and, where there is one, on a GPU.
The batch is that of the published modality dropout: every clip four times. 64 bits of 8 clips of 15
frames take about 30 GB; --reference says where they are computed.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.models.base import Model
from affuse.models.layers.batch_norm import BatchNorm2d
from tests.parity.test_training_mode import clips, published_model

MODELS = ("chumachenko-lt", "chumachenko-it", "chumachenko-ia", "avtca")


def gradient(
    model: Model, batch: Batch, device: str, dtype: torch.dtype, bfloat16: bool = False
) -> Tensor:
    """All gradients of a step in a row, float64 on the CPU."""
    model = copy.deepcopy(model).to(device, dtype).train()
    streams = {name: x.to(dtype) for name, x in batch.streams.items()}
    batch = replace(batch, streams=streams).to(device)
    with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
        logits = model(batch).logits
    F.cross_entropy(logits.to(dtype), batch.targets).backward()
    parts = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([part.flatten().double().cpu() for part in parts])


def with_torch_norm(model: Model) -> Model:
    """The model with torch's own batch normalisation."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if type(module) is BatchNorm2d:
            module.__class__ = nn.BatchNorm2d
    return model


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=15)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--reference", default="cpu", help="device for 64 bits")
    parser.add_argument(
        "--bits", type=int, choices=(32, 64), default=64, help="of the reference; 32: ours, on it"
    )
    parser.add_argument("--device", default="", help="a second device to measure")
    parser.add_argument("--models", nargs="+", default=MODELS)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    batch = clips(options.clips, options.frames, options.size, audio=156)
    table: dict[str, dict[str, str]] = {}
    for name in options.models:
        model = published_model(name)
        exact = gradient(model, batch, options.reference, getattr(torch, f"float{options.bits}"))
        ways = {
            "32 bits": (model, "cpu", False),
            "32 bits, torch's norm": (with_torch_norm(model), "cpu", False),
            "bfloat16": (model, "cpu", True),
        }
        if options.device:
            ways["32 bits, GPU"] = (model, options.device, False)
            ways["bfloat16, GPU"] = (model, options.device, True)
        table[name] = {}
        for label, (own, device, rough) in ways.items():
            found = gradient(own, batch, device, torch.float32, rough)
            error = float((found - exact).norm() / exact.norm())
            cosine = float(F.cosine_similarity(found, exact, 0))
            table[name][label] = f"{error:.4f}, cosine {cosine:.5f}"
            print(name, label, table[name][label], file=sys.stderr)
    facts = {"clips": options.clips, "frames": options.frames, "size": options.size}
    print(json.dumps({**facts, "torch": torch.__version__, "error": table}, indent=2))


if __name__ == "__main__":
    main()
