"""Hidden states of wav2vec 2.0: equal to transformers' own, whatever the layout of the weights."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.extractor import check_same_stream
from affuse.models.frozen.wav2vec2 import OVERLAP, PIECE, pieces

transformers = pytest.importorskip("transformers")
soundfile = pytest.importorskip("soundfile")

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [8] * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def network(seed: int = 0, **changes: Any) -> Any:
    """A small network with the real strides."""
    torch.manual_seed(seed)
    return transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**TINY | changes)).eval()


def save(folder: Path, model: Any, name: str = "final_model.pt", **changes: Any) -> Path:
    """Weights and description as a release would hold them; returns the folder."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model.config.to_dict() | changes))
    torch.save(model.state_dict(), folder / name)
    return folder


def wave(seconds: float, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16000))
    return (np.round(sound * 32768) / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    soundfile.write(path, wave(2.5), 16000, "PCM_16")
    return path


def extract(source: Path, audio: Path) -> np.ndarray:
    stream = create_extractor("audio/wav2vec2", source).extract(Clip("a", audio=audio))
    assert stream is not None and stream.mask.all() and stream.values.dtype == np.float32
    return stream.values


def theirs(model: Any, sound: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(sound)[None]).last_hidden_state[0].numpy()


def old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As PyTorch before 2.1 names the parts of normalised weights."""
    new = "parametrizations.weight.original"
    return {
        n.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): x for n, x in state.items()
    }


def test_values_are_those_of_transformers(tmp_path: Path, recording: Path) -> None:
    model = network()
    source = save(tmp_path / "w", model)
    spec = create_extractor("audio/wav2vec2", source).spec
    assert (spec.rate, spec.shape, spec.span) == (50.0, (32,), None)
    found, expected = extract(source, recording), theirs(model, wave(2.5))
    assert found.shape == expected.shape == (124, 32) and expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert create_extractor("audio/wav2vec2", source).extract(Clip("a")) is None


@pytest.mark.parametrize("layout", ["old names", "pretraining", "safetensors", "bin", "file"])
def test_every_layout_of_the_weights_says_the_same(
    tmp_path: Path, recording: Path, layout: str
) -> None:
    model = network(1)
    source = save(tmp_path / "w", model)
    state = model.state_dict()
    if layout == "old names":
        assert len(old_names(state).keys() - state.keys()) == 2
        torch.save(old_names(state), source / "final_model.pt")
    elif layout == "pretraining":
        whole = {f"wav2vec2.{name}": x for name, x in state.items()}
        torch.save({**whole, "quantizer.codevectors": torch.zeros(3)}, source / "final_model.pt")
    elif layout == "safetensors":
        (source / "final_model.pt").unlink()
        model.save_pretrained(source)
        assert (source / "model.safetensors").is_file()
    elif layout == "bin":
        (source / "final_model.pt").rename(source / "pytorch_model.bin")
    else:
        source = source / "final_model.pt"
    np.testing.assert_allclose(extract(source, recording), theirs(model, wave(2.5)), atol=1e-5)


@pytest.mark.parametrize(("stable", "kept"), [(True, 12), (False, 24)])
def test_of_24_layers_with_stable_norm_the_first_12_are_kept(
    tmp_path: Path, recording: Path, stable: bool, kept: int
) -> None:
    model = network(2, num_hidden_layers=24, do_stable_layer_norm=stable)
    source = save(tmp_path / "w", model)
    found = extract(source, recording)
    del model.encoder.layers[kept:]
    np.testing.assert_allclose(found, theirs(model, wave(2.5)), rtol=0, atol=1e-5)
    pruned = save(tmp_path / "p", model)
    np.testing.assert_array_equal(extract(pruned, recording), found)


def test_without_a_description_it_is_large_robust(tmp_path: Path, recording: Path) -> None:
    from affuse.models.frozen.wav2vec2 import _LARGE_ROBUST

    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**_LARGE_ROBUST, num_hidden_layers=1)
    model = transformers.Wav2Vec2Model(config).eval()
    torch.save(old_names(model.state_dict()), tmp_path / "final_wav2vec.pt")
    found = extract(tmp_path / "final_wav2vec.pt", recording)
    np.testing.assert_allclose(found, theirs(model, wave(2.5)), rtol=0, atol=1e-4)
    assert found.shape == (124, 1024)


class TestLongRecordings:
    @given(st.integers(1, 20000))
    def test_every_frame_is_kept_once_and_has_its_surroundings(self, frames: int) -> None:
        parts = pieces(frames)
        kept = [frame for _, (begin, end) in parts for frame in range(begin, end)]
        assert kept == list(range(frames))
        for first, (begin, end) in parts:
            last = first + min(PIECE, frames)
            assert 0 <= first <= begin < end <= last <= frames
            assert begin == 0 or begin - first >= OVERLAP // 2
            assert end == frames or last - end >= OVERLAP // 2
        assert (len(parts) == 1) == (frames <= PIECE)

    def test_begin_and_end_are_those_of_their_12_seconds(self, tmp_path: Path) -> None:
        model, sound = network(3), wave(30.0, 1)
        soundfile.write(tmp_path / "long.wav", sound, 16000, "PCM_16")
        found = extract(save(tmp_path / "w", model), tmp_path / "long.wav")
        assert found.shape == (1499, 32)
        begin, end = theirs(model, sound[:192000]), theirs(model, sound[900 * 320 :])
        np.testing.assert_allclose(found[:549], begin[:549], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[-400:], end[-400:], rtol=0, atol=1e-5)
        assert np.abs(found - theirs(model, sound)).max() < 0.5, "near to the whole at once"


class TestNormalisation:
    STATISTICS = (np.float32(0.01), np.float32(0.2), np.zeros(50, np.float32), np.ones(50))

    @pytest.mark.parametrize("protocol", [3, 4, 5])
    def test_is_that_of_the_release(self, tmp_path: Path, recording: Path, protocol: int) -> None:
        model = network(4)
        source = save(tmp_path / "w", model)
        plain = extract(source, recording)
        text = pickle.dumps(self.STATISTICS, protocol)
        if protocol == 3:  # which names things in lines of text; NumPy 1 names them so
            text = text.replace(b"numpy._core", b"numpy.core")
        (source / "train_norm_stat.pkl").write_bytes(text)
        found = extract(source, recording)
        expected = theirs(model, (wave(2.5) - np.float32(0.01)) / np.float32(0.2 + 1e-6))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        assert np.abs(found - plain).max() > 0.01

    @pytest.mark.parametrize(
        ("held", "reason"),
        [
            ((0.0, 0.0), "deviation 0.0"),
            ((float("nan"), 1.0), "mean nan"),
            (([1, 2], 1.0), "does not begin with"),
            ({"mean": 0.0}, "does not begin with"),
            (3.0, "does not begin with"),
            (("a", 1.0), "does not begin with"),
        ],
    )
    def test_other_content_is_refused(self, tmp_path: Path, held: object, reason: str) -> None:
        source = save(tmp_path / "w", network())
        (source / "train_norm_stat.pkl").write_bytes(pickle.dumps(held))
        with pytest.raises(BadInput, match=rf"train_norm_stat\.pkl: .*{reason}"):
            create_extractor("audio/wav2vec2", source)

    def test_code_in_it_is_never_run(self, tmp_path: Path) -> None:
        source = save(tmp_path / "w", network())
        trap = tmp_path / "trap"
        for payload in (_Code(os.mkdir, str(trap)), _Code(np.load, "x"), (0.0, _Code(eval, "1"))):
            (source / "train_norm_stat.pkl").write_bytes(pickle.dumps(payload))
            with pytest.raises(BadInput, match=r"train_norm_stat\.pkl: holds code \("):
                create_extractor("audio/wav2vec2", source)
        assert not trap.exists()
        (source / "train_norm_stat.pkl").write_bytes(b"no pickle")
        with pytest.raises(BadInput, match="is not a pickle"):
            create_extractor("audio/wav2vec2", source)


class _Code:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, argument: str) -> None:
        self.call = function, (argument,)

    def __reduce__(self) -> Any:
        return self.call


def test_a_model_tells_other_weights_and_other_normalisation(tmp_path: Path) -> None:
    one, other = save(tmp_path / "1", network(1)), save(tmp_path / "2", network(2))
    trained = create_extractor("audio/wav2vec2", one).spec
    check_same_stream(create_extractor("audio/wav2vec2", one / "final_model.pt").spec, trained)
    with pytest.raises(AffuseError, match="is made with weights "):
        check_same_stream(create_extractor("audio/wav2vec2", other).spec, trained)
    (one / "train_norm_stat.pkl").write_bytes(pickle.dumps((0.0, 0.5)))
    with pytest.raises(AffuseError, match=r"is made with std 0\.5"):
        check_same_stream(create_extractor("audio/wav2vec2", one).spec, trained)


def test_workers_get_a_small_copy(tmp_path: Path, recording: Path) -> None:
    source = save(tmp_path / "w", network(5))
    extractor = create_extractor("audio/wav2vec2", source)
    text = pickle.dumps(extractor)
    assert len(text) < 2000, "the weights stay on the disk"
    copy = pickle.loads(text).extract(Clip("a", audio=recording))
    np.testing.assert_array_equal(copy.values, extract(source, recording))


class TestWhatIsRefused:
    def test_code(self, tmp_path: Path) -> None:
        source = save(tmp_path / "w", network())
        trap = tmp_path / "trap"
        torch.save({"a": _Code(os.mkdir, str(trap))}, source / "final_model.pt")
        with pytest.raises(BadInput, match=r"final_model\.pt: holds code"):
            create_extractor("audio/wav2vec2", source)
        assert not trap.exists()

    @pytest.mark.parametrize(
        ("change", "value", "reason"),
        [
            ("conv_stride", [5, 2, 2, 2, 2, 2, 1], "other frames"),
            ("add_adapter", True, "plain wav2vec 2.0"),
            ("model_type", "hubert", "plain wav2vec 2.0"),
            ("hidden_size", "wide", "not the description"),
        ],
    )
    def test_descriptions_of_other_networks(
        self, tmp_path: Path, change: str, value: object, reason: str
    ) -> None:
        source = save(tmp_path / "w", network(), **{change: value})
        with pytest.raises(BadInput, match=rf"config\.json: .*{reason}"):
            create_extractor("audio/wav2vec2", source)

    @pytest.mark.parametrize("text", ["{", "[]", "3"])
    def test_descriptions_that_are_none(self, tmp_path: Path, text: str) -> None:
        source = save(tmp_path / "w", network())
        (source / "config.json").write_text(text)
        with pytest.raises(BadInput, match=r"config\.json: is not the description"):
            create_extractor("audio/wav2vec2", source)

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        wider = save(tmp_path / "w", network(), hidden_size=64)
        with pytest.raises(BadInput, match=r"final_model\.pt: holds no such .* of another shape"):
            create_extractor("audio/wav2vec2", wider)
        fewer = save(tmp_path / "f", network(), num_hidden_layers=3)
        with pytest.raises(BadInput, match=r"16 weights .* the first is encoder\.layers\.2\."):
            create_extractor("audio/wav2vec2", fewer)
        torch.save({"x": torch.zeros(2)}, tmp_path / "alone.pt")
        with pytest.raises(BadInput, match=r"alone\.pt: holds no such"):
            create_extractor("audio/wav2vec2", tmp_path / "alone.pt")

    def test_files_that_are_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(AffuseError, match="--source"):
            create_extractor("audio/wav2vec2")
        with pytest.raises(BadInput, match="nowhere: no such file"):
            create_extractor("audio/wav2vec2", tmp_path / "nowhere")
        with pytest.raises(BadInput, match=r"holds none of model\.safetensors"):
            create_extractor("audio/wav2vec2", tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"x")
        with pytest.raises(BadInput, match="not a safetensors file"):
            create_extractor("audio/wav2vec2", tmp_path)


def test_without_transformers_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save(tmp_path / "w", network())
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AffuseError, match=r'pip install "affuse\[wav2vec2\]"'):
        create_extractor("audio/wav2vec2", source)
