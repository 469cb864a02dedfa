"""AuxFormer: the contract, what the published quirks change, and published checkpoints."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Batch
from affuse.features.emoca import Emoca
from affuse.features.extractor import check_same_stream
from affuse.features.stream import StreamSpec
from affuse.models.checkpoints import convert, import_state, published_state_dict
from affuse.models.layers.encoder import Encoder, EncoderDropout, Steps, sinusoids, visible
from affuse.models.modelfile import load_model
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.auxformer.model import AuxFormer
from affuse.verification.contracts.model import MFCC, OPENFACE, ModelContract, random_batch, tensors
from tests.models.published import Malicious, filled

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


@pytest.fixture(scope="module")
def current(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "auxformer")


@pytest.fixture(scope="module")
def first(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "auxformer_icassp")


PICTURES = (np.zeros(50, np.float32), np.ones(50, np.float32))


def statistics(path: Path, video: Any = PICTURES) -> Path:
    path.write_bytes(pickle.dumps((np.float32(0.1), np.float32(0.2), *video)))
    return path


class TestCheckpoints:
    @pytest.mark.parametrize("release", ["current", "first"])
    def test_there_and_back(self, release: str, request: pytest.FixtureRequest) -> None:
        state = request.getfixturevalue(release)
        garbage = {
            n: x.fill_(float("nan")) for n, x in state.items() if n.endswith("_float_tensor")
        }
        model, spec = import_state("auxformer", Path("x"), state | garbage)
        back = published_state_dict(model)
        assert {n: x.shape for n, x in back.items()} == {n: x.shape for n, x in state.items()}
        empty = [n for n in back if n.endswith((".version", "._float_tensor"))]
        assert len(empty) == 12
        assert all(back[n].equal(state[n]) for n in back if n not in empty)
        assert all(back[n].item() == (2.0 if n.endswith("version") else 0.0) for n in empty)
        assert spec.outputs == ["angry", "sad", "disgust", "fear", "neutral", "happy"]
        assert spec.window == 12.0

    def test_what_the_weights_tell(
        self, current: dict[str, Tensor], first: dict[str, Tensor]
    ) -> None:
        _, spec = import_state("auxformer", Path("x"), current, band=False)
        assert spec.model == "auxformer" and spec.streams[EMOCA.name].shape == (50,)
        assert spec.streams[WAV2VEC2.name].shape == (1024,)
        told = {"width": 50, "heads": 10, "layers": 5, "band": False, "padding": "exclude"}
        assert spec.options.items() >= told.items()
        assert spec.training["note"] == ("converted without train_norm_stat.pkl and final_model.pt")
        _, spec = import_state("auxformer", Path("x"), first)
        assert spec.model == "auxformer-icassp"
        assert [s.shape for s in spec.streams.values()] == [(130,), (4096,)]
        assert spec.options["width"] == 130

    def test_a_clip_in_a_window_is_scored_as_the_published_test_scores_it_alone(
        self, current: dict[str, Tensor]
    ) -> None:
        sound, _ = import_state("auxformer", Path("x"), current)
        reference, _ = import_state("auxformer", Path("x"), current, padding="published")
        streams = {spec.name: spec for spec in (WAV2VEC2, EMOCA)}
        clip = random_batch(streams, {WAV2VEC2.name: [12], EMOCA.name: [7]}, seed=0)
        window = padded(clip, (20, 12), 25)
        assert_same(sound, reference, window, clip)
        assert difference(reference, reference, window, clip) > 1e-2

    def test_fewer_layers(self, current: dict[str, Tensor]) -> None:
        few = {n: x for n, x in current.items() if ".layers.3." not in n and ".layers.4." not in n}
        model, spec = import_state("auxformer", Path("x"), few)
        assert spec.options["layers"] == 3 and published_state_dict(model).keys() == few.keys()

    def test_entries_without_meaning_may_be_missing(self, current: dict[str, Tensor]) -> None:
        few = {n: x for n, x in current.items() if not n.endswith((".version", "_float_tensor"))}
        model, _ = import_state("auxformer", Path("x"), few)
        assert published_state_dict(model).keys() == current.keys()

    def test_trained_here_in_the_published_form(self) -> None:
        state = published_state_dict(small())
        assert state["conv_1d_a.weight"].shape == (20, 24, 1)
        mine = create_model("auxformer", {s.name: s for s in (MFCC, OPENFACE)}, 4)
        with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
            published_state_dict(mine)

    def test_converted_with_statistics(self, current: dict[str, Tensor], tmp_path: Path) -> None:
        head, out = tmp_path / "final_head.pt", tmp_path / "out.safetensors"
        torch.save(current, head)
        deviation = np.linspace(0, 4.9, 50, dtype=np.float32)
        statistics(tmp_path / "train_norm_stat.pkl", (np.full(50, 2, np.float32), deviation))
        spec = convert("auxformer", head, out)
        _, read = load_model(out)
        assert read == spec
        norm = read.normalisation[EMOCA.name]
        assert norm.mean == (2.0,) * 50
        np.testing.assert_allclose(norm.std, deviation + 1e-6, rtol=1e-6)
        assert read.training["note"] == "converted without final_model.pt"
        other = statistics(tmp_path / "other.pkl")
        spec = convert("auxformer", head, out, statistics=str(other))
        assert spec.normalisation[EMOCA.name].mean == (0.0,) * 50

    def test_expressions_are_those_of_the_stream(
        self, current: dict[str, Tensor], tmp_path: Path
    ) -> None:
        np.save(tmp_path / "clip.npy", np.zeros((3, 50), np.float32))
        _, spec = import_state("auxformer", Path("x"), current)
        check_same_stream(Emoca(tmp_path).spec, spec.streams[EMOCA.name])

    def test_sound_features_are_those_of_the_network_beside(
        self, current: dict[str, Tensor], tmp_path: Path
    ) -> None:
        weights = tmp_path / "final_model.pt"
        network = tiny_wav2vec2(weights, hidden_size=1024)
        _, spec = import_state("auxformer", tmp_path / "final_head.pt", current)
        assert spec.streams[WAV2VEC2.name].recipe["num_hidden_layers"] == 1
        with pytest.raises(BadInput, match=r"holds wav2vec 2.0, .* the model is final_head.pt"):
            import_state("auxformer", weights, network)
        tiny_wav2vec2(weights, hidden_size=32)
        with pytest.raises(BadInput, match="gives 32 values; the model reads 1024"):
            import_state("auxformer", tmp_path / "final_head.pt", current, wav2vec2=weights)


def tiny_wav2vec2(path: Path, hidden_size: int) -> dict[str, Tensor]:
    transformers = pytest.importorskip("transformers")
    config = transformers.Wav2Vec2Config(
        hidden_size=hidden_size,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4,
        mask_time_prob=0.0,
    )
    state: dict[str, Tensor] = transformers.Wav2Vec2Model(config).state_dict()
    torch.save(state, path)
    config.save_pretrained(path.parent)
    return state


class TestRefusals:
    def refuse(self, state: dict[str, Tensor], message: str, **options: Any) -> None:
        with pytest.raises(BadInput, match=message):
            import_state("auxformer", Path("x"), state, **options)

    def test_other_weights(self, current: dict[str, Tensor]) -> None:
        self.refuse({"modulator.channel_att.x": torch.ones(1)}, "weights of efficientface, not of")
        with pytest.raises(BadInput, match="weights of auxformer, not of efficientface"):
            import_state("efficientface", Path("x"), current)

    def test_missing_left_over_and_misshapen(self, current: dict[str, Tensor]) -> None:
        for name in ("conv_1d_a.weight", "out_layer.weight", "v_mem.layers.2.fc1.bias"):
            message = "needs one of the weights" if name.startswith("conv") else f"lacks.* {name}"
            self.refuse({n: x for n, x in current.items() if n != name}, message)
        self.refuse(current | {"conv_1d_v.weight": torch.ones(50, 9, 1)}, "needs one of")
        self.refuse(current | {"a_mem.layers.0.alpha": torch.ones(1)}, "unknown weights: a_mem.l")
        wide = {"conv_1d_a.weight": torch.ones(50, 1024, 3)}
        self.refuse(current | wide, "another shape: conv_1d_a.weight")

    def test_heads_that_do_not_fit(self, current: dict[str, Tensor]) -> None:
        self.refuse(current, "heads=7 does not divide", heads=7)

    def test_classes_without_names(self, current: dict[str, Tensor]) -> None:
        last = ("out_layer.weight", "out_layer.bias", "out_layer_aux.weight", "out_layer_aux.bias")
        four = current | {name: current[name][:4] for name in last}
        self.refuse(four, "4 classes of unknown meaning")
        import_state("auxformer", Path("x"), four, classes=list("abcd"))

    @pytest.mark.parametrize(
        ("video", "message"),
        [
            ((), "does not hold mean and deviation"),
            ((np.zeros(50), np.ones(49)), "50 means and deviations"),
            ((np.zeros(50), np.full(50, np.nan)), "50 means and deviations"),
            ((np.zeros(50), -np.ones(50)), "negative deviations"),
            (("a", "b"), "does not hold mean and deviation"),
            ((Malicious(), 1), r"holds code \(\S*getenv\)"),
        ],
    )
    def test_statistics(
        self, current: dict[str, Tensor], tmp_path: Path, video: Any, message: str
    ) -> None:
        self.refuse(current, message, statistics=statistics(tmp_path / "x.pkl", video))

    def test_the_first_release_has_no_further_files(
        self, first: dict[str, Tensor], tmp_path: Path
    ) -> None:
        self.refuse(first, "first release", statistics=statistics(tmp_path / "x.pkl"))

    def test_a_pickled_module(self, tmp_path: Path) -> None:
        path = tmp_path / "AuxFormer.pth"
        torch.save(small(), path)
        with pytest.raises(BadInput, match=r"holds code \(\S*AuxFormer\), not weights alone"):
            convert("auxformer", path, tmp_path / "out.safetensors")


def test_listed_with_their_paper() -> None:
    for name in ("auxformer", "auxformer-icassp"):
        assert MODELS[name].paper.startswith("Goncalves and Busso")
