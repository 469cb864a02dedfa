"""Front-ends: which stream gets which, what they give, what they refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import Convolution, EfficientFace
from affuse.models.frontends.images import EfficientFaceConv
from affuse.models.frontends.registry import FRONTENDS, build_frontend, default_frontend
from affuse.models.layers.framewise import CHUNK, present_features
from affuse.models.layers.pooling import AttentiveMaxPool
from affuse.models.options import accepted
from affuse.models.registry import create_model
from affuse.verification.contracts.model import FACES224, MFCC, OPENFACE

LOGMEL = StreamSpec("audio/logmel64-16k", 50.0, (64,))
FACES48 = StreamSpec("video/faces48", 12.5, (48, 48, 3), "uint8")
FACES64 = StreamSpec("video/faces64", 12.5, (64, 64, 3), "uint8")
FACES32 = StreamSpec("video/faces32", 12.5, (32, 32, 3), "uint8")
FACES40 = StreamSpec("video/faces40", 30.0, (40, 40, 3), "uint8")
LAYERS = StreamSpec("audio/whisper-base-layers", 50.0, (7, 512), "float16")
EXAMPLES = StreamSpec("audio/logmel64-vggish", 30.0, (96, 64))
STREAMS = {
    "mfcc-conv": MFCC,
    "efficientface": FACES224,
    "ir50": FACES40,
    "vggish": EXAMPLES,
    "face-cnn": FACES48,
    "face-resnet": FACES48,
    "logmel-cnn": LOGMEL,
    "sequence": OPENFACE,
    "dense": OPENFACE,
    "vectors": OPENFACE,
    "layers": LAYERS,
}
# Frames out for so many frames in, after either stage.
LENGTHS = {
    "mfcc-conv": lambda t: (max(1, t - 6), max(1, t - 12)),
    "efficientface": lambda t: (t, t),
    "ir50": lambda t: (t, t),
    "vggish": lambda t: (t, t),
    "face-cnn": lambda t: (t, t),
    "face-resnet": lambda t: (t, t),
    "logmel-cnn": lambda t: (-(-t // 8), -(-t // 8)),
    "sequence": lambda t: (t, t),
    "dense": lambda t: (t, t),
    "vectors": lambda t: (t, t),
    "layers": lambda t: (t, t),
}


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("audio/mfcc10", (10,), "mfcc-conv"),
        ("audio/mfcc10-published", (10,), "mfcc-conv"),
        ("audio/logmel64-16k", (64,), "logmel-cnn"),
        ("audio/vggish", (128,), "sequence"),
        ("audio/logmel64-vggish", (96, 64), "vggish"),
        ("video/faces40", (40, 40, 3), "ir50"),
        ("video/faces400", (400, 400, 3), "face-cnn"),
        ("video/faces224", (224, 224, 3), "efficientface"),
        ("video/faces224-published", (224, 224, 3), "efficientface"),
        ("video/faces48", (48, 48, 3), "face-cnn"),
        ("video/openface", (709,), "sequence"),
        ("audio/whisper-base", (512,), "sequence"),
        ("audio/whisper-base-layers", (7, 512), "layers"),
    ],
)
def test_default(name: str, shape: tuple[int, ...], expected: str) -> None:
    dtype = "uint8" if len(shape) == 3 else "float32"
    assert default_frontend(StreamSpec(name, 25.0, shape, dtype)) == expected


@pytest.mark.parametrize("name", FRONTENDS)
@pytest.mark.parametrize("frames", [1, 2, 17])
def test_both_stages_give_the_channels_they_promise(name: str, frames: int) -> None:
    if name in ("efficientface", "ir50", "vggish") and frames > 2:
        frames = 3
    spec = STREAMS[name]
    frontend = build_frontend(spec, name).eval()
    shape = (3, *spec.shape[:2]) if spec.is_picture else spec.shape
    x, mask = torch.randn(2, frames, *shape), torch.ones(2, frames).bool()
    first, second = LENGTHS[name](frames)
    with torch.no_grad():
        x, mask = frontend.stage1(x, mask)
        assert x.shape == (2, first, frontend.channels[0]) and mask.shape == (2, first)
        x, mask = frontend.stage2(x, mask)
    assert x.shape == (2, second, frontend.channels[1]) and mask.shape == (2, second)


WIDE = [name for name, entry in FRONTENDS.items() if "width" in accepted(entry.load())]


@pytest.mark.parametrize("name", WIDE)
def test_width_scales_the_channels(name: str) -> None:
    narrow = build_frontend(STREAMS[name], {"name": name, "width": 8})
    wide = build_frontend(STREAMS[name], {"name": name, "width": 16})
    assert [2 * c for c in narrow.channels] == list(wide.channels)


@pytest.mark.parametrize("joined", ["each", "mean", "side-by-side"])
@given(frames=st.integers(1, 23), stride=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_layers_are_averaged_over_the_frames_that_are_present(
    joined: str, frames: int, stride: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spec = StreamSpec("audio/whisper-x-layers", 50.0, (3, 8))
    choice = {"name": "layers", "width": 4, "joined": joined, "stride": stride}
    frontend = build_frontend(spec, choice).eval()
    x = torch.randn(1, frames, 3, 8, generator=generator)
    mask = torch.rand(1, frames, generator=generator) > 0.4
    found, there = frontend(x, mask)
    width = 24 if joined == "side-by-side" else 4
    assert frontend.channels == (width, width)
    assert found.shape == (1, -(-frames // stride), width) and frontend.clock.stride == stride
    for row in range(found.shape[1]):
        part = slice(row * stride, (row + 1) * stride)
        assert bool(there[0, row]) == bool(mask[0, part].any())
        if not there[0, row]:
            assert not found[0, row].any()
            continue
        alike = (x[0, part] - x[0, part].mean(-1, keepdim=True)) / (
            x[0, part].var(-1, unbiased=False, keepdim=True) + 1e-5
        ).sqrt()
        kept = alike[mask[0, part]].mean(0)  # (3, 8)
        network = frontend.stage1
        inputs = network.weights.softmax(0) @ kept if joined == "mean" else kept.flatten()
        expected = inputs if joined == "side-by-side" else network.dense(inputs).relu()
        torch.testing.assert_close(found[0, row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("choice", "said"),
    [({"joined": "men"}, "did you mean 'mean'"), ({"stride": 0}, "stride=0: expected 1 or more")],
)
def test_layers_are_joined_in_known_ways(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(AffuseError, match=said):
        build_frontend(LAYERS, {"name": "layers", **choice})


def test_thirteen_frames_are_enough_for_mfcc_conv_and_twelve_are_absent() -> None:
    frontend = build_frontend(MFCC).eval()
    for frames in (12, 13):
        _, mask = frontend(torch.randn(1, frames, 10), torch.ones(1, frames).bool())
        assert mask.tolist() == [[frames == 13]]


@pytest.mark.parametrize("bands", [1, 17, 40, 128])
def test_logmel_cnn_takes_any_number_of_bands(bands: int) -> None:
    frontend = build_frontend(StreamSpec("audio/logmel-16k", 50.0, (bands,))).eval()
    x, mask = frontend(torch.randn(1, 20, bands), torch.ones(1, 20).bool())
    assert x.shape == (1, 3, frontend.channels[1]) and x.isfinite().all() and mask.all()


def series(seed: int, frames: list[int], bands: int, gaps: bool) -> tuple[Tensor, Tensor]:
    """Spectrograms (B, T, bands) and their mask; row b is present up to its length."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    if gaps:
        mask &= torch.rand(mask.shape, generator=generator) > 1 / 3
    return torch.randn(*mask.shape, bands, generator=generator) * mask.unsqueeze(-1), mask


@pytest.fixture(scope="module")
def spectral() -> tuple[nn.Module, nn.Module]:
    """A log-mel front-end and its pooling, in training mode, batch statistics settled."""
    torch.manual_seed(0)
    frontend = build_frontend(StreamSpec("audio/logmel20-16k", 50.0, (20,)), {"width": 4})
    frontend(*series(0, [60, 60], 20, gaps=False))
    return frontend, AttentiveMaxPool(frontend.channels[1])


@pytest.mark.parametrize("training", [False, True])
@settings(max_examples=40, deadline=None)
@given(
    frames=st.lists(st.integers(1, 41), min_size=1, max_size=3),
    padding=st.integers(1, 19),
    seed=st.integers(0, 999),
    gaps=st.booleans(),
)
def test_padding_changes_neither_a_spectrogram_s_features_nor_the_statistics(
    spectral: tuple[nn.Module, nn.Module],
    training: bool,
    frames: list[int],
    padding: int,
    seed: int,
    gaps: bool,
) -> None:
    # in float64, because the variance of two values that are nearly alike magnifies rounding
    one, two = (copy.deepcopy(spectral[0]).double().train(training) for _ in range(2))
    pool = copy.deepcopy(spectral[1]).double()
    x, mask = series(seed, frames, 20, gaps)
    x = x.double()
    result = pool(*one(x, mask))
    padded = pool(*two(F.pad(x, (0, 0, 0, padding)), F.pad(mask, (0, padding))))
    torch.testing.assert_close(padded, result, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(one.buffers(), two.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 41), st.integers(1, 41), st.integers(0, 999))
def test_a_spectrogram_s_features_do_not_depend_on_batch_mates(
    spectral: tuple[nn.Module, nn.Module], mine: int, other: int, seed: int
) -> None:
    frontend, pool = copy.deepcopy(spectral[0]).eval(), spectral[1]
    x, mask = series(seed, [mine, other], 20, gaps=False)
    together = pool(*frontend(x, mask))[0]
    alone = pool(*frontend(x[:1, :mine], mask[:1, :mine]))[0]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_spectrogram_of_one_present_frame_is_present() -> None:
    frontend = build_frontend(LOGMEL).eval()
    _, mask = frontend(*series(0, [1, 9], 64, gaps=False))
    assert mask.tolist() == [[True, False], [True, True]]


def test_dense_leaves_absent_frames_zero_and_mixes_no_frames() -> None:
    frontend = build_frontend(OPENFACE, "dense").eval()
    mask = torch.tensor([[True, False, True]])
    x = torch.randn(1, 3, 12)
    result, result_mask = frontend(x, mask)
    assert result_mask.equal(mask) and result[0, 1].eq(0).all()
    for t in (0, 2):
        torch.testing.assert_close(
            result[:, t : t + 1], frontend(x[:, t : t + 1], mask[:, t : t + 1])[0]
        )


@pytest.mark.parametrize("size", [32, 47, 128])
def test_face_cnn_takes_pictures_of_any_size_and_is_small(size: int) -> None:
    spec = StreamSpec("video/faces", 12.5, (size, size, 3), "uint8")
    frontend = build_frontend(spec).eval()
    assert parameters(frontend) <= 150_000
    x, _ = frontend(torch.randn(1, 2, 3, size, size), torch.ones(1, 2).bool())
    assert x.isfinite().all()


def test_absent_frames_do_not_pass_the_image_network() -> None:
    seen = []

    class Counting(EfficientFace):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            return images.new_ones(len(images), 1024)

    mask = torch.tensor([[True, False, True], [False, False, False]])
    features = present_features(Counting(), torch.zeros(2, 3, 3, 4, 4), mask)
    assert seen == [2]
    assert features[..., 0].tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_chunks_do_not_change_the_features() -> None:
    spec = StreamSpec("video/faces48", 12.5, (48, 48, 3), "uint8")
    torch.manual_seed(0)
    net = build_frontend(spec).stage1.net.eval()
    x = torch.randn(1, CHUNK + 5, 3, 48, 48)
    features = present_features(net, x, torch.ones(1, CHUNK + 5).bool())
    torch.testing.assert_close(features[0], net(x[0]), rtol=1e-5, atol=1e-6)


def test_frames_that_are_no_pictures_pass_one_by_one() -> None:
    class Mean(nn.Module):
        outputs = 1

        def forward(self, examples: Tensor) -> Tensor:
            return examples.mean((1, 2)).unsqueeze(1)

    x, mask = torch.randn(2, 3, 96, 64), torch.tensor([[True, False, True], [False, True, True]])
    features = present_features(Mean(), x, mask)
    torch.testing.assert_close(features[..., 0], x.mean((2, 3)) * mask)


def test_a_frozen_network_stays_as_it_is_in_training() -> None:
    frontend = build_frontend(FACES40, {"name": "ir50", "frozen": True}).train()
    net = frontend.stage1.net
    before = {name: x.clone() for name, x in net.state_dict().items()}
    assert frontend.training and not any(part.training for part in net.modules())
    x, mask = torch.randn(1, 2, 3, 40, 40), torch.ones(1, 2).bool()
    first, second = (frontend(x, mask)[0] for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert all(x.equal(before[name]) for name, x in net.state_dict().items())
    assert not frontend.eval().train().stage1.net.training


@pytest.mark.parametrize(("name", "spec"), [("efficientface", FACES224), ("vggish", EXAMPLES)])
def test_freezing_is_an_option_of_every_pretrained_network(name: str, spec: StreamSpec) -> None:
    with torch.device("meta"):
        frozen = build_frontend(spec, {"name": name, "frozen": True}).train()
        free = build_frontend(spec, name).train()
    assert not any(p.requires_grad for p in frozen.stage1.net.parameters())
    assert not frozen.stage1.net.training and frozen.stage1.temporal.training
    assert all(p.requires_grad for p in free.parameters()) and free.stage1.net.training
    assert frozen.state_dict().keys() == free.state_dict().keys()


@pytest.mark.parametrize("shape", [(3, 100, 100), (3, 64, 48), (1, 64, 64), (3, 0, 0)])
def test_efficientface_refuses_pictures_without_quarters(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        EfficientFace()(torch.zeros(1, *shape))


def test_in_bfloat16_efficientface_halves_in_32_bits_on_a_cpu() -> None:
    halving, pictures = Convolution(8, 8, 3, 2, 1, groups=8), torch.randn(4, 8, 16, 16)
    found, kinds = [], {False: torch.float32, True: torch.bfloat16}
    for narrow in (False, True):
        halving.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            halved = halving(pictures)
            assert Convolution(8, 8, 1)(halved).dtype is kinds[narrow]
        halved.square().sum().backward()
        found.append((halved, halving.weight.grad.clone()))
    assert all(torch.equal(full, narrow) for full, narrow in zip(*found, strict=True))


def test_the_front_end_efficientface_keeps_to_the_published_size() -> None:
    with pytest.raises(AffuseError, match="224 x 224"):
        EfficientFaceConv(FACES48)


@pytest.mark.parametrize("size", [16, 48, 112])
def test_efficientface_takes_multiples_of_16(size: int) -> None:
    torch.manual_seed(0)
    net = EfficientFace().eval()
    with torch.no_grad():
        features = net(torch.randn(2, 3, size, size))
    assert features.shape == (2, 1024) and features.isfinite().all() and (features >= 0).all()


@pytest.mark.parametrize(("side", "size"), [(48, 64), (48, 32), (48, 48), (40, 16)])
def test_the_model_efficientface_scales_pictures_to_its_size(side: int, size: int) -> None:
    spec = StreamSpec(f"video/aligned{side}", 30.0, (side, side, 3), "uint8")
    model = create_model("efficientface", {spec.name: spec}, 8, size=size).eval()
    x = torch.rand(2, 3, 1, 1, 1).expand(2, 3, 3, side, side)
    fitted = model.fit(x)
    assert fitted.shape == (2, 3, 3, size, size)
    torch.testing.assert_close(fitted, x[..., :1, :1].expand_as(fitted))
    ramp = torch.arange(side).float().expand(1, 1, 3, side, side)
    across = model.fit(ramp)[0, 0, 0]
    assert across.equal(across[:1].expand_as(across)) and (across.diff(dim=-1) > 0).all()
    assert float(across.mean()) == pytest.approx((side - 1) / 2, abs=0.01)


@pytest.mark.parametrize("size", [0, 8, 100])
def test_the_model_efficientface_refuses_sizes_without_quarters(size: int) -> None:
    with pytest.raises(AffuseError, match=f"size must be a multiple of 16, not {size}"):
        create_model("efficientface", {FACES48.name: FACES48}, 8, size=size)


@pytest.mark.parametrize("spec", [MFCC, StreamSpec("video/wide", 25.0, (48, 64, 3), "uint8")])
def test_the_model_efficientface_reads_square_pictures(spec: StreamSpec) -> None:
    with pytest.raises(AffuseError, match=r"efficientface (reads square images|needs)|no video"):
        create_model("efficientface", {spec.name: spec}, 8, size=64)


@pytest.mark.parametrize("side", [40, 43, 48])
def test_ir50_reads_the_middle_of_pictures(side: int) -> None:
    spec = StreamSpec(f"video/aligned{side}", 30.0, (side, side, 3), "uint8")
    torch.manual_seed(0)
    x = torch.randn(1, 2, 3, side, side)
    cut = (side - 40) // 2
    mask = torch.ones(1, 2).bool()
    frontend = build_frontend(spec, "ir50").eval()
    model = create_model("ir50", {spec.name: spec}, 8).eval()
    with torch.no_grad():
        features, present = frontend(x, mask)
        inner = x[..., cut : cut + 40, cut : cut + 40]
        net = frontend.stage1.net
        torch.testing.assert_close(features[0], net(inner[0]))
        assert model.fit(x).equal(inner) and present.all()
        x[..., :cut, :], x[..., cut + 40 :, :] = 9.0, 9.0
        assert frontend(x, mask)[0].equal(features), "what is around is not seen"


@pytest.mark.parametrize("size", [32, 47, 112])
def test_face_resnet_takes_pictures_of_any_size_and_sees_brightness_alone(size: int) -> None:
    spec = StreamSpec("video/aligned", 30.0, (size, size, 3), "uint8")
    frontend = build_frontend(spec, {"name": "face-resnet", "width": 8}).eval()
    torch.manual_seed(0)
    x, mask = torch.randn(1, 2, 3, size, size), torch.tensor([[True, False]])
    grey = (x * torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)).sum(2, keepdim=True)
    features, present = frontend(x, mask)
    assert features.shape == (1, 2, 32) and present.equal(mask)
    assert features[0, 0].abs().max() > 0 and features[0, 1].eq(0).all()
    torch.testing.assert_close(frontend(grey.expand_as(x), mask)[0], features)
    assert parameters(build_frontend(spec, "face-resnet")) < 500_000


def test_mirrored_sees_an_image_and_its_mirror_image_alike_outside_training() -> None:
    spec = StreamSpec("video/aligned", 30.0, (48, 48, 3), "uint8")
    torch.manual_seed(0)
    plain = build_frontend(spec, {"name": "face-resnet", "width": 8}).eval()
    both = build_frontend(spec, {"name": "face-resnet", "width": 8, "mirrored": True}).eval()
    both.load_state_dict(plain.state_dict())
    x, mask = torch.randn(1, 3, 3, 48, 48), torch.tensor([[True, True, False]])
    one, other = plain(x, mask)[0], plain(x.flip(-1), mask)[0]
    torch.testing.assert_close(both(x, mask)[0], (one + other) / 2)
    torch.testing.assert_close(both(x.flip(-1), mask)[0], both(x, mask)[0])
    assert (one - other).abs().max() > 1e-3
    frames = x[0].clone()
    torch.testing.assert_close(both.embed_frames(frames)[:2], both(x, mask)[0][0, :2])
    torch.testing.assert_close(both.train()(x, mask)[0], plain.train()(x, mask)[0])


def test_efficientface_gives_1024_features_channels_last() -> None:
    net = EfficientFace().eval()
    with torch.no_grad():
        images = torch.randn(2, 3, 224, 224)
        assert net(images).shape == (2, 1024)
        torch.testing.assert_close(
            net(images), net(images.contiguous(memory_format=torch.channels_last))
        )


@pytest.mark.parametrize(
    ("choice", "stream", "message"),
    [
        ("mfc-conv", MFCC, "did you mean 'mfcc-conv'"),
        ({"name": "mfcc-conv", "wide": 3}, MFCC, "no option 'wide'; .*there are: width"),
        ("mfcc-conv", FACES48, "reads vectors"),
        ("logmel-cnn", FACES48, "reads vectors"),
        ("dense", FACES48, "reads vectors"),
        ({"name": "logmel-cnn", "depth": 3}, LOGMEL, "there are: width, dropout"),
        ("face-cnn", MFCC, "reads images"),
        ("face-resnet", MFCC, "front-end face-resnet reads images"),
        ("ir50", MFCC, "IR-50 reads images of 40 to 48 pixels"),
        ("ir50", FACES32, "IR-50 reads images of 40 to 48 pixels"),
        ("efficientface", MFCC, "224 x 224"),
        ("ir50", FACES64, "IR-50 reads images of 40 to 48 pixels"),
        ("vggish", LOGMEL, r"front-end vggish reads spectrograms \(96, 64\)"),
        ({"name": "ir50", "width": 3}, FACES40, "there are: squeeze_excitation, frozen"),
    ],
)
def test_refusals(choice: object, stream: StreamSpec, message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        build_frontend(stream, choice)
