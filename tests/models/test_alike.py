"""What clips have alike is computed once, and counts as often as it is there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import EfficientFace
from affuse.models.backbones.face_cnn import FaceCNN
from affuse.models.backbones.face_resnet import FaceResNet
from affuse.models.backbones.ir50 import IR50
from affuse.models.layers.batch_norm import BatchNorm2d, BatchNorm3d
from affuse.models.layers.framewise import FrameNetwork, present_features
from affuse.models.layers.joint_norm import counted_rows
from affuse.models.registry import create_model
from affuse.training.dropout import apply_dropout
from affuse.training.recipe_parts import Dropout
from tests.models.test_batch_norm import LAYOUTS, laid_out, trained

EXACT = 1e-9
NETWORKS: dict[str, tuple[Callable[[], FrameNetwork], int, int]] = {
    "efficientface": (EfficientFace, 3, 64),
    "face-cnn": (FaceCNN, 3, 32),
    "face-resnet": (FaceResNet, 3, 32),
    "ir50": (IR50, 3, 40),
}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_norm_counts_a_row_as_often_as_it_stands_for(data: st.DataObject) -> None:
    flat = data.draw(st.booleans(), "two dimensions")
    size = [data.draw(st.integers(1, k)) for k in (6, 9, 5, 7, 3)][: 4 if flat else 5]
    size[0] = max(size[0], 32 // torch.Size(size[2:]).numel())
    counts = sorted(data.draw(st.integers(1, 5)) for _ in range(size[0]))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    each = torch.tensor(counts)
    norm = (BatchNorm2d if flat else BatchNorm3d)(size[1]).double()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
    x = torch.randn(size, dtype=torch.float64) + data.draw(st.floats(-3, 3))
    every = x.repeat_interleave(each, 0)
    gradient = torch.randn_like(every)
    plain = trained(copy.deepcopy(norm), every, gradient)
    row = torch.arange(size[0]).repeat_interleave(each)
    summed = torch.zeros_like(x).index_add_(0, row, gradient)
    layout = data.draw(st.sampled_from(LAYOUTS))
    with counted_rows(each):
        y, slope, *rest = trained(norm, laid_out(x, layout), laid_out(summed, layout))
    back = torch.zeros_like(x).index_add_(0, row, plain[1])
    for ours, wanted in zip([y[row], slope, *rest], [plain[0], back, *plain[2:]], strict=True):
        torch.testing.assert_close(ours, wanted, rtol=EXACT, atol=EXACT)


def learned(net: FrameNetwork, x: Tensor, mask: Tensor, alike: Tensor | None) -> list[Tensor]:
    """Features, gradients and running statistics of a step; numbers are drawn from one seed."""
    net = copy.deepcopy(net).double().train()
    torch.manual_seed(7)
    rows = present_features(net, x, mask, alike)
    (rows * torch.linspace(-1, 1, rows.numel()).double().reshape(rows.shape)).sum().backward()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    return [rows.detach(), *gradients, *(b for b in net.buffers() if b.is_floating_point())]


@pytest.mark.parametrize("dropout", [False, True], ids=["", "dropout"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "ir50" else ()) for n in NETWORKS]
)
def test_networks_learn_the_same(name: str, dropout: bool) -> None:
    build, channels, side = NETWORKS[name]
    torch.manual_seed(0)
    net = build()
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p *= dropout
    distinct = torch.rand(5, channels, side, side, dtype=torch.float64)
    which = torch.tensor([[0, 1, 2], [3, 4, 4], [0, 1, 2], [4, 0, 1]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]]) > 0
    first = torch.stack([(which.flatten() == k).int().argmax() for k in range(5)])
    plain = learned(net, distinct[which], mask, None)
    once = learned(net, distinct[which], mask, first[which])
    for ours, wanted in zip(once, plain, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=EXACT, atol=EXACT)


class Counting(nn.Module):
    """A network that tells how many frames it saw."""

    outputs = 1
    seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return x.flatten(1)[:, :1]


def soft_and_hard(masks: bool, clips: int = 4, frames: int = 3) -> Batch:
    torch.manual_seed(0)
    streams = {
        "audio/mfcc10": torch.randn(clips, 20, 10),
        "video/faces32": torch.rand(clips, frames, 3, 32, 32),
    }
    there = {name: torch.ones(x.shape[:2]) > 0 for name, x in streams.items()}
    batch = Batch(streams, there, torch.arange(clips) % 2, [str(k) for k in range(clips)])
    return apply_dropout(batch, Dropout("softhard", masks=masks))


@pytest.mark.parametrize(("masks", "distinct"), [(True, 24), (False, 25)])
def test_modality_dropout_gives_a_network_every_distinct_frame_once(
    masks: bool, distinct: int
) -> None:
    batch, net = soft_and_hard(masks), Counting().train()
    name = "video/faces32"
    x, mask, alike = batch.streams[name], batch.masks[name], batch.alike[name]
    rows = present_features(net, x, mask, alike)
    assert net.seen == distinct
    assert torch.equal(rows, x.flatten(2)[..., :1] * mask.unsqueeze(-1))


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["softhard", "noise"]),
    masks=st.booleans(),
    clips=st.integers(1, 5),
    frames=st.integers(1, 4),
)
def test_frames_that_are_said_to_be_alike_are(
    kind: str, masks: bool, clips: int, frames: int
) -> None:
    streams = {"audio/x": torch.randn(clips, frames, 2), "video/y": torch.randn(clips, 5, 3)}
    there = {name: torch.rand(x.shape[:2]) > 0.3 for name, x in streams.items()}
    out = apply_dropout(Batch(streams, there), Dropout(kind, masks=masks))
    for name, x in out.streams.items():
        flat, alike = x.flatten(0, 1), out.alike[name].flatten()
        assert torch.equal(flat[alike], flat)
        assert torch.equal(alike[alike], alike) and (alike <= torch.arange(len(alike))).all()
        every = clips * x.shape[1]  # as they are and changed, and one of zeros
        assert len(alike.unique()) == 2 * every + (kind == "softhard")


@pytest.mark.parametrize("head", ["classes", "frames"])
@pytest.mark.parametrize("model", ["chumachenko-ia", "gated", "early", "crossmodal", "auxformer"])
def test_a_step_of_any_model(model: str, head: str) -> None:
    batch = soft_and_hard(masks=True)
    specs = (
        StreamSpec("audio/mfcc10", 25, (10,)),
        StreamSpec("video/faces32", 5, (32, 32, 3), "uint8"),
    )
    torch.manual_seed(0)
    built = create_model(model, {s.name: s for s in specs}, 2, head=head).double()
    batch = replace(batch, streams={n: x.double() for n, x in batch.streams.items()})
    found = []
    for alike in ({}, batch.alike):
        own = copy.deepcopy(built).train()
        torch.manual_seed(7)
        scores = own(replace(batch, alike=alike)).scores
        F.softplus(scores).sum().backward()
        found.append([scores.detach(), *(p.grad for p in own.parameters() if p.grad is not None)])
    for ours, wanted in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-7, atol=EXACT)
