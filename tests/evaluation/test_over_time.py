"""A run of valence and arousal evaluated: what is written agrees with itself and the truth."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.affwild2 import HIDDEN, TESTED, train_affwild2
from tests.toy import toy_recipe

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.scored import score_table
from affuse.metrics.concordance import ccc
from affuse.metrics.over_time import SERIES_METRICS
from affuse.tasks.series import Series, filled
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


@pytest.fixture(scope="module")
def judged(affwild2_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run with what `evaluate` makes of it."""
    run = tmp_path_factory.mktemp("judged") / "run"
    shutil.copytree(affwild2_run / "run", run)
    evaluate(run, ["av", "video"])
    return run


def read(run: Path, condition: str) -> dict[str, pd.DataFrame]:
    """fold/clip -> what was written about it."""
    folder = run / "evaluation/predictions" / condition
    paths = sorted(folder.rglob("*.csv"))
    return {
        path.relative_to(folder).with_suffix("").as_posix(): pd.read_csv(path) for path in paths
    }


def test_scores_can_be_computed_again_from_the_predictions(judged: Path) -> None:
    result = json.loads((judged / "evaluation/metrics.json").read_text())
    assert (result["role"], result["folds"], result["truth"]) == ("test", 2, "annotation")
    for condition, facts in result["conditions"].items():
        tables = read(judged, condition)
        assert set(tables) == {f"fold{k}/{clip}" for k, clip in enumerate(TESTED)}
        table = pd.concat(tables.values())
        there = table.dropna()
        assert facts["frames"] == len(there) < len(table) and facts["videos"] == 2
        assert facts["known_frames"] == there["known"].sum()
        assert facts["no_interval"] == "an interval needs 3 speakers, not 2"
        for name in ("valence", "arousal"):
            scores = facts["dimensions"][name]
            found = ccc(there[name], there[f"annotated_{name}"])
            assert scores["ccc"] == pytest.approx(found, abs=1e-4)
            assert scores["ccc_interval_95"] == [None, None]  # of two videos
        assert table[["valence", "arousal"]].abs().max().max() <= 1
        assert np.allclose(np.diff(next(iter(tables.values()))["time"]), 1 / 30, atol=1e-4)
        assert (judged / f"evaluation/curves-{condition}.png").stat().st_size > 5000
    rows = list(csv.DictReader((judged / "evaluation/scores.csv").open()))
    assert len(rows) == 2 * 3 * len(SERIES_METRICS)
    sound = result["rules"]["ccc"]["default"]
    for name in ("valence", "arousal"):
        assert sound[name] == pytest.approx(result["conditions"]["av"]["dimensions"][name]["ccc"])


def test_the_list_of_predictions_gives_the_scores_again(judged: Path) -> None:
    result = json.loads((judged / "evaluation/metrics.json").read_text())
    again = score_table(judged / "evaluation/predictions.csv")
    assert again["dimensions"] == result["dimensions"] and again["task"] == "valence-arousal"
    assert again["baseline"] == result["baseline"]
    for name, facts in result["conditions"].items():
        found = again["conditions"][name]
        assert (found["videos"], found["frames"]) == (facts["videos"], facts["frames"])
        for score in SERIES_METRICS:
            assert found["mean"][score] == pytest.approx(facts["mean"][score], abs=1e-3), score


def test_a_folder_with_the_truth_judges_what_nobody_annotated(
    affwild2_run: Path, tmp_path: Path
) -> None:
    run, truth = tmp_path / "run", tmp_path / "truth"
    shutil.copytree(affwild2_run / "run", run)
    truth.mkdir()
    shutil.copy(affwild2_run / "synthetic/truth" / f"{HIDDEN}.csv", truth)
    result = evaluate(run, ["av"], truth=truth)
    facts = result["conditions"]["av"]
    assert result["role"] == "test" and result["truth"] == "truth"
    assert (facts["predictions"], facts["videos"], facts["groups"]) == (2, 1, 1)
    assert facts["dimensions"]["valence"]["ccc_interval_95"] == [None, None]
    assert set(read(run, "av")) == {f"fold{k}/{HIDDEN}" for k in (0, 1)}
    table = pd.read_csv(truth / f"{HIDDEN}.csv")
    table.assign(arousal=-table["arousal"]).to_csv(truth / f"{HIDDEN}.csv", index=False)
    other = evaluate(run, ["av"], truth=truth)["conditions"]["av"]["dimensions"]
    assert other["valence"] == facts["dimensions"]["valence"]
    before, after = (x["arousal"]["pcc"] for x in (facts["dimensions"], other))
    assert after == pytest.approx(-before, abs=1e-6)
    with pytest.raises(BadInput, match="no such folder"):
        evaluate(run, truth=tmp_path / "nowhere")


def test_development_clips_stand_in_where_no_test_clip_is_annotated(
    affwild2_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(affwild2_run / "run", run)
    for k in (0, 1):
        path = run / f"fold{k}/split.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"test": [HIDDEN]}))
    assert evaluate(run, ["av"])["role"] == "development"
    assert set(read(run, "av")) == {f"fold{k}/{TESTED[1 - k]}" for k in (0, 1)}
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="neither test nor development clips with annotation"):
        evaluate(run, ["av"], truth=tmp_path / "empty")


def test_a_condition_in_which_nothing_is_known_has_no_scores(
    affwild2_run: Path, tmp_path: Path
) -> None:
    for name in ("store", "split.csv"):
        (tmp_path / name).symlink_to(affwild2_run / name)
    changes = ("streams=[audio/logmel64-16k]", "model.name=audio-only", "fold=0")
    run = train_affwild2(tmp_path, "run", *changes)
    assert list(evaluate(run)["conditions"]) == ["audio"]
    result = evaluate(run, ["video", "audio"])
    video, audio = result["conditions"].values()
    assert (video["predictions"], video["unknown_predictions"]) == (0, 1)
    assert video["dimensions"] == video["mean"] == {} and audio["predictions"] == 1
    assert result["rules"]["condition"] == "audio"
    assert set(pd.read_csv(run / "evaluation/scores.csv")["condition"]) == {"audio"}
    assert not (run / "evaluation/curves-video.png").exists()


def test_classes_have_no_truth_over_time(toy: Path) -> None:
    list(train(load_recipe(toy_recipe(toy, epochs=1)), toy / "store", toy / "run", folds=[0]))
    with pytest.raises(AffuseError, match="--truth is for continuous valence and arousal"):
        evaluate(toy / "run", truth=toy)


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.integers(0, 100))
def test_gaps_are_filled_between_what_is_known(known: list[bool], seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, (len(known), 2)).astype(np.float32)
    mask = np.array(known)
    values[~mask] = 0
    times = np.arange(-3, len(known) + 3) / 30
    found = filled(Series(values, mask, 30.0), times)
    assert np.isfinite(found).all() and found[3:-3][mask] == pytest.approx(values[mask], abs=1e-6)
    assert (found.max(0) <= values[mask].max(0) + 1e-6).all()
    assert (found.min(0) >= values[mask].min(0) - 1e-6).all()
    with pytest.raises(ValueError, match="nothing is known"):
        filled(Series(values, ~mask & mask, 30.0), times)
