"""Models calibrated on development clips: what comes of it, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.toy import timed_store, toy_recipe, toy_store

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.inference.sliding import slide
from affuse.metrics.scaling import Scaling, scaled
from affuse.models.modelfile import KEY, load_model, read_spec
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

MASKS = ["av", "audio", "video"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 20 speakers and a run of two folds, evaluated; not to be written to."""
    folder = tmp_path_factory.mktemp("calibrate")
    toy_store(folder, clips=320, speakers=20)
    path = toy_recipe(folder, epochs=3, selection="last", dropout={"kind": "drop"})
    list(train(load_recipe(path), folder / "store", folder / "run"))
    evaluate(folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def calibrated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run calibrated and evaluated; not to be written to."""
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(trained / "run", folder)
    assert main(["calibrate", str(folder)]) == 0
    evaluate(folder)
    return folder


def scores(run: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((run / "evaluation/metrics.json").read_text())[
        "conditions"
    ]
    return found


def test_every_fold_has_masks_of_its_own_development_clips_and_the_same_weights(
    trained: Path, calibrated: Path
) -> None:
    for fold in ("fold0", "fold1"):
        spec = read_spec(calibrated / fold / "model.safetensors")
        split = json.loads((calibrated / fold / "split.json").read_text())
        assert spec.calibration is not None and [*spec.calibration.masks] == MASKS
        assert spec.calibration.coverage == 0.9
        for mask in spec.calibration.masks.values():
            assert (mask.clips, mask.speakers) == (len(split["development"]), 5)
        before, after = (
            load_file(folder / fold / "model.safetensors")
            for folder in (trained / "run", calibrated)
        )
        assert all(torch.equal(before[name], after[name]) for name in before | after)
        with safe_open(calibrated / fold / "model.safetensors", "pt") as file:
            assert json.loads(file.metadata()[KEY])["format"] == 4, "earlier versions refuse it"


def test_probabilities_of_new_speakers_are_likelier_and_sets_hold_their_classes(
    trained: Path, calibrated: Path
) -> None:
    for name, after in scores(calibrated).items():
        before = scores(trained / "run")[name]
        assert after["nll"] < before["nll"], name
        sets = after["sets"]
        assert isinstance(sets, dict) and sets["clips"] == 160
        assert sets["coverage"] >= 0.82 and 1 <= sets["size"] <= 3


def test_the_table_names_what_is_not_ruled_out(calibrated: Path) -> None:
    table = pd.read_csv(calibrated / "evaluation/predictions.csv")
    names = [name.removeprefix("p_") for name in map(str, table) if name.startswith("p_")]
    for _, row in table.iterrows():
        spec = read_spec(calibrated / f"fold{row['fold']}/model.safetensors")
        assert spec.calibration is not None
        limit = spec.calibration.masks[row["condition"]].thresholds[0]
        assert limit is not None
        left = {n for n in names if 1 - row[f"p_{n}"] <= limit + 2e-6} | {row["predicted"]}
        assert set(row["not_ruled_out"].split("|")) == left
        assert row["not_ruled_out"].split("|")[0] == row["predicted"]
    for condition, facts in scores(calibrated).items():
        part = table[table["condition"] == condition]
        held = [
            label in cell.split("|")
            for label, cell in zip(part["label"], part["not_ruled_out"], strict=True)
        ]
        assert facts["sets"]["coverage"] == np.mean(held)
    assert main(["evaluate", str(calibrated / "evaluation/predictions.csv")]) == 0


def test_calibrating_again_gives_the_same_bytes(calibrated: Path, tmp_path: Path) -> None:
    again = tmp_path / "run"
    shutil.copytree(calibrated, again)
    assert main(["calibrate", str(again)]) == 0
    for fold in ("fold0", "fold1"):
        first, second = (x / fold / "model.safetensors" for x in (calibrated, again))
        assert first.read_bytes() == second.read_bytes()


def test_test_clips_change_nothing(calibrated: Path, run: Path) -> None:
    for fold in ("fold0", "fold1"):
        path = run / fold / "split.json"
        split = json.loads(path.read_text())
        path.write_text(json.dumps(split | {"test": []}))
    assert main(["calibrate", str(run)]) == 0
    for fold in ("fold0", "fold1"):
        own, other = (read_spec(x / fold / "model.safetensors") for x in (calibrated, run))
        assert own.calibration == other.calibration


def test_development_scores_say_that_they_are_too_good(calibrated: Path, tmp_path: Path) -> None:
    found = evaluate(calibrated, ["av"], role="development", out=tmp_path)
    assert "chose the calibration" in found["warnings"][0]


def test_one_model_file_is_calibrated_into_another(
    trained: Path, calibrated: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = run / "fold1/model.safetensors", tmp_path / "out.safetensors"
    before = file.read_bytes()
    words = ["--store", str(trained / "store"), "--protocol", str(trained / "protocol.csv")]
    assert main(["calibrate", str(file), *words, "--out", str(out)]) == 0
    assert file.read_bytes() == before
    assert read_spec(out) == read_spec(calibrated / "fold1/model.safetensors")
    assert capsys.readouterr().err == ""
    other = run / "fold0/model.safetensors"
    assert main(["calibrate", str(other), *words, "--fold", "1"]) == 2
    assert "has learned from 80 of the 80 development clips" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_windows_are_scaled_by_what_is_present_in_them(trained: Path, calibrated: Path) -> None:
    model, plain = load_model(trained / "run/fold0/model.safetensors")
    spec = replace(plain, calibration=read_spec(calibrated / "fold0/model.safetensors").calibration)
    assert spec.calibration is not None
    data = Store(trained / "store")
    for mask, name in (("audio", "audio/mfcc10"), ("video", "video/openface"), ("av", "")):
        streams = {n: data.stream(n)["003"] for n in spec.streams}
        for other in {n for n in streams if name not in (n, "")}:
            streams[other] = Stream.absent(spec.streams[other], 1.0)
        before, after = (slide(model, own, streams, 1.0).probabilities for own in (plain, spec))
        own = spec.calibration.masks[mask]
        expected = scaled(np.log(before), Scaling(own.temperature, np.array(own.bias or 0.0)))
        np.testing.assert_allclose(after, expected, atol=1e-5)
        assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 3},
        {"calibration": {"coverage": 0.9}},
        {"calibration": {"coverage": 9, "masks": {}}},
        {"calibration": {"coverage": 0.9, "masks": {"smell": {}}}},
        {"temperature": 0.0},
        {"temperature": float("inf")},
        {"bias": [1.0]},
        {"thresholds": []},
        {"thresholds": [-1.0]},
        {"clips": "many"},
    ],
    ids=str,
)
def test_a_damaged_calibration_is_one_line(
    calibrated: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    source, path = calibrated / "fold0/model.safetensors", tmp_path / "model.safetensors"
    with safe_open(source, "pt") as file:
        told = json.loads(file.metadata()[KEY])
    inner = told["calibration"]["masks"]["audio"]
    (inner if {*changes} <= {*inner} else told).update(changes)
    save_file(load_file(source), path, {KEY: json.dumps(told)})
    with pytest.raises(BadInput, match="description is damaged"):
        read_spec(path)


@pytest.mark.slow
def test_coverage_is_what_was_asked_for(run: Path) -> None:
    assert main(["calibrate", str(run), "--coverage", "0.6"]) == 0
    evaluate(run, ["video"])
    result = json.loads((run / "evaluation/metrics.json").read_text())
    assert result["coverage"] == [0.6]
    assert 0.45 <= result["conditions"]["video"]["sets"]["coverage"] <= 0.75


def test_few_speakers_get_probabilities_but_no_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_store(tmp_path)  # two development speakers
    path = toy_recipe(tmp_path, epochs=1)
    list(train(load_recipe(path), tmp_path / "store", tmp_path / "run", [0]))
    assert main(["calibrate", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    assert "too few speakers" in said.out and "chose the epoch" in said.err
    spec = read_spec(tmp_path / "run/fold0/model.safetensors")
    assert spec.calibration is not None
    assert all(mask.thresholds == [None] for mask in spec.calibration.masks.values())
    assert "sets" not in evaluate(tmp_path / "run", ["av"])["conditions"]["av"]


def test_bands_of_valence_and_arousal_hold_new_speakers(tmp_path: Path) -> None:
    timed_store(tmp_path)
    roles = ["train", *["development"] * 5, "test", "test"]
    lines = ["clip,speaker,fold0", *(f"{k},s{k},{role}" for k, role in enumerate(roles))]
    (tmp_path / "protocol.csv").write_text("\n".join(lines) + "\n")
    model = {"name": "late", "head": "frames"}
    recipe = toy_recipe(
        tmp_path, task="valence-arousal", model=model, epochs=1, window=4.0, selection="last"
    )
    list(train(load_recipe(recipe), tmp_path / "store", tmp_path / "run"))
    plain = evaluate(tmp_path / "run", ["av"])["conditions"]["av"]
    assert main(["calibrate", str(tmp_path / "run")]) == 0
    spec = read_spec(tmp_path / "run/fold0/model.safetensors")
    assert spec.calibration is not None
    assert all(x is not None and x > 0 for x in spec.calibration.masks["av"].thresholds)
    after = evaluate(tmp_path / "run", ["av"])["conditions"]["av"]
    bands = after.pop("bands")
    assert after == plain, "values stay as they are"
    assert {*bands} == {"valence", "arousal"}
    assert all(x["coverage"] > 0.7 for x in bands.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fold0/model.safetensors"], "say whose development clips calibrate it: --protocol"),
        (["", "--out", "one.safetensors"], "has 2 folds; --out is for one model"),
        (["", "--coverage", "90"], "coverage is 90; expected 0.5 to 0.99"),
        (["nothing"], "is not a run"),
        (["", "--protocol", "x"], "--protocol is for model files"),
    ],
)
def test_bad_input_is_one_line(
    run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(run / words[0]), *words[1:]]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_run_without_development_clips_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "fold0/model.safetensors").read_bytes()
    for fold in ("fold0", "fold1"):
        path = run / fold / "split.json"
        split = json.loads(path.read_text())
        path.write_text(json.dumps(split | {"development": []}))
    assert main(["calibrate", str(run)]) == 2
    said = capsys.readouterr().err
    assert "has no development clips" in said and said.count("\n") == 1
    assert (run / "fold0/model.safetensors").read_bytes() == before
