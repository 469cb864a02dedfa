"""Streams of Whisper's encoder: with a small one of random weights, and with the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.catalogue import create_extractor
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


def test_the_whole_network_and_its_encoder_give_the_same(small: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    state = load_file(small)
    folder = tmp_path / "downloaded"
    folder.mkdir()
    decoder = {"model.decoder.layer_norm.weight": torch.ones(64)}
    save_file(state | decoder, folder / "model.safetensors")
    bare = {name.removeprefix("model.encoder."): x.half() for name, x in state.items()}
    save_file(bare, tmp_path / "bare.safetensors")
    path = write_wav(tmp_path / "a.wav", voice(1.4), 16000)
    expected = extracted(small, path)
    np.testing.assert_array_equal(extracted(folder, path), expected)
    np.testing.assert_allclose(
        extracted(tmp_path / "bare.safetensors", path), expected, rtol=0, atol=0.02
    )


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
    save_model(model, network, spec, {extractor.spec.recipe["weights"]: small})
    path = write_wav(tmp_path / "a.wav", voice(6.0), 16000)
    assert_same_windows(path, model, 0.5, 6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conv1.weight": None}, "holds no encoder of Whisper .*conv1.weight"),
        ({"embed_positions.weight": None}, "holds no encoder of Whisper"),
        ({"layers.1.fc1.bias": None}, r"holds no encoder of Whisper .*layers\.1\.fc1\.bias"),
        ({"layer_norm.weight": torch.ones(3)}, "holds no encoder of Whisper .*layer_norm"),
        ({"conv1.weight": torch.zeros(60, 80, 3)}, "no size of Whisper has such weights"),
    ],
)
def test_other_weights_are_refused(
    small: Path, tmp_path: Path, change: dict[str, torch.Tensor | None], reason: str
) -> None:
    from safetensors.torch import load_file

    state = {name.removeprefix("model.encoder."): x for name, x in load_file(small).items()}
    for name, value in change.items():
        del state[name]
        if value is not None:
            state[name] = value
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    with pytest.raises(BadInput, match=reason):
        create_extractor("audio/whisper-mine", path)


def test_files_that_are_none_and_other_sizes_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        create_extractor("audio/whisper-base", tmp_path / "gone.safetensors")
    with pytest.raises(BadInput, match="no such file"):
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
