"""Published backbones: their sizes, their names, and that they compute what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.models.backbones.ir50 import IR50
from affuse.models.backbones.tsav import R2Plus1D, SpaceConv, SpectrogramResNet, TimeConv
from affuse.models.backbones.vggish import VGGish
from affuse.models.systems.ir50 import published as ir50
from affuse.models.systems.renaming import Rules, inverse, translate
from affuse.models.systems.tsav import published as tsav
from affuse.models.systems.vggish import published as vggish
from affuse.verification.parity import load_fill

#: Network -> how to make it, listing of the published weights, prefix there, rules.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, str, Rules]] = {
    "ir": (IR50, "leader_follower_visual_full_1", "spatial.", ir50.BACKBONE),
    "ir_se": (
        lambda: IR50(squeeze_excitation=True),
        "leader_follower_visual_full_se_1",
        "spatial.",
        ir50.BACKBONE,
    ),
    "vggish": (VGGish, "vggish", "", vggish.BACKBONE),
    "audio": (SpectrogramResNet, "tsav", "audio_model.resnet.", tsav.AUDIO),
    "video": (lambda: R2Plus1D(channels=4), "tsav", "video_model.r2plus1d.", tsav.VIDEO),
}


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make().eval()


def shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(x.shape) for name, x in state.items()}


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (IR50, 37_283_520),
        (lambda: IR50(squeeze_excitation=True), 37_506_240),
        (VGGish, 72_141_184),
        (SpectrogramResNet, 11_170_240),
        (R2Plus1D, 31_300_125),
        (lambda: R2Plus1D(channels=4), 31_302_330),
    ],
)
def test_number_of_parameters(make: Callable[[], nn.Module], count: int) -> None:
    assert sum(p.numel() for p in on_meta(make).parameters()) == count


@pytest.mark.parametrize("network", NETWORKS)
def test_names_there_and_back(parity_cases: Path, network: str) -> None:
    make, listing, prefix, rules = NETWORKS[network]
    folder = parity_cases.parent
    listed = load_fill(folder / "fill.py").read_listing(folder / "state_dicts" / f"{listing}.txt")
    published = {n.removeprefix(prefix): x for n, x in listed.items() if n.startswith(prefix)}
    ours = {name: translate(name, rules) for name in published}
    assert {ours[name]: shape for name, shape in published.items()} == shapes(
        on_meta(make).state_dict()
    )
    assert len(set(ours.values())) == len(published)
    assert all(translate(str(own), inverse(rules)) == name for name, own in ours.items())


class TestIR50:
    def test_unit_vectors(self) -> None:
        model = IR50(squeeze_excitation=True).eval()
        with torch.inference_mode():
            vectors = model(torch.rand(2, 3, 40, 40) * 2 - 1)
        assert vectors.shape == (2, model.outputs)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))

    def test_one_picture_is_enough_to_train(self) -> None:
        model = IR50().train()
        model(torch.rand(1, 3, 40, 40)).square()[:, :9].sum().backward()
        gradients = [p.grad for p in model.parameters()]
        assert all(g is not None and g.isfinite().all() for g in gradients)


def test_spectrograms_of_any_length() -> None:
    model = SpectrogramResNet().eval()
    with torch.inference_mode():
        for length in (1, 37, 104, 250):
            vectors = model(torch.randn(2, 1, 64, length))
            assert vectors.shape == (2, model.outputs) and (vectors >= 0).all()


class TestR2Plus1D:
    def test_vector_is_the_mean_of_the_map(self) -> None:
        model = R2Plus1D(pooled=False).eval()
        clips = torch.randn(1, 3, 5, 40, 24)
        with torch.inference_mode():
            maps = model(clips)
            model.pooled = True
            vectors = model(clips)
        assert maps.shape == (1, 512, 3, 2)
        torch.testing.assert_close(maps.mean((2, 3)), vectors)

    @pytest.mark.parametrize("stride", [1, 2])
    @pytest.mark.parametrize("time", [False, True], ids=["space", "time"])
    def test_same_as_three_dimensional_convolution(self, time: bool, stride: int) -> None:
        conv = TimeConv(4, 6, stride) if time else SpaceConv(4, 6, 7, stride)
        plain = nn.Conv3d(4, 6, conv.kernel_size, conv.stride, conv.padding, bias=False)
        plain.weight = conv.weight
        x = torch.randn(2, 4, 5, 9, 8)
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            torch.testing.assert_close(conv(x.contiguous(memory_format=layout)), plain(x))

    def test_three_channels(self) -> None:
        four = R2Plus1D(channels=4).state_dict()
        three = tsav.three_channels(four)
        assert shapes(three) == shapes(on_meta(R2Plus1D).state_dict())
        assert three["stem.0.weight"].equal(four["stem.0.weight"][:, :3])
        assert four["stem.0.weight"].shape[1] == 4


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (IR50, (2, 3, 112, 112), r"images \(N, 3, 40, 40\), not \(2, 3, 112, 112\)"),
        (IR50, (2, 4, 3, 40, 40), r"not \(2, 4, 3, 40, 40\)"),
        (VGGish, (2, 64, 96), r"examples \(N, 96, 64\), not \(2, 64, 96\)"),
        (SpectrogramResNet, (2, 64, 104), r"\(N, 1, 64, T\), not \(2, 64, 104\)"),
        (SpectrogramResNet, (2, 1, 104, 64), r"not \(2, 1, 104, 64\)"),
        (R2Plus1D, (2, 8, 3, 112, 112), r"\(N, 3, T, H, W\), not \(2, 8, 3, 112, 112\)"),
        (R2Plus1D, (2, 3, 112, 112), r"not \(2, 3, 112, 112\)"),
        (lambda: R2Plus1D(pooled=False), (2, 3, 9, 112, 112), "at most 8 images, not of 9"),
    ],
)
def test_input_of_another_shape(
    make: Callable[[], nn.Module], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        on_meta(make)(torch.empty(shape, device="meta"))


class TestFromTensorFlow:
    SCOPES = (
        "conv1",
        "conv2",
        "conv3/conv3_1",
        "conv3/conv3_2",
        "conv4/conv4_1",
        "conv4/conv4_2",
        "fc1/fc1_1",
        "fc1/fc1_2",
        "fc2",
    )

    def test_all_variables(self) -> None:
        own = on_meta(VGGish).state_dict()
        layers = list(dict.fromkeys(name.rsplit(".", 1)[0] for name in own))
        state: dict[str, Tensor] = {"global_step": torch.zeros(())}
        for scope, layer in zip(self.SCOPES, layers, strict=True):
            weight = own[f"{layer}.weight"]
            state[f"vggish/{scope}/weights"] = weight.movedim((0, 1), (-1, -2))
            state[f"vggish/{scope}/weights/Adam"] = weight
            state[f"vggish/{scope}/biases"] = own[f"{layer}.bias"]
        assert shapes(vggish.from_tensorflow(state)) == shapes(own)

    def test_order_of_axes(self) -> None:
        kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
        matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
        entries = vggish.from_tensorflow(
            {
                "vggish/conv3/conv3_2/weights": kernel,
                "vggish/fc1/fc1_2/weights": matrix,
                "vggish/fc2/biases": matrix[0],
            }
        )
        assert entries.keys() == {"features.8.weight", "embeddings.2.weight", "embeddings.4.bias"}
        assert entries["features.8.weight"][4, 1, 2, 0] == kernel[2, 0, 1, 4]
        assert entries["features.8.weight"].shape == (5, 2, 3, 3)
        x = torch.tensor([1.0, 2.0, 3.0, 4.0])
        found = nn.functional.linear(x, entries["embeddings.2.weight"])
        np.testing.assert_allclose(found, x.numpy() @ matrix)
        assert entries["embeddings.4.bias"].tolist() == [0, 1, 2]
