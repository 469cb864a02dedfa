"""Folded networks give the same in evaluation mode, and leave the original as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from affuse.models.backbones.efficientface import EfficientFace
from affuse.models.backbones.face_cnn import FaceCNN
from affuse.models.backbones.face_resnet import FaceResNet
from affuse.models.backbones.ir50 import IR50
from affuse.models.layers.folding import folded


def lived(network: nn.Module) -> nn.Module:
    """A network whose normalisation has statistics and weights of its own."""
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.5, generator=random)
            module.running_var.uniform_(0.5, 2, generator=random)
            module.weight.data.uniform_(0.5, 1.5, generator=random)
            module.bias.data.normal_(0, 0.5, generator=random)
    return network.eval()


CASES: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "face-resnet": (FaceResNet, 48, 0),
    "face-cnn": (FaceCNN, 48, 0),
    "efficientface": (EfficientFace, 64, 20),
    "ir50": (IR50, 40, 1),
}


@pytest.mark.parametrize("name", CASES)
@torch.inference_mode()
def test_a_folded_network_gives_the_same(name: str) -> None:
    make, side, left = CASES[name]
    network = lived(make())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))
    sooner = folded(network)
    expected, found = network(images), sooner(images)
    scale = max(float(expected.abs().max()), 1.0)
    assert (expected - found).abs().max() < 1e-4 * scale
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in sooner.modules())
    assert norms <= left or norms < sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_a_network_in_training_is_only_copied() -> None:
    network = FaceResNet()
    copy = folded(network)
    assert copy is not network and copy.training
    assert [n for n, _ in copy.named_modules()] == [n for n, _ in network.named_modules()]
