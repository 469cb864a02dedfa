"""Layers of wav2vec 2.0, HuBERT and WavLM: those of transformers, the same in any recording."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.extractor import Packed
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from tests.faults.sounds import voice, write_wav
from tests.inference.test_live_equal import assert_same_windows

transformers = pytest.importorskip("transformers")

FAMILIES = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
#: The two kinds that were published.
KINDS: dict[str, dict[str, Any]] = {
    "base": {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False},
    "large": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}
EVERY = [(family, kind) for family in FAMILIES for kind in KINDS]


def network(family: str, kind: str = "base", **changes: Any) -> Any:
    """A small network with the real strides, of weights that float16 holds."""
    torch.manual_seed(0)
    config = getattr(transformers, FAMILIES[family] + "Config")
    model = getattr(transformers, FAMILIES[family] + "Model")
    made = model(config(**TINY | KINDS[kind] | changes)).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.copy_(value.half())
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Folders as transformers writes them."""
    folders = {}
    for family, kind in EVERY:
        folder = tmp_path_factory.mktemp(f"{family}-{kind}")
        network(family, kind).save_pretrained(folder)
        folders[family, kind] = folder
    return folders


def extracted(source: Path, path: Path, name: str) -> np.ndarray:
    stream = create_extractor(name, source).extract(Clip("a", audio=path))
    assert stream is not None and stream.mask.all() and stream.values.dtype == np.float16
    return stream.values


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_values_are_those_of_transformers(
    saved: dict[tuple[str, str], Path], tmp_path: Path, family: str, kind: str
) -> None:
    sound = voice(1.5)
    path = write_wav(tmp_path / "a.wav", sound, 16000)
    with torch.inference_mode():
        x = torch.from_numpy(sound)[None]
        if kind == "large":
            x = (x - x.mean()) / (x.var(correction=0) + 1e-7).sqrt()
        x = torch.nn.functional.pad(x, (0, 80))
        made = network(family, kind)(x, output_hidden_states=True)
    found = extracted(saved[family, kind], path, f"audio/{family}-mine-layers")
    assert found.shape == (75, 3, 32)
    # versions of transformers differ in whether the last of them is normalised
    expected = torch.stack([*made.hidden_states[:-1], made.last_hidden_state], 2)[0]
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
    last = extracted(saved[family, kind], path, f"audio/{family}-mine")
    np.testing.assert_array_equal(last, found[:, -1])
    assert expected[:, -1].std() > 0.1


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_a_row_depends_on_a_second_before_and_after_its_own(
    saved: dict[tuple[str, str], Path], tmp_path: Path, family: str, kind: str
) -> None:
    sound = voice(6.0)
    changed = sound.copy()
    changed[: 16000 * 1] = 0
    changed[16000 * 5 :] *= 0.1
    name = f"audio/{family}-mine"
    one, other = (
        extracted(saved[family, kind], write_wav(tmp_path / f"{k}.wav", x, 16000), name)
        for k, x in enumerate((sound, changed))
    )
    assert one.shape == (300, 32)
    same = (one == other).all(1)
    assert same[100:200].all() and not same[:100].all() and not same[200:].all()


@pytest.mark.parametrize("size", [333, 16000, 70001])
def test_rows_do_not_depend_on_how_sound_comes(
    saved: dict[tuple[str, str], Path], tmp_path: Path, size: int
) -> None:
    sound = voice(4.3)
    made = create_extractor("audio/wavlm-mine", saved["wavlm", "large"])
    assert isinstance(made, LocalExtractor)
    sections = Sections(made.rows, made.spec, made.hop, made.context, made.section)
    for first in range(0, len(sound), size):
        sections.push(sound[first : first + size])
    sections.finish()
    path = write_wav(tmp_path / "a.wav", sound, 16000)
    expected = extracted(saved["wavlm", "large"], path, "audio/wavlm-mine")
    np.testing.assert_allclose(sections.taken(), expected, rtol=0, atol=0.01)


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_a_model_file_holds_what_the_stream_needs(
    saved: dict[tuple[str, str], Path], tmp_path: Path, family: str, kind: str
) -> None:
    source, name = saved[family, kind], f"audio/{family}-mine-layers1"
    extractor = create_extractor(name, source)
    assert isinstance(extractor, Packed)
    extractor.write_network(tmp_path / "network.safetensors")
    held = load_file(tmp_path / "network.safetensors")
    assert {x.dtype for x in held.values()} == {torch.float16}
    assert not any(".layers.1." in entry for entry in held)
    again = create_extractor(name, tmp_path / "network.safetensors")
    assert again.spec == extractor.spec
    path = write_wav(tmp_path / "a.wav", voice(1.0), 16000)
    found = extracted(tmp_path / "network.safetensors", path, name)
    np.testing.assert_array_equal(found, extracted(source, path, name))
    every = extracted(source, path, f"audio/{family}-mine-layers")
    np.testing.assert_array_equal(found, every[:, :2])
    one = extracted(source, path, f"audio/{family}-mine-layer1")
    np.testing.assert_array_equal(one, every[:, 1])


def test_live_equals_predict(saved: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    extractor = create_extractor("audio/hubert-mine", saved["hubert", "large"])
    assert isinstance(extractor, Packed)
    network = create_model("audio-only", {extractor.spec.name: extractor.spec}, 3)
    spec = ModelSpec(
        "audio-only", {}, {extractor.spec.name: extractor.spec}, {}, ["a", "b", "c"], window=2.0
    )
    model, kept = tmp_path / "m.safetensors", tmp_path / "network.safetensors"
    extractor.write_network(kept)
    save_model(model, network, spec, {extractor.digest: kept})
    path = write_wav(tmp_path / "a.wav", voice(5.0), 16000)
    assert_same_windows(path, model, 0.5, 5)


def test_other_layouts_of_the_weights_say_the_same(
    saved: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    from tests.models.frozen.test_wav2vec2 import old_names

    name, source = "audio/wavlm-mine", saved["wavlm", "base"]
    state = old_names(load_file(source / "model.safetensors"))
    (tmp_path / "config.json").write_bytes((source / "config.json").read_bytes())
    whole = {f"wavlm.{entry}": x for entry, x in state.items()} | {"lm_head.bias": torch.ones(3)}
    torch.save(whole, tmp_path / "pytorch_model.bin")
    assert create_extractor(name, tmp_path).spec == create_extractor(name, source).spec


@pytest.mark.parametrize(("told", "scaled"), [(True, True), (False, False), (None, False)])
def test_sound_is_normalised_as_the_preprocessor_says(
    saved: dict[tuple[str, str], Path], tmp_path: Path, told: bool | None, scaled: bool
) -> None:
    source = tmp_path / "w"
    source.mkdir()
    for name in ("config.json", "model.safetensors"):
        (source / name).write_bytes((saved["hubert", "base"] / name).read_bytes())
    if told is not None:
        (source / "preprocessor_config.json").write_text(json.dumps({"do_normalize": told}))
    sound = voice(1.0)
    with torch.inference_mode():
        x = torch.from_numpy(sound)[None]
        x = (x - x.mean()) / (x.var(correction=0) + 1e-7).sqrt() if scaled else x
        x = torch.nn.functional.pad(x, (0, 80))
        expected = network("hubert")(x).last_hidden_state[0]
    path = write_wav(tmp_path / "a.wav", sound, 16000)
    found = extracted(source, path, "audio/hubert-mine")
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


class TestWhatIsRefused:
    def test_a_network_of_another_family(self, saved: dict[tuple[str, str], Path]) -> None:
        with pytest.raises(BadInput, match=r"config\.json: does not describe a plain WavLM"):
            create_extractor("audio/wavlm-mine", saved["hubert", "base"])

    def test_weights_without_a_description(
        self, saved: dict[tuple[str, str], Path], tmp_path: Path
    ) -> None:
        weights = tmp_path / "model.safetensors"
        weights.write_bytes((saved["hubert", "base"] / "model.safetensors").read_bytes())
        with pytest.raises(BadInput, match=r"config\.json: is missing"):
            create_extractor("audio/hubert-mine", weights)
        with pytest.raises(BadInput, match=r"holds none of model\.safetensors"):
            create_extractor("audio/hubert-mine", tmp_path.parent)

    def test_fewer_layers_than_are_wanted(self, saved: dict[tuple[str, str], Path]) -> None:
        with pytest.raises(BadInput, match="holds 2 of the encoder's layers; 3 are needed"):
            create_extractor("audio/hubert-mine-layers3", saved["hubert", "base"])

    def test_a_description_that_does_not_fit(
        self, saved: dict[tuple[str, str], Path], tmp_path: Path
    ) -> None:
        config = json.loads((saved["wavlm", "base"] / "config.json").read_text())
        weights = (saved["wavlm", "base"] / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(weights)
        for change, reason in (
            ({"hidden_size": 64}, "holds no such WavLM network"),
            ({"num_hidden_layers": 10**9}, "holds 2 of the encoder's layers"),
            ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "other frames"),
            ({"hidden_act": "none such"}, "is not the description"),
        ):
            (tmp_path / "config.json").write_text(json.dumps(config | change))
            with pytest.raises(BadInput, match=reason):
                create_extractor("audio/wavlm-mine", tmp_path)

    def test_a_description_of_many_layers_with_one_entry(
        self, saved: dict[tuple[str, str], Path], tmp_path: Path
    ) -> None:
        config = json.loads((saved["wavlm", "base"] / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10**9}))
        state = load_file(saved["wavlm", "base"] / "model.safetensors")
        state[f"encoder.layers.{10**9 - 1}.x"] = torch.ones(1)
        save_file(state, tmp_path / "model.safetensors")
        with pytest.raises(BadInput, match="holds 3 of the encoder's layers"):
            create_extractor("audio/wavlm-mine", tmp_path)

    def test_without_transformers(
        self, saved: dict[tuple[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(AffuseError, match=r'wavlm\* needs transformers.*"affuse\[wav'):
            create_extractor("audio/wavlm-mine", saved["wavlm", "base"])
