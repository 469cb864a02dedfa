"""Leader-follower fusion: the contract, who sees what, and what the published quirks change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Batch
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.checkpoints import import_state, published_state_dict
from affuse.models.layers.tcn import causal_network
from affuse.models.registry import create_model
from affuse.models.systems.ir50.published import FACES
from affuse.models.systems.leader_follower.model import (
    LeaderFollower,
    LeaderVisual,
    StreamAttention,
    StreamNorm,
)
from affuse.models.systems.leader_follower.published import EMBEDDING, FOLLOWERS, PICTURES
from affuse.verification.contracts.model import MFCC, OPENFACE, ModelContract, random_batch
from tests.models.published import filled

PUBLISHED = {spec.name: spec for spec in (EMBEDDING, *FOLLOWERS)}
VGGISH, MFCC39 = (spec.name for spec in FOLLOWERS)


class TestOneFollower(ModelContract):
    name = "leader-follower"
    heads = ("frames", "classes")


class TestTwoFollowersAsPublished(ModelContract):
    """The published tensors on absent frames too, dead ones included."""

    name = "leader-follower"
    heads = ("frames", "classes")
    streams = PUBLISHED
    options: ClassVar[dict[str, Any]] = {
        **LeaderFollower.published_options(),
        "video": "vectors",
    }
    lengths: ClassVar[dict[str, list[int]]] = {
        EMBEDDING.name: [6, 9, 7],
        VGGISH: [7, 9, 5],
        MFCC39: [6, 10, 7],
    }
    unused = ("dead.",)
    examples = 6
    overfits_in = 30


class TestLeaderAlone(ModelContract):
    name = "leader-follower-visual"
    heads = ("frames", "classes")


@pytest.mark.slow
class TestFrozenPictures(ModelContract):
    """Images through a frozen IR-50, which gets no gradients."""

    name = "leader-follower"
    heads = ("frames",)
    streams: ClassVar[dict[str, StreamSpec]] = {FACES.name: FACES, MFCC.name: MFCC}
    options: ClassVar[dict[str, Any]] = {"video": {"frozen": True}}
    lengths: ClassVar[dict[str, list[int]]] = {FACES.name: [2, 1, 2], MFCC.name: [4, 3, 2]}
    unused = ("video.frontend.stage1.net.",)
    examples = 2
    overfits_in = 20


@pytest.mark.slow
class TestIR50(ModelContract):
    name = "ir50"
    heads = ("classes",)
    streams: ClassVar[dict[str, StreamSpec]] = {FACES.name: FACES}
    lengths: ClassVar[dict[str, list[int]]] = {FACES.name: [1, 2, 1]}
    examples = 1
    overfits_in = 6
    learning_rate = 1e-3


def published(streams: dict[str, StreamSpec] = PUBLISHED, **options: Any) -> LeaderFollower:
    torch.manual_seed(0)
    model = create_model("leader-follower", streams, 2, **options)
    assert isinstance(model, LeaderFollower)
    return model.eval()


def batch_of(frames: int, seed: int = 0) -> Batch:
    return random_batch(PUBLISHED, {name: [frames] for name in PUBLISHED}, seed)


@pytest.mark.parametrize(
    ("name", "streams", "options", "parameters"),
    [
        ("leader-follower", {FACES.name: FACES}, {}, 38_376_449),
        ("leader-follower", {EMBEDDING.name: EMBEDDING}, {"video": "vectors"}, 1_092_929),
        ("leader-follower-visual", {FACES.name: FACES}, {}, 38_252_481),
        (
            "leader-follower-visual",
            {FACES.name: FACES},
            {"video": {"name": "ir50", "squeeze_excitation": True}},
            38_475_201,
        ),
        ("leader-follower-visual", {EMBEDDING.name: EMBEDDING}, {"video": "vectors"}, 968_961),
    ],
)
def test_published_size(
    name: str, streams: dict[str, StreamSpec], options: dict[str, Any], parameters: int
) -> None:
    build = LeaderFollower if name == "leader-follower" else LeaderVisual
    followers = {spec.name: spec for spec in FOLLOWERS}
    with torch.device("meta"):
        model = create_model(name, streams | followers, 1, **build.published_options() | options)
    assert sum(p.numel() for p in model.parameters()) == parameters


class TestCausality:
    def test_nothing_is_seen_before_it_happens(self) -> None:
        model, batch = published(), batch_of(12)
        changed = batch_of(12)
        for name in changed.streams:
            changed.streams[name][:, 7:] += 1
        ours, theirs = model(batch).values[0], model(changed).values[0]
        torch.testing.assert_close(ours[:7], theirs[:7])
        assert ((ours - theirs)[7:].abs().amax(1) > 1e-6).all()

    def test_an_output_sees_121_frames(self) -> None:
        torch.manual_seed(0)
        network = causal_network(3, (4, 4, 4, 4), 5, 0.1).double().eval()
        x = torch.randn(1, 130, 3, dtype=torch.float64, requires_grad=True)
        network(x, torch.ones(1, 130).bool())[0][0, -1].sum().backward()
        assert x.grad is not None
        seen = x.grad[0].abs().amax(1) > 0
        assert seen.nonzero().min() == 130 - 121

    @pytest.mark.parametrize("training", [False, True])
    def test_absent_frames_at_either_end_make_no_difference(self, training: bool) -> None:
        torch.manual_seed(0)
        network = causal_network(3, (4, 4, 4, 4), 5, 0.5).train(training)
        x, mask = torch.randn(1, 9, 3), torch.ones(1, 9).bool()
        padded = F.pad(x, (0, 0, 4, 6)), F.pad(mask, (4, 6))
        torch.manual_seed(1)
        ours, _ = network(x, mask)
        torch.manual_seed(1)
        theirs, _ = network(*padded)
        torch.testing.assert_close(ours, theirs[:, 4:13])
        assert theirs[:, :4].eq(0).all() and theirs[:, 13:].eq(0).all()

    def test_dropout_drops_channels_of_whole_clips(self) -> None:
        torch.manual_seed(0)
        block = causal_network(3, (8,), 5, 0.5).blocks[0].train()
        rows = []
        block.dropout.register_forward_hook(lambda module, inputs, result: rows.append(result))
        block(torch.randn(2, 3, 20), torch.ones(2, 20).bool())
        gone = rows[0].eq(0)
        assert gone.any() and gone.all(-1).equal(gone.any(-1))


class TestAttention:
    def test_present_streams_are_normalised_together(self) -> None:
        norm = StreamNorm(3, 32)
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        x, present = torch.randn(2, 4, 3, 32), torch.ones(2, 4, 3).bool()
        expected = F.layer_norm(x, (3, 32), norm.weight, norm.bias)
        torch.testing.assert_close(norm(x, present), expected)
        present[0, 1, 2] = False
        two = F.layer_norm(x[0, 1, :2], (2, 32), norm.weight[:2], norm.bias[:2])
        torch.testing.assert_close(norm(x, present)[0, 1, :2], two)
        assert norm(x, present)[0, 1, 2].eq(0).all()

    def test_the_published_formula(self) -> None:
        torch.manual_seed(0)
        attention = StreamAttention([5, 4], chained=False)
        leader, follower = torch.randn(1, 1, 5), torch.randn(1, 1, 4)
        k, q, v = (
            torch.stack([layers[0](leader)[0, 0], layers[1](follower)[0, 0]])
            for layers in (attention.keys, attention.queries, attention.values)
        )
        expected = (k @ q.T / 32**0.5).softmax(-1) @ v + v
        found = attention([leader, follower], torch.ones(1, 1, 2).bool())
        torch.testing.assert_close(found[0, 0], F.layer_norm(expected, (2, 32)))

    def test_an_absent_stream_takes_no_part(self) -> None:
        model, batch = published(), batch_of(8)
        batch.streams[MFCC39].zero_()
        batch.masks[MFCC39].zero_()
        before = model(batch).values
        with torch.no_grad():
            for part in (model.followers[1], *(getattr(model.attention, x)[2] for x in PARTS)):
                for p in part.parameters():
                    p.normal_()
            model.classifier.weight[:, -32:] = 7.0
        torch.testing.assert_close(model(batch).values, before)

    def test_chained_followers_have_the_same_weights_and_other_values(self) -> None:
        sound, quirk = published(), published(chained=True)
        quirk.load_state_dict(sound.state_dict())
        batch = batch_of(8)
        assert (sound(batch).values - quirk(batch).values).abs().max() > 1e-3
        alone = batch.without("audio")
        torch.testing.assert_close(sound(alone).values, quirk(alone).values)


PARTS = ("keys", "queries", "values")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_followers_in_the_order_given(count: int) -> None:
    followers = {f"audio/{i}": StreamSpec(f"audio/{i}", 30.0, (3 + i,)) for i in range(count)}
    model = published(followers | {OPENFACE.name: OPENFACE})
    assert list(model.streams) == [OPENFACE.name, *followers]
    assert [track.stream for track in model.followers] == list(followers)
    assert model.classifier.in_features == 128 + 32 * (count + 1)


def test_followers_of_another_rate_are_laid_on_the_frames_of_the_leader() -> None:
    fast = StreamSpec(MFCC39, 100.0, (39,))
    streams = {EMBEDDING.name: EMBEDDING, MFCC39: fast}
    same = {EMBEDDING.name: EMBEDDING, MFCC39: PUBLISHED[MFCC39]}
    batch = random_batch(streams, {EMBEDDING.name: [30], MFCC39: [100]}, 0)
    rows = (torch.arange(30) * 10 / 3).round().long()
    slow = Batch(
        batch.streams | {MFCC39: batch.streams[MFCC39][:, rows]},
        batch.masks | {MFCC39: batch.masks[MFCC39][:, rows]},
    )
    torch.testing.assert_close(published(streams)(batch).values, published(same)(slow).values)


@pytest.fixture(scope="module")
def state(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "leader_follower_av_fusion_2")


class TestCheckpoints:
    def test_what_a_file_says(self, state: dict[str, Tensor]) -> None:
        model, spec = import_state("leader-follower", Path("x"), state)
        assert spec.model == "leader-follower" and spec.task == "valence-arousal"
        assert spec.outputs == ["valence", "arousal"]
        assert list(spec.streams) == list(model.streams) == list(PUBLISHED)
        assert "mean_std_dict.pkl" in spec.training["normalisation"]

    def test_without_followers(self, state: dict[str, Tensor]) -> None:
        network = {n: x for n, x in state.items() if n.startswith("temporal.")}
        last = {"regressor.weight": torch.ones(1, 128), "regressor.bias": torch.ones(1)}
        model, spec = import_state(
            "leader-follower", Path("x"), network | last, classes=["arousal"]
        )
        assert spec.model == "leader-follower-visual" and spec.outputs == ["arousal"]
        assert list(model.streams) == [EMBEDDING.name]

    @pytest.mark.parametrize(
        ("listing", "model", "options"),
        [
            ("leader_follower_visual_full_se_1", "leader-follower-visual", True),
            ("leader_follower_visual_full_1", "leader-follower-visual", False),
            ("leader_follower_av_full_1", "leader-follower", False),
        ],
    )
    def test_with_the_image_network(
        self, parity_cases: Path, listing: str, model: str, options: bool
    ) -> None:
        from affuse.models.systems.leader_follower import published as leader_follower

        lines = (parity_cases.parent / "state_dicts" / f"{listing}.txt").read_text().splitlines()
        entries = dict(line.split("\t") for line in lines)
        state = {
            name: torch.empty([int(n) for n in shape.strip("()").split(",") if n], device="meta")
            for name, shape in entries.items()
        }
        spec = leader_follower.describe(Path("x"), state, classes=["valence"])
        assert spec.model == model and spec.streams[PICTURES.name] == stream_spec(PICTURES.name)
        assert spec.options["video"] == {"name": "ir50", "squeeze_excitation": options}
        assert spec.normalisation[PICTURES.name].mean == (127.5,)

    def test_one_dimension_needs_its_name(self, state: dict[str, Tensor]) -> None:
        one = state | {"regressor.weight": torch.ones(1, 224), "regressor.bias": torch.ones(1)}
        with pytest.raises(BadInput, match="predicts 1 values per frame"):
            import_state("leader-follower", Path("x"), one)
        with pytest.raises(BadInput, match="classes=valence or arousal"):
            import_state("leader-follower", Path("x"), one, classes=["joy"])
        _, spec = import_state("leader-follower", Path("x"), one, classes=["arousal"])
        assert spec.outputs == ["arousal"]

    def test_second_names_may_be_missing_but_not_differ(self, state: dict[str, Tensor]) -> None:
        once = {n: x for n, x in state.items() if ".net." not in n}
        model, _ = import_state("leader-follower", Path("x"), once)
        assert published_state_dict(model).keys() == state.keys()
        name = "temporal1.network.2.net.4.bias"
        with pytest.raises(BadInput, match=f"another value for {name} than for .*conv2.bias"):
            import_state("leader-follower", Path("x"), state | {name: torch.ones(32)})

    def test_names_of_later_versions_of_pytorch(self, state: dict[str, Tensor]) -> None:
        later = {
            re.sub(
                "weight_([gv])$", lambda m: f"parametrizations.weight.original{'gv'.index(m[1])}", n
            ): x
            for n, x in state.items()
        }
        assert later.keys() != state.keys()
        model, _ = import_state("leader-follower", Path("x"), later)
        back = published_state_dict(model)
        assert back.keys() == state.keys() and all(back[n].equal(state[n]) for n in state)

    def test_refusals(self, state: dict[str, Tensor]) -> None:
        few = {n: x for n, x in state.items() if not n.startswith("encoderV")}
        with pytest.raises(BadInput, match=r"lacks weights: encoderV1.weight"):
            import_state("leader-follower", Path("x"), few)
        headless = {n: x for n, x in state.items() if n != "regressor.bias"}
        with pytest.raises(BadInput, match=r"lacks weights: regressor\.bias"):
            import_state("leader-follower", Path("x"), headless)
        with pytest.raises(BadInput, match="weights of leader-follower, not of ir50"):
            import_state("ir50", Path("x"), state)
        with pytest.raises(BadInput, match=r"unknown weights: temporal.network.4.conv1.bias$"):
            more = {"temporal.network.4.conv1.bias": torch.ones(128)}
            import_state("leader-follower", Path("x"), state | more)

    def test_sound_models_have_no_published_names(self) -> None:
        for options in ({}, {"dead_weights": True}):
            with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
                published_state_dict(published(**options))
        pictures = {OPENFACE.name: OPENFACE}
        other = create_model("leader-follower-visual", pictures, 1, video="sequence")
        with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
            published_state_dict(other)


class TestOtherSizes:
    """`-cnn1d_channels` and `-cnn1d_kernel_size` of the published trainer."""

    def test_channels_and_kernel_are_options(self) -> None:
        model: Any = published(channels=[24, 16], follower_channels=[8], kernel=3)
        (first, second), (only,) = model.video.temporal.blocks, model.followers[0].temporal.blocks
        assert (first.conv1.out_channels, second.conv2.out_channels) == (24, 16)
        assert first.conv1.kernel_size == only.conv2.kernel_size == (3,)
        assert only.conv1.out_channels == 8 and model.classifier.in_features == 16 + 3 * 32
        assert model(batch_of(5)).values.shape == (1, 5, 2)
        alone = create_model("leader-follower-visual", PUBLISHED, 1, channels=[6], kernel=2)
        assert alone(batch_of(5)).values.shape == (1, 5, 1)

    @pytest.mark.parametrize(
        "options", [{"channels": []}, {"kernel": 0}, {"follower_channels": [8, 0]}]
    )
    def test_a_network_that_cannot_be_is_one_line(self, options: dict[str, Any]) -> None:
        with pytest.raises(AffuseError, match=r"channels and a kernel of 1 and more"):
            published(**options)

    @pytest.mark.parametrize("name", ["leader-follower", "leader-follower-visual"])
    def test_a_checkpoint_tells_them(self, name: str) -> None:
        build = LeaderFollower if name == "leader-follower" else LeaderVisual
        options = build.published_options() | {"video": "vectors"}
        sizes = {"channels": [64, 96, 128], "kernel": 3}
        torch.manual_seed(0)
        model = create_model(name, PUBLISHED, 1, **options, **sizes).eval()
        state = published_state_dict(model)
        again, spec = import_state("leader-follower", Path("x"), state, classes=["arousal"])
        assert {key: spec.options[key] for key in sizes} == sizes
        torch.testing.assert_close(again(batch_of(9)).values, model(batch_of(9)).values)
        back = published_state_dict(again)
        assert back.keys() == state.keys() and all(back[n].equal(state[n]) for n in state)

    def test_the_usual_ones_are_not_written_down(self) -> None:
        options = LeaderFollower.published_options() | {"video": "vectors"}
        _, spec = import_state(
            "leader-follower", Path("x"), published_state_dict(published(**options))
        )
        assert not {"channels", "kernel"} & spec.options.keys()

    def test_heads_that_the_published_code_does_not_have(self) -> None:
        options = LeaderFollower.published_options() | {"video": "vectors"}
        for sizes in ({"channels": [128, 64]}, {"follower_channels": [16] * 4}):
            with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
                published_state_dict(published(**options, **sizes))
        narrow = dict(published_state_dict(published(**options)))
        for name in ("conv1", "net.0"):
            narrow[f"temporal.network.3.{name}.weight_v"] = torch.ones(64, 128, 5)
        with pytest.raises(BadInput, match=r"reads 128 channels, which temporal lacks"):
            import_state("leader-follower", Path("x"), narrow)
