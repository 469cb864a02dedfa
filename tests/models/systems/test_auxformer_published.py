"""Published checkpoints of AuxFormer: what is accepted, what comes out, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.features.emoca import Emoca
from affuse.features.extractor import check_same_stream
from affuse.models.checkpoints import convert, import_state, published_state_dict
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model
from affuse.verification.contracts.model import MFCC, OPENFACE, random_batch
from tests.models.published import Malicious, filled
from tests.models.systems.test_auxformer import (
    EMOCA,
    WAV2VEC2,
    assert_same,
    difference,
    padded,
    small,
)


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
