"""Models that give features: what they read, and that clips do not mix."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.vggish import VGGish
from affuse.models.registry import create_model
from affuse.models.systems.vggish.model import VGGishFeatures
from affuse.verification.contracts.model import MFCC, pick, random_batch, with_holes

EXAMPLES = StreamSpec("audio/logmel64-vggish", 30.0, (96, 64))


@pytest.fixture(scope="module")
def model() -> VGGishFeatures:
    torch.manual_seed(0)
    model = create_model("vggish", {EXAMPLES.name: EXAMPLES}, 128)
    assert isinstance(model, VGGishFeatures)
    return model.eval()


def test_a_row_for_every_example_and_zeros_where_it_is_absent(model: VGGishFeatures) -> None:
    batch = with_holes(random_batch(model.streams, {EXAMPLES.name: [4, 2]}, seed=0), seed=3)
    with torch.no_grad():
        output = model(batch)
        direct = model.backbone(batch.streams[EXAMPLES.name].flatten(0, 1)).unflatten(0, (2, 4))
    mask = batch.masks[EXAMPLES.name]
    assert output.mask is not None and output.mask.equal(mask) and 0 < mask.sum() < 6
    assert output.values.shape == (2, 4, 128)
    torch.testing.assert_close(output.values, direct * mask.unsqueeze(-1))


def test_alone_is_the_same_as_padded(model: VGGishFeatures) -> None:
    batch = random_batch(model.streams, {EXAMPLES.name: [3, 1]}, seed=1)
    with torch.no_grad():
        alone, together = model(pick(batch, [1])).values[0], model(batch).values[1]
    torch.testing.assert_close(alone[:1], together[:1])
    assert together[1:].eq(0).all()


def test_nothing_heard(model: VGGishFeatures) -> None:
    batch = random_batch(model.streams, {EXAMPLES.name: [2]}, seed=1).without("audio")
    output = model(batch)
    assert output.mask is not None and not output.mask.any() and output.values.eq(0).all()


def test_refusals() -> None:
    with torch.device("meta"):
        with pytest.raises(AffuseError, match="gives 128 features, not 4"):
            create_model("vggish", {EXAMPLES.name: EXAMPLES}, 4)
        with pytest.raises(AffuseError, match=r"spectrograms \(96, 64\); audio/mfcc10"):
            create_model("vggish", {MFCC.name: MFCC}, 128)


def test_no_activation_after_the_last_layer() -> None:
    with torch.device("meta"):
        assert isinstance(VGGish().embeddings[-1], nn.Linear)
