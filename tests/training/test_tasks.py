"""Learning what raters chose, and what changes over time."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.toy import AUDIO, CLASSES, VIDEO, Toy, timed_store, toy_recipe, toy_store

from affuse.cli.main import main
from affuse.corpora.clip import Corpus
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.scored import score_table
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.tasks.targets import TrainingTargets
from affuse.training.recipe_files import load_recipe
from affuse.training.targets import training_targets
from affuse.training.train import train

RATERS = {"task": "distribution", "labels": {"rule": "distribution"}}


@pytest.fixture
def voted(tmp_path: Path) -> Path:
    """The toy corpus with ten raters each, three of whom hear the wrong sound; some clips tie."""
    toy_store(tmp_path)
    clips = []
    for clip in Store(tmp_path / "store").clips:
        right = CLASSES.index(clip.label)
        wrong = CLASSES[right ^ 1]
        count = 5 if int(clip.id) % 16 == 0 else 7
        votes = {"audio-visual": {clip.label: count, wrong: 10 - count}}
        clips.append(replace(clip, votes=votes))
    corpus = Corpus("folder", tmp_path, clips, CLASSES, "none")
    prepare(corpus, tmp_path / "store", [Toy(AUDIO), Toy(VIDEO)])
    return tmp_path


def run(folder: Path, **changes: object) -> Path:
    recipe = load_recipe(toy_recipe(folder, **changes))
    return dict(train(recipe, folder / "store", folder / "run", [0]))[0]


def test_distributions_are_learned_and_judged_beside_the_raters(
    voted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(voted, epochs=12, **RATERS)
    rows = list(csv.DictReader((voted / "run/fold0/log.csv").open()))
    losses = [float(row["development/cross_entropy"]) for row in rows]
    assert min(losses) < losses[0] - 0.2
    assert main(["evaluate", str(voted / "run"), "--json"]) == 0
    raters = json.loads(capsys.readouterr().out)["conditions"]["av"]["raters"]
    assert raters["cross_entropy"] == pytest.approx(
        raters["rater_entropy"] + raters["divergence"], abs=1e-6
    )
    assert raters["rater_entropy"] == pytest.approx(0.62, abs=0.02)
    assert raters["cross_entropy"] < np.log(4), "better than knowing nothing"
    assert raters["agreement"] <= raters["best_agreement"] <= 0.7
    again = score_table(voted / "run/evaluation/predictions.csv")["conditions"]["av"]["raters"]
    for name, value in again.items():
        assert value == pytest.approx(raters[name], abs=1e-4), name
    assert again["human_ceiling"] < 1 and again["rater_jensen_shannon"] > 0
    assert main(["evaluate", str(voted / "run")]) == 0
    assert "is the raters' own entropy" in capsys.readouterr().out


def test_a_rule_decides_which_clips_are_learned_and_as_what(voted: Path) -> None:
    def learned(**labels: object) -> TrainingTargets:
        recipe = load_recipe(toy_recipe(voted, labels=labels))
        return training_targets(recipe, Store(voted / "store"))

    plurality = learned(rule="plurality")
    assert plurality.unused == {"ties": 4} and len(plurality.clips) == 60
    for clip in plurality.clips:
        assert CLASSES[int(plurality.target(clip.id, 0, 1))] == clip.label
    assert len(learned(rule="plurality", ties="first").clips) == 64
    two = learned(rule="majority", classes=["sad", "calm"])
    assert two.names == ["sad", "calm"] and {c.label for c in two.clips} == {"sad", "calm"}
    run(voted, labels={"rule": "majority", "classes": ["sad", "calm"]}, epochs=1)
    facts = json.loads((voted / "run/run.json").read_text())["clips"]
    assert facts["learned"] == len(two.clips) and sum(facts["unused"].values()) == 64 - len(
        two.clips
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"rule": "distribution"}}, "leaves 4 clips without one class"),
        ({"task": "distribution"}, "needs votes: set labels.rule"),
        ({"labels": {"rule": "plurality", "channel": "video"}}, "there are audio-visual"),
        ({"labels": {"rule": "most"}}, "labels"),
        ({"labels": {"smoothing": 1.5}}, "smoothing must be"),
        ({"task": "valence-arousal"}, "has no continuous valence and arousal"),
        ({"hop": -1}, "hop must not be negative"),
    ],
)
def test_what_does_not_fit_is_one_line(voted: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((AffuseError, BadInput), match=message) as error:
        run(voted, **changes)
    assert "\n" not in str(error.value) and not (voted / "run").exists()


@pytest.fixture
def timed(tmp_path: Path) -> Path:
    timed_store(tmp_path)
    return tmp_path


def test_values_over_time_are_learned_from_the_annotated_frames(timed: Path) -> None:
    changes = {"task": "valence-arousal", "window": 4.0, "hop": 2.0, "epochs": 30, "batch_size": 4}
    model = {"name": "early", "head": "frames"}
    run(timed, model=model, optimiser={"lr": 5e-3}, **changes)
    rows = list(csv.DictReader((timed / "run/fold0/log.csv").open()))
    assert max(float(row["development/ccc"]) for row in rows) > 0.8
    assert {"development/ccc_valence", "development/ccc_arousal"} <= rows[0].keys()
    with pytest.raises(AffuseError, match=r"set model\.head=frames"):
        recipe = load_recipe(toy_recipe(timed, model={"name": "early"}, **changes))
        list(train(recipe, timed / "store", timed / "other"))
    with pytest.raises(
        BadInput, match="holds continuous valence and arousal; set task=valence-arousal"
    ):
        list(train(load_recipe(toy_recipe(timed)), timed / "store", timed / "other"))
    assert main(["evaluate", str(timed / "run")]) == 0
    scores = json.loads((timed / "run/evaluation/metrics.json").read_text())["conditions"]
    assert scores["av"]["mean"]["ccc"] > 0.7, "on the clip that took no part"
