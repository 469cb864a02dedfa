"""AuxFormer: the contract, and what the published quirks change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.layers.encoder import Encoder, EncoderDropout, Steps, sinusoids, visible
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.auxformer.model import AuxFormer
from affuse.verification.contracts.model import ModelContract, random_batch, tensors

SOUND, FACE = StreamSpec("audio/wav2vec2", 50.0, (24,)), StreamSpec("video/emoca50", 30.0, (20,))
SMALL = {spec.name: spec for spec in (SOUND, FACE)}
#: The published form in a small size: sound is projected, faces are as they are.
VECTORS: dict[str, Any] = {"audio": "vectors", "video": "vectors", "width": 20, "layers": 2}
WAV2VEC2, EMOCA = replace(SOUND, shape=(1024,)), replace(FACE, shape=(50,))
LLD = StreamSpec("audio/opensmile130", 100.0, (130,))
VGG = StreamSpec("video/vggface", 30.0, (4096,))


class TestAuxFormer(ModelContract):
    name = "auxformer"
    batch_size = 32
    options: ClassVar[dict[str, Any]] = {"layers": 1}
    learning_rate = 1e-3
    overfits_in = 40
    examples = 4


class TestAuxFormerOnFeatures(ModelContract):
    """In the published form, absences left out."""

    name = "auxformer"
    batch_size = 32
    streams = SMALL
    options: ClassVar[dict[str, Any]] = VECTORS | {"layers": 1}
    lengths: ClassVar[dict[str, list[int]]] = {SOUND.name: [12, 20, 17], FACE.name: [9, 12, 3]}
    learning_rate = 3e-3
    overfits_in = 60


class TestAuxFormerICASSP(ModelContract):
    name = "auxformer-icassp"
    batch_size = 32
    options: ClassVar[dict[str, Any]] = {
        "layers": 1,
        "band": False,
        "audio": "mfcc-conv",
        "video": "sequence",
    }
    learning_rate = 1e-3
    overfits_in = 40
    examples = 4


def small(**options: Any) -> AuxFormer:
    torch.manual_seed(0)
    model = create_model("auxformer", SMALL, 4, **VECTORS | options)
    assert isinstance(model, AuxFormer)
    return model.eval()


def padded(batch: Batch, before: tuple[int, int] = (0, 0), after: int = 0) -> Batch:
    """The batch with absent frames before the clips (of sound and faces) and after them."""
    widths = dict(zip(SMALL, before, strict=True))
    return Batch(
        {n: F.pad(x, (0, 0, widths[n], after)) for n, x in batch.streams.items()},
        {n: F.pad(m, (widths[n], after)) for n, m in batch.masks.items()},
    )


def assert_same(model: nn.Module, other: nn.Module, batch: Batch, changed: Batch) -> None:
    with torch.no_grad():
        pairs = zip(tensors(model(batch)), tensors(other(changed)), strict=True)
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def difference(model: nn.Module, other: nn.Module, batch: Batch, changed: Batch) -> float:
    with torch.no_grad():
        return float((model(batch).scores - other(changed).scores).abs().max())


@pytest.fixture
def batch() -> Batch:
    return random_batch(SMALL, {SOUND.name: [14, 9], FACE.name: [6, 11]}, seed=0)


class TestPadding:
    @pytest.mark.parametrize("band", [True, False])
    def test_both_kinds_agree_on_a_clip_alone(self, band: bool) -> None:
        sound, reference = (small(padding=kind, band=band) for kind in ("exclude", "published"))

        @settings(max_examples=10, deadline=None)
        @given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
        def check(heard: int, seen: int, seed: int) -> None:
            clip = random_batch(SMALL, {SOUND.name: [heard], FACE.name: [seen]}, seed)
            assert_same(sound, reference, clip, clip)

        check()

    def test_absence_around_a_clip_makes_no_difference(self, batch: Batch) -> None:
        model = small()

        @settings(max_examples=10, deadline=None)
        @given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
        def check(heard: int, seen: int, after: int) -> None:
            assert_same(model, model, batch, padded(batch, (heard, seen), after))

        check()

    @pytest.mark.parametrize("kind", ["exclude", "published"])
    def test_absence_in_all_clips_costs_nothing(self, batch: Batch, kind: str) -> None:
        model, seen = small(padding=kind), []
        model.audio_alone.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
        model(padded(batch, (30, 20), 40))
        assert {shape[1] for shape in seen} == {14 if kind == "exclude" else 84}

    def test_reference_counts_padding(self, batch: Batch) -> None:
        reference = small(padding="published")
        assert difference(reference, reference, batch, padded(batch, after=5)) > 1e-2
        assert difference(reference, reference, batch, padded(batch, (5, 3))) > 1e-2
        assert difference(small(), reference, batch, batch) > 1e-2  # one clip is shorter

    @pytest.mark.parametrize("stream", SMALL)
    def test_what_is_absent_is_not_read(self, batch: Batch, stream: str) -> None:
        model = small()
        batch.masks[stream][:, 2:4] = False
        absent = ~batch.masks[stream].unsqueeze(-1)
        noisy = Batch({**batch.streams, stream: batch.streams[stream] + 9 * absent}, batch.masks)
        assert_same(model, model, batch, noisy)

    def test_holes_shift_nothing(self) -> None:
        model = small()
        clip = random_batch(SMALL, {SOUND.name: [14], FACE.name: [6]}, seed=0)
        clip.masks[FACE.name][:, 2] = False
        cut = Batch(
            {**clip.streams, FACE.name: clip.streams[FACE.name][:, [0, 1, 3, 4, 5]]},
            {**clip.masks, FACE.name: clip.masks[FACE.name][:, [0, 1, 3, 4, 5]]},
        )
        assert difference(model, model, clip, cut) > 1e-4

    def test_an_exact_zero_costs_a_frame_its_position_in_the_reference_alone(self) -> None:
        clip = random_batch(SMALL, {SOUND.name: [14], FACE.name: [6]}, seed=0)
        clip.streams[FACE.name][0, 3, 0] = 0.0
        almost = Batch({n: x.clone() for n, x in clip.streams.items()}, clip.masks)
        almost.streams[FACE.name][0, 3, 0] = 1e-9
        sound, reference = (small(padding=kind) for kind in ("exclude", "published"))
        assert_same(sound, sound, clip, almost)
        assert_same(sound, reference, almost, almost)
        assert difference(reference, reference, clip, almost) > 1e-4


class TestDecision:
    def test_is_the_mean_of_three(self, batch: Batch) -> None:
        output = small()(batch)
        assert list(output.auxiliary) == ["main", "audio", "video"]
        mean = torch.stack(list(output.auxiliary.values())).mean(0)
        torch.testing.assert_close(output.logits, mean)

    @pytest.mark.parametrize(("gone", "left"), [("audio", "video"), ("video", "audio")])
    def test_leaves_out_an_absent_modality(self, batch: Batch, gone: str, left: str) -> None:
        model = small()
        output, whole = model(batch.without(gone)), model(batch)
        mean = (output.auxiliary["main"] + output.auxiliary[left]) / 2
        torch.testing.assert_close(output.logits, mean)
        torch.testing.assert_close(output.auxiliary[left], whole.auxiliary[left])
        assert (output.auxiliary["main"] - whole.auxiliary["main"]).abs().max() > 1e-3
        # The scores of what is absent rest on nothing: they are those of every clip.
        torch.testing.assert_close(*output.auxiliary[gone])

    def test_reference_counts_an_absent_modality(self, batch: Batch) -> None:
        output = small(padding="published")(batch.without("video"))
        mean = torch.stack(list(output.auxiliary.values())).mean(0)
        torch.testing.assert_close(output.logits, mean)

    def test_per_frame_ends_in_what_is_said_of_the_clip(self) -> None:
        clip = random_batch(SMALL, {SOUND.name: [5], FACE.name: [3]}, seed=0)
        frames, whole = (small(head=head)(clip) for head in ("frames", "classes"))
        assert frames.values.shape == (1, 3, 4)
        torch.testing.assert_close(frames.auxiliary["video"][:, -1], whole.auxiliary["video"])

    @pytest.mark.parametrize("band", [True, False])
    def test_band_hides_the_future(self, band: bool) -> None:
        model = small(head="frames", band=band)
        clip = random_batch(SMALL, {SOUND.name: [10], FACE.name: [6]}, seed=0)
        later = Batch({n: x.clone() for n, x in clip.streams.items()}, clip.masks)
        later.streams[FACE.name][:, 4:] *= -1
        before, after = (model(x).auxiliary["video"] for x in (clip, later))
        assert (torch.equal(before[:, :4], after[:, :4])) == band
        assert (before[:, 4:] - after[:, 4:]).abs().max() > 1e-3


def test_without_dropout_training_computes_what_evaluation_does(batch: Batch) -> None:
    kinds = ("attention", "relu", "residual", "embedding", "output")
    model = small(**{f"{kind}_dropout": 0.0 for kind in kinds})
    assert_same(model, small(), batch, batch)
    assert_same(model.train(), small(), batch, batch)
    for kind in kinds:
        noisy = small(**{f"{other}_dropout": 0.5 * (other == kind) for other in kinds}).train()
        assert difference(noisy, small(), batch, batch) > 1e-3, kind


class TestLayers:
    @pytest.mark.parametrize(
        ("queries", "keys", "expected"),
        [
            (3, 3, ["100", "110", "111"]),
            (2, 4, ["1110", "1111"]),  # two keys more
            (4, 2, ["11", "11", "11", "11"]),  # looser than causal, as published
            (4, 3, ["110", "111", "111", "111"]),
        ],
    )
    def test_band(self, queries: int, keys: int, expected: list[str]) -> None:
        steps = [Steps.of(torch.ones(1, n, dtype=torch.bool)) for n in (queries, keys)]
        (rows,) = visible(steps[0], steps[1], band=True).int().tolist()
        assert ["".join(map(str, row)) for row in rows] == expected

    def test_steps_count_from_the_first_present_frame(self) -> None:
        mask = torch.tensor([[0, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
        steps = Steps.of(mask)
        assert steps.index[0].tolist() == [-1, 0, 1, 2, 3]
        assert steps.length[:2].tolist() == [3, 5]
        assert not visible(steps, steps, band=True)[2].any()

    @pytest.mark.parametrize("width", [6, 7])
    def test_positions(self, width: int) -> None:
        table = sinusoids(torch.tensor([[0, 2, -3, 4]]), width)[0]
        assert table.shape == (4, width) and not table[[0, 2]].any()
        rates = np.array([1.0, 0.01, 0.0001])
        expected = np.concatenate((np.sin(4 * rates), np.cos(4 * rates), np.zeros(width - 6)))
        np.testing.assert_allclose(table[3], expected, atol=1e-6)

    def test_a_query_without_keys_gathers_nothing(self) -> None:
        torch.manual_seed(0)
        encoder = Encoder(20, 2, 2, EncoderDropout()).eval()
        nn.init.normal_(encoder.layers[0].attention.proj.bias)
        x, memory = torch.randn(1, 3, 20), torch.randn(1, 4, 20)
        none = torch.zeros(1, 3, 4, dtype=torch.bool)
        assert torch.equal(encoder(x, none, memory=memory), encoder(x, none, memory=memory + 1))
        for layer in encoder.layers:
            nn.init.zeros_(layer.attention.proj.weight)
            nn.init.zeros_(layer.attention.proj.bias)
        torch.testing.assert_close(
            encoder(x, ~none, memory=memory), encoder(x, none, memory=memory)
        )


@pytest.mark.parametrize(
    ("name", "streams", "parameters"),
    [("auxformer", (WAV2VEC2, EMOCA), 1_162_712), ("auxformer-icassp", (LLD, VGG), 7_038_632)],
)
def test_published_size(name: str, streams: tuple[StreamSpec, ...], parameters: int) -> None:
    with torch.device("meta"):
        options = AuxFormer.published_options()
        model = create_model(name, {spec.name: spec for spec in streams}, 6, **options)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 7}, "heads=7 does not divide the attention width 20"),
        ({"padding": "none"}, "expected 'exclude' or 'published'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        small(**options)


def test_listed_with_their_paper() -> None:
    for name in ("auxformer", "auxformer-icassp"):
        assert MODELS[name].paper.startswith("Goncalves and Busso")
