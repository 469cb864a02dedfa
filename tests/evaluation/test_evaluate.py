import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from tests.toy import toy_recipe, toy_store

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and a run, not to be written to."""
    folder = tmp_path_factory.mktemp("toy")
    toy_store(folder)
    recipe = load_recipe(toy_recipe(folder, epochs=8, dropout={"kind": "drop"}))
    list(train(recipe, folder / "store", folder / "run"))
    return folder


@pytest.fixture
def trained(original: Path, tmp_path: Path) -> Path:
    """The same, to be written to."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_predictions_metrics_and_pictures_agree(trained: Path) -> None:
    result = evaluate(trained / "run")
    assert result["role"] == "test" and result["folds"] == 2
    table = pd.read_csv(trained / "run/evaluation/predictions.csv")
    for name, scores in result["conditions"].items():
        rows = table[table["condition"] == name]
        assert len(rows) == scores["clips"] == rows["clip"].nunique() == 32
        assert (rows["label"] == rows["predicted"]).mean() == pytest.approx(scores["accuracy"])
        recall = (rows["label"] == rows["predicted"]).groupby(rows["label"]).mean()
        assert recall.mean() == pytest.approx(scores["uar"])
        assert np.sum(scores["confusion"]) == 32
        low, high = scores["accuracy_interval_95"]
        assert low <= scores["accuracy"] <= high
        assert (trained / "run/evaluation" / f"confusion-{name}.png").is_file()
    assert json.loads((trained / "run/evaluation/metrics.json").read_text()) == result


def test_only_both_modalities_tell_all_classes(trained: Path) -> None:
    scores = {k: v["accuracy"] for k, v in evaluate(trained / "run")["conditions"].items()}
    assert scores["av"] >= 0.8 and scores["audio"] <= 0.7 and scores["video"] <= 0.7


def test_noise_is_the_same_every_time_and_hurts_at_most_its_modality(trained: Path) -> None:
    once = evaluate(trained / "run", ["noisy-audio", "video"])
    assert evaluate(trained / "run", ["noisy-audio", "video"]) == once
    assert not (trained / "run/evaluation/confusion-av.png").exists()


def test_development_clips_stand_in_where_no_test_clip_is_at_hand(trained: Path) -> None:
    for k in (0, 1):
        path = trained / f"run/fold{k}/split.json"
        split = json.loads(path.read_text())
        path.write_text(json.dumps(split | {"test": []}))
    assert evaluate(trained / "run", ["av"])["role"] == "development"


def test_development_clips_by_request_leave_the_test_scores_alone(trained: Path) -> None:
    tested = evaluate(trained / "run", ["av"])
    judged = evaluate(trained / "run", ["av"], role="development")
    assert judged["role"] == "development" and tested["role"] == "test"
    assert tested["warnings"] == [] and "chose the epoch" in judged["warnings"][0]
    tables = [
        pd.read_csv(trained / f"run/{name}/predictions.csv")
        for name in ("evaluation", "evaluation-development")
    ]
    assert len(tables[0]) == len(tables[1]) == 32
    for fold in (0, 1):
        clips = [set(table.loc[table["fold"] == fold, "clip"]) for table in tables]
        assert not clips[0] & clips[1]


def test_probabilities_are_judged_too(trained: Path) -> None:
    scores = evaluate(trained / "run", ["av"])["conditions"]["av"]
    table = pd.read_csv(trained / "run/evaluation/predictions.csv")
    columns = [name for name in cast(Iterable[str], table) if name.startswith("p_")]
    true = [table[f"p_{label}"][k] for k, label in enumerate(table["label"])]
    assert scores["nll"] == pytest.approx(-np.log(true).mean(), abs=1e-4)
    assert scores["confidence"] == pytest.approx(table[columns].max(axis=1).mean(), abs=1e-4)
    assert 0 <= scores["ece"] <= 1 and 0 <= scores["brier"] <= 2


def test_a_store_with_other_classes_or_recipes_is_refused(trained: Path) -> None:
    index = trained / "store/store.json"
    facts = json.loads(index.read_text())
    other = {name: x for name, x in facts.items() if name not in ("digest", "clips")}
    index.write_text(json.dumps(other | {"classes": facts["classes"][::-1]}))
    with pytest.raises(BadInput, match="has the classes sad, happy"):
        evaluate(trained / "run", store=trained / "store")
    with pytest.raises(AffuseError, match="no condition named 'radio'"):
        evaluate(trained / "run", ["radio"])
