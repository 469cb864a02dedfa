"""Streams of Whisper's encoder: with a small one of random weights, and with the published one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.extractor import Packed
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from tests.faults.sounds import voice, write_wav
from tests.inference.test_live_equal import assert_same_windows


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of an encoder of two layers of 64 values."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("whisper") / "small.safetensors"
    state = WhisperEncoder(80, 64, 2, 200).state_dict()
    save_file({f"model.encoder.{name}": x.contiguous() for name, x in state.items()}, path)
    return path


def extracted(source: Path, path: Path, name: str = "audio/whisper-mine") -> np.ndarray:
    stream = create_extractor(name, source).extract(Clip("a", audio=path))
    assert stream is not None and stream.mask.all()
    return stream.values


@pytest.mark.parametrize("seconds", [0.6, 1.0, 2.5, 7.31])
def test_one_row_every_fiftieth_of_a_second(small: Path, tmp_path: Path, seconds: float) -> None:
    path = write_wav(tmp_path / "a.wav", voice(seconds), 16000)
    values = extracted(small, path)
    assert values.shape == (int(np.ceil(seconds * 50)), 64) and values.dtype == np.float16
    layers = extracted(small, path, "audio/whisper-mine-layers")
    assert layers.shape == (len(values), 3, 64)
    np.testing.assert_array_equal(layers[:, -1], values)


def published(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of an encoder as the published checkpoints name them."""
    names = {
        "layers.": "blocks.",
        "self_attn.q_proj": "attn.query",
        "self_attn.k_proj": "attn.key",
        "self_attn.v_proj": "attn.value",
        "self_attn.out_proj": "attn.out",
        "self_attn_layer_norm": "attn_ln",
        "fc1": "mlp.0",
        "fc2": "mlp.2",
        "final_layer_norm": "mlp_ln",
        "embed_positions.weight": "positional_embedding",
    }
    found = {}
    for name, value in state.items():
        name = re.sub(r"^layer_norm", "ln_post", name.removeprefix("model.encoder."))
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        found[f"encoder.{name}"] = value
    return found


@pytest.mark.parametrize("layout", ["whole", "bare half", "published", "several files", "bin"])
def test_the_same_weights_in_any_file_are_the_same_stream(
    small: Path, tmp_path: Path, layout: str
) -> None:
    state = load_file(small)
    source = tmp_path / "downloaded"
    source.mkdir()
    decoder = {"model.decoder.layer_norm.weight": torch.ones(64)}
    if layout == "whole":
        save_file(state | decoder, source / "model.safetensors")
    elif layout == "bare half":
        bare = {name.removeprefix("model.encoder."): x.half() for name, x in state.items()}
        save_file(bare, source / "model.safetensors")
    elif layout == "published":
        decoder = {"decoder.ln.weight": torch.ones(64)}
        content = {"dims": {"n_mels": 80}, "model_state_dict": published(state) | decoder}
        source = tmp_path / "small.pt"
        torch.save(content, source)
    elif layout == "several files":
        halves = {"a.safetensors": list(state)[::2], "b.safetensors": list(state)[1::2]}
        for file, names in halves.items():
            save_file({name: state[name] for name in names} | decoder, source / file)
        places = {name: file for file, names in halves.items() for name in names}
        index = {"metadata": {}, "weight_map": places}
        (source / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        torch.save(state | decoder, source / "pytorch_model.bin")
    path = write_wav(tmp_path / "a.wav", voice(1.4), 16000)
    np.testing.assert_array_equal(extracted(source, path), extracted(small, path))
    one, other = (create_extractor("audio/whisper-mine", x).spec for x in (source, small))
    assert one == other


def test_weights_of_another_precision_are_rounded(small: Path, tmp_path: Path) -> None:
    state = {name: x.bfloat16() for name, x in load_file(small).items()}
    save_file(state, tmp_path / "b.safetensors")
    path = write_wav(tmp_path / "a.wav", voice(1.4), 16000)
    rounded = extracted(tmp_path / "b.safetensors", path)
    np.testing.assert_allclose(rounded, extracted(small, path), rtol=0, atol=0.1)
    state["model.encoder.conv1.bias"][3] = 1e6
    save_file(state, tmp_path / "b.safetensors")
    with pytest.raises(BadInput, match=r"weight conv1\.bias is not finite in float16"):
        create_extractor("audio/whisper-mine", tmp_path / "b.safetensors")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"model_state_dict": Code(trap)}, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt: holds code"):
        create_extractor("audio/whisper-mine", tmp_path / "x.pt")
    assert not trap.exists()


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no index"),
        ('{"weight_map": []}', "is no index"),
        ('{"weight_map": {"conv1.weight": "../x.safetensors"}}', "outside of its folder"),
        ('{"weight_map": {"conv1.weight": "x.safetensors"}}', "not a safetensors file"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(BadInput, match=reason):
        create_extractor("audio/whisper-mine", tmp_path)


class TestFirstLayers:
    def test_are_those_of_all_layers(self, small: Path, tmp_path: Path) -> None:
        path = write_wav(tmp_path / "a.wav", voice(2.3), 16000)
        every = extracted(small, path, "audio/whisper-mine-layers")
        some = extracted(small, path, "audio/whisper-mine-layers1")
        np.testing.assert_array_equal(some, every[:, :2])
        np.testing.assert_array_equal(
            extracted(small, path, "audio/whisper-mine-layer1"), some[:, 1]
        )

    def test_the_last_one_is_not_normalised(self, small: Path, tmp_path: Path) -> None:
        path = write_wav(tmp_path / "a.wav", voice(1.0), 16000)
        bare = extracted(small, path, "audio/whisper-mine-layer2").astype(np.float32)
        state = load_file(small)
        scale, shift = (state[f"model.encoder.layer_norm.{x}"] for x in ("weight", "bias"))
        normalised = torch.layer_norm(torch.from_numpy(bare), (64,), scale, shift)
        found = extracted(small, path, "audio/whisper-mine")
        np.testing.assert_allclose(found, normalised, rtol=0, atol=0.01)

    def test_later_layers_are_not_kept(self, small: Path, tmp_path: Path) -> None:
        name = "audio/whisper-mine-layers1"
        extractor = create_extractor(name, small)
        assert isinstance(extractor, Packed)
        extractor.write_network(tmp_path / "cut.safetensors")
        assert (tmp_path / "cut.safetensors").stat().st_size == extractor.network_size
        kept = load_file(tmp_path / "cut.safetensors")
        assert {x.dtype for x in kept.values()} == {torch.float16}
        assert not any(x.startswith(("layers.1.", "layer_norm.")) for x in kept)
        again = create_extractor(name, tmp_path / "cut.safetensors")
        assert again.spec == extractor.spec
        path = write_wav(tmp_path / "a.wav", voice(1.0), 16000)
        np.testing.assert_array_equal(
            extracted(tmp_path / "cut.safetensors", path, name), extracted(small, path, name)
        )
        with pytest.raises(BadInput, match="holds 1 of the encoder's layers; 2 are needed"):
            create_extractor("audio/whisper-mine-layer2", tmp_path / "cut.safetensors")
        with pytest.raises(BadInput, match=r"holds no encoder of Whisper .*layer_norm"):
            create_extractor("audio/whisper-mine-layers", tmp_path / "cut.safetensors")


def test_a_row_depends_on_a_second_before_and_after_its_own(small: Path, tmp_path: Path) -> None:
    sound = voice(8.0)
    changed = sound.copy()
    changed[: 16000 * 2] = 0
    changed[16000 * 6 :] *= 0.1
    one, other = (
        extracted(small, write_wav(tmp_path / f"{k}.wav", x, 16000))
        for k, x in enumerate((sound, changed))
    )
    same = (one == other).reshape(len(one), -1).all(1)
    assert same[150:250].all() and not same[:150].any() and not same[250:].any()


@pytest.mark.parametrize("size", [333, 16000, 70001])
def test_rows_do_not_depend_on_how_sound_comes(small: Path, tmp_path: Path, size: int) -> None:
    sound = voice(5.3)
    made = create_extractor("audio/whisper-mine", small)
    assert isinstance(made, LocalExtractor)
    sections = Sections(made.rows, made.spec, made.hop, made.context, made.section)
    rows = []
    for first in range(0, len(sound), size):
        sections.push(sound[first : first + size])
        rows.append(sections.taken())
    sections.finish()
    rows.append(sections.taken())
    expected = extracted(small, write_wav(tmp_path / "a.wav", sound, 16000))
    np.testing.assert_allclose(np.concatenate(rows), expected, rtol=0, atol=0.01)


def test_live_equals_predict(small: Path, tmp_path: Path) -> None:
    extractor = create_extractor("audio/whisper-mine", small)
    network = create_model("audio-only", {extractor.spec.name: extractor.spec}, 3)
    spec = ModelSpec(
        "audio-only", {}, {extractor.spec.name: extractor.spec}, {}, ["a", "b", "c"], window=2.0
    )
    model = tmp_path / "m.safetensors"
    assert isinstance(extractor, Packed)
    kept = tmp_path / "network.safetensors"
    extractor.write_network(kept)
    save_model(model, network, spec, {extractor.digest: kept})
    path = write_wav(tmp_path / "a.wav", voice(6.0), 16000)
    assert_same_windows(path, model, 0.5, 6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conv1.weight": None}, "holds no encoder of Whisper .*conv1.weight"),
        ({"embed_positions.weight": None}, "holds no encoder of Whisper"),
        ({"layers.1.fc1.bias": None}, r"holds no encoder of Whisper .*layers\.1\.fc1\.bias"),
        ({"layer_norm.weight": torch.ones(3)}, "holds no encoder of Whisper .*layer_norm"),
        ({"layers.999999999.fc1.bias": torch.ones(64)}, "no size of Whisper has such weights"),
        ({"conv1.weight": torch.zeros(60, 80, 3)}, "no size of Whisper has such weights"),
    ],
)
def test_other_weights_are_refused(
    small: Path, tmp_path: Path, change: dict[str, torch.Tensor | None], reason: str
) -> None:
    state = {name.removeprefix("model.encoder."): x for name, x in load_file(small).items()}
    for name, value in change.items():
        state.pop(name, None)
        if value is not None:
            state[name] = value
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(BadInput, match=reason):
        create_extractor("audio/whisper-mine", path)


def test_files_that_are_none_and_other_sizes_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        create_extractor("audio/whisper-base", tmp_path / "gone.safetensors")
    with pytest.raises(BadInput, match=r"holds none of model\.safetensors"):
        create_extractor("audio/whisper-base", tmp_path)
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(BadInput, match="not a safetensors file"):
        create_extractor("audio/whisper-base", tmp_path / "text.safetensors")
    with pytest.raises(BadInput, match="2 layers of 64 values; audio/whisper-base has 6 of 512"):
        create_extractor("audio/whisper-base", small)


def test_the_published_encoder(shared_data: Path) -> None:
    source = shared_data / "whisper" / "whisper-base-encoder.safetensors"
    if not source.is_file():
        pytest.skip("the weights of Whisper base are not here")
    path = sorted((shared_data / "ravdess_speech" / "Actor_01").glob("*.flac"))[0]
    values = extracted(source, path, "audio/whisper-base-layers")
    assert values.shape[1:] == (7, 512) and np.isfinite(values).all()
    moved = np.abs(np.diff(values[:, -1].astype(np.float32), axis=0)).mean(1)
    assert 0.1 < moved.mean() < 1.0  # neighbouring rows are alike, across the edges of pieces too
    assert moved[[49, 99]].max() < 3 * np.median(moved)
