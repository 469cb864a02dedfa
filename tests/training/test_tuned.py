"""Layers of a Whisper encoder that learn with the rest of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.commands import run
from tests.faults.sounds import voice, write_wav
from tests.toy import CLASSES, toy_recipe

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.inference.predictor import Predictor
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.frontends.registry import build_frontend
from affuse.models.modelfile import load_model
from affuse.tasks.timeline import Timeline
from affuse.training.learner import Learner

NAME = "audio/whisper-mine-layers1"
MODEL = {
    "name": "audio-only",
    "audio": {"name": "layers", "joined": "side-by-side", "stride": 5, "tuned": 2},
    "pooling": "statistics",
}
#: One voice says all.
ALLOW = ("--allow", "near-audio")
OPTIMISER = {"name": "adamw", "lr": 0.02, "backbone_lr": 1e-3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen clips through the first layer of an encoder of three; not to write."""
    folder = tmp_path_factory.mktemp("tuned")
    torch.manual_seed(0)
    state = WhisperEncoder(80, 64, 3, 200).state_dict()
    save_file({name: x.contiguous() for name, x in state.items()}, folder / "w.safetensors")
    clips = []
    for k in range(16):
        sound = voice(1.0 + 0.05 * k) * (0.2 if k % 2 else 1.0)
        path = write_wav(folder / f"{k:03d}.wav", np.roll(sound, 997 * k), 16000)
        clips.append(Clip(f"{k:03d}", speaker=f"s{k % 4}", label=CLASSES[k % 2], audio=path))
    extractor = create_extractor(NAME, folder / "w.safetensors")
    prepare(Corpus("folder", folder, clips, CLASSES, "none"), folder / "store", [extractor])
    lines = ["clip,speaker,fold0"]
    lines += [f"{c.id},{c.speaker},{'train' if c.speaker < 's2' else 'test'}" for c in clips]
    (folder / "protocol.csv").write_text("\n".join(lines) + "\n")
    return folder


def recipe(folder: Path, out: Path, **changes: Any) -> Path:
    """A recipe file in a folder of its own."""
    values: dict[str, Any] = {
        "streams": [NAME],
        "model": MODEL,
        "normalisation": "published",
        "selection": "last",
        "optimiser": OPTIMISER,
        "epochs": 2,
        "backbone": str(folder / "w.safetensors"),
        "protocol": str(folder / "protocol.csv"),
    }
    out.mkdir(exist_ok=True)
    return toy_recipe(out, **(values | changes))


def trained(folder: Path, out: Path, *words: str, **changes: Any) -> Path:
    path = recipe(folder, out, **changes)
    words = ("--store", str(folder / "store"), "--out", str(out / "run"), *ALLOW, *words)
    assert run("train", path, *words) == 0
    return out / "run/fold0/model.safetensors"


def test_it_begins_as_the_layers_of_the_encoder(folder: Path, tmp_path: Path) -> None:
    """Of a second of sound nothing lies around what the stream and the layers are given."""
    path = write_wav(tmp_path / "a.wav", voice(1.0), 16000)
    source = folder / "w.safetensors"
    whole, cut = (
        create_extractor(f"audio/whisper-mine-layers{n}", source).extract(Clip("a", audio=path))
        for n in (3, 1)
    )
    assert whole is not None and cut is not None
    file = trained(folder, tmp_path / "t", optimiser=OPTIMISER | {"backbone_lr": 0.0})
    front = load_model(file)[0].audio.frontend.stage1
    with torch.no_grad():
        values = torch.from_numpy(cut.values).float()[None]
        mask = torch.ones(1, 50, dtype=torch.bool)
        found = front._followed(values, mask)[0].numpy()
    np.testing.assert_allclose(found[:, 2], whole.values[:, 2], atol=0.02)
    # the published stream of the last layer is not normalised where it is cut, as here
    np.testing.assert_allclose(found[:, 3], whole.values[:, 3], atol=0.02)
    state, own = load_file(file), load_file(source)
    for layer in (0, 1):
        for name, value in state.items():
            prefix = f"audio.frontend.stage1.tuned.{layer}."
            if name.startswith(prefix):
                given = own[f"layers.{layer + 1}.{name.removeprefix(prefix)}"]
                torch.testing.assert_close(value, given.half().float(), rtol=0, atol=0)


def test_they_learn_and_the_stream_below_stays(folder: Path, tmp_path: Path) -> None:
    one, other = (trained(folder, tmp_path / name) for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes(), "two runs of one seed"
    state, own = load_file(one), load_file(folder / "w.safetensors")
    moved = state["audio.frontend.stage1.tuned.0.fc1.weight"] - own["layers.1.fc1.weight"]
    assert 1e-4 < moved.abs().max() < 0.1
    spec = load_model(one)[1]
    stream = Store(folder / "store").stream(NAME).spec
    assert spec.streams[NAME].recipe["weights"] == stream.recipe["weights"]
    assert "backbone w.safetensors: MIT" in spec.training["licence"]


def test_an_interrupted_training_ends_in_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(folder, tmp_path / "whole", epochs=3)
    path, end = recipe(folder, tmp_path / "cut", epochs=3), Learner.on_train_epoch_start

    def killed(learner: Learner) -> None:
        if learner.current_epoch == 2:
            raise KeyboardInterrupt
        end(learner)

    out = tmp_path / "cut/run"
    words = ("--store", str(folder / "store"), "--out", str(out), *ALLOW)
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "on_train_epoch_start", killed)
        assert run("train", path, *words) != 0
    assert not (out / "fold0/model.safetensors").exists()
    assert run("train", path, *words, "--resume") == 0
    assert (out / "fold0/model.safetensors").read_bytes() == whole.read_bytes()


def test_evaluate_and_predict_say_the_same(folder: Path, tmp_path: Path) -> None:
    file = trained(folder, tmp_path / "t")
    assert run("evaluate", tmp_path / "t/run") == 0
    rows = pd.read_csv(tmp_path / "t/run/evaluation/predictions.csv", dtype={"clip": str})
    predictor = Predictor(file)
    for row in rows.to_dict("records")[:3]:
        timeline = predictor.predict(folder / f"{row['clip']}.wav", thumbnails=False)
        assert isinstance(timeline, Timeline)
        shares = [row[f"p_{name}"] for name in predictor.spec.outputs]
        np.testing.assert_allclose(timeline.overall, shares, atol=2e-3)


def test_init_must_give_the_layers_or_backbone_does(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights of a model without them leave them random; a layer less is no better."""
    audio = {**MODEL["audio"], "joined": "mean"}
    model = {**MODEL, "audio": audio}
    plain = {**MODEL, "audio": {**audio, "tuned": 0}}
    alone = {"optimiser": {"name": "adamw"}, "backbone": ""}
    before = trained(folder, tmp_path / "plain", model=plain, **alone)
    tuned = trained(folder, tmp_path / "tuned", model=model)
    fewer = {**MODEL, "audio": {**audio, "tuned": 1}}
    one = trained(folder, tmp_path / "one", model=fewer)
    words = ("--store", str(folder / "store"), *ALLOW, "--out", str(tmp_path / "run"))
    for number, (init, parts) in enumerate(
        [(before, []), (tuned, ["audio.classifier"]), (one, [])]
    ):
        changes = {"model": model, "backbone": "", "init": str(init), "init_parts": parts}
        path = recipe(folder, tmp_path / f"refused{number}", **changes)
        capsys.readouterr()
        assert run("train", path, *words) == 2
        assert f"set backbone to the weights that {NAME}" in capsys.readouterr().err
    given = load_file(tuned)
    still = {"model": model, "optimiser": OPTIMISER | {"backbone_lr": 0.0}, "init": str(tuned)}
    state = load_file(trained(folder, tmp_path / "given", **still, backbone=""))
    name = "audio.frontend.stage1.tuned.1.fc1.weight"
    assert torch.equal(state[name], given[name])
    trained(folder, tmp_path / "both", model=model, init=str(before))


def test_what_lies_beyond_a_clip_is_not_seen() -> None:
    spec = create_spec()
    torch.manual_seed(0)
    front = build_frontend(spec, MODEL["audio"]).eval()
    x, mask = torch.randn(2, 60, 2, 64), torch.ones(2, 60, dtype=torch.bool)
    mask[0, 40:] = False
    x[1, 40:] = 0
    mask[1] = False
    with torch.no_grad():
        both, there = front(x, mask)
        alone, _ = front(x[:1, :40], mask[:1, :40])
        x[0, 40:] = 9.0
        again, _ = front(x, mask)
    torch.testing.assert_close(both[:1, :8], alone)
    torch.testing.assert_close(again[0, :8], both[0, :8])
    assert both.isfinite().all() and both[1].eq(0).all() and not there[1].any()


def create_spec(**recipe: Any) -> Any:
    from affuse.features.stream import StreamSpec

    return StreamSpec(NAME, 50.0, (2, 64), "float16", {"extractor": "whisper", **recipe})


def test_other_networks_are_refused() -> None:
    for extractor in ("wav2vec2", "mfcc"):
        with pytest.raises(AffuseError, match="no stream of Whisper's layers"):
            build_frontend(create_spec(extractor=extractor), MODEL["audio"])
    with pytest.raises(AffuseError, match="expected 0 or more"):
        build_frontend(create_spec(), MODEL["audio"] | {"tuned": -1})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"normalisation": "standard"}, "set normalisation=published"),
        ({"normalisation": "speaker"}, "set normalisation=published"),
        ({"backbone": ""}, f"set backbone to the weights that {NAME} was prepared with"),
        ({"backbone": "other"}, f"is not what {NAME} was computed with"),
        ({"model": {**MODEL, "audio": {**MODEL["audio"], "tuned": 3}}}, "holds 3 of the encoder"),
        (
            {"model": {**MODEL, "audio": {**MODEL["audio"], "tuned": 0}}, "backbone": ""},
            "no part of the model is a backbone",
        ),
        ({"optimiser": OPTIMISER | {"backbone_lr": -1.0}}, "backbone_lr must not be negative"),
        ({"optimiser": OPTIMISER | {"schedule": "plateau"}, "selection": "best"}, "backbone_lr"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    said: str,
) -> None:
    if changes.get("backbone") == "other":
        torch.manual_seed(1)
        state = WhisperEncoder(80, 64, 3, 200).state_dict()
        changes = {"backbone": str(tmp_path / "other.safetensors")}
        save_file({name: x.contiguous() for name, x in state.items()}, changes["backbone"])
    path = recipe(folder, tmp_path / "t", **changes)
    words = ("--store", str(folder / "store"), "--out", str(tmp_path / "run"), *ALLOW)
    assert run("train", path, *words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("affuse train: ") and said in line for line in lines), lines
