"""A model trained on features of a small network brings that network along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.predictions import values_of

from affuse.cli.main import main
from affuse.corpora.registry import read_corpus
from affuse.features import prepare as preparing
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare
from affuse.inference.predictor import Predictor
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.modelfile import load_model
from affuse.tasks.values import ValuesTimeline

FACE = "video/frozen-face"


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers of 64 values, in float32, with a decoder beside it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("whisper") / "small.safetensors"
    state = WhisperEncoder(80, 64, 2, 200).state_dict()
    whole = {f"model.encoder.{name}": x.contiguous() for name, x in state.items()}
    save_file(whole | {"model.decoder.x": torch.zeros(100_000)}, path)
    return path


def trained(folder: Path, run: Path) -> Path:
    """A model on features of the faces network of another run."""
    corpus = read_corpus("affwild2", run / "synthetic")
    extractor = create_extractor(FACE, run / "run/fold0/model.safetensors")
    prepare(corpus, folder / "store", [extractor])
    words = ["train", "affwild2-compact", "model.name=leader-follower-visual", f"streams=[{FACE}]"]
    words += [f"protocol={run / 'split.csv'}", "epochs=1", "window=3", "hop=2", "fold=0"]
    assert main([*words, "--store", str(folder / "store"), "--out", str(folder / "run")]) == 0
    return folder / "run/fold0/model.safetensors"


def test_prediction_needs_the_model_file_alone(affwild2_run: Path, tmp_path: Path) -> None:
    model = trained(tmp_path, affwild2_run)
    recording = next((affwild2_run / "synthetic/videos").glob("*.mp4"))
    alone = values_of(recording, model)
    source = {FACE: affwild2_run / "run/fold0/model.safetensors"}
    told = Predictor(model, source=source).predict(recording)
    assert isinstance(told, ValuesTimeline)
    np.testing.assert_array_equal(alone.values, told.values)
    assert alone.known.any()
    network, spec = load_model(model)
    digest = spec.streams[FACE].recipe["weights"]
    kept = tmp_path / "store/networks" / f"{digest}.safetensors"
    assert kept.read_bytes() == source[FACE].read_bytes()
    assert all("frozen." not in name for name in network.state_dict())


def test_of_an_encoder_what_the_stream_needs_is_kept(
    affwild2_run: Path, whisper: Path, tmp_path: Path
) -> None:
    name = "audio/whisper-mine-layers1"
    recording = next((affwild2_run / "synthetic/videos").glob("*.mp4"))
    corpus = read_corpus("affwild2", affwild2_run / "synthetic")
    prepare(corpus, tmp_path / "store", [create_extractor(name, whisper)])
    (kept,) = (tmp_path / "store/networks").iterdir()
    assert kept.stat().st_size < whisper.stat().st_size / 4, "one layer of two, in half the bits"
    words = [
        "train",
        "affwild2-voice",
        f"streams=[{name}]",
        f"protocol={affwild2_run / 'split.csv'}",
    ]
    words += [
        "augmentation.gain=0",
        "augmentation.frequency_masks=[]",
        "augmentation.time_masks=[]",
    ]
    words += ["model.audio={name: layers, width: 8}", "epochs=1", "fold=0"]
    assert main([*words, "--store", str(tmp_path / "store"), "--out", str(tmp_path / "run")]) == 0
    model = tmp_path / "run/fold0/model.safetensors"
    alone = values_of(recording, model)
    told = Predictor(model, source={name: whisper}).predict(recording)
    assert isinstance(told, ValuesTimeline) and alone.known.any()
    np.testing.assert_array_equal(alone.values, told.values)


@pytest.mark.slow
def test_a_large_network_stays_outside(
    affwild2_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(preparing, "LARGEST_KEPT", 1000)
    model = trained(tmp_path, affwild2_run)
    assert not (tmp_path / "store/networks").exists()
    recording = next((affwild2_run / "synthetic/videos").glob("*.mp4"))
    words = ["predict", str(recording), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert (
        "does not hold the network of stream video/frozen-face; say where it is: --source"
        in capsys.readouterr().err
    )
    assert main([*words, "--source", str(affwild2_run / "run/fold0/model.safetensors")]) == 0
