"""A table of predictions scored, from the table alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from tests.commands import refused, run
from tests.judged import CLASSES, Rows, class_rows, frame_rows, without, write_rows
from tests.toy import toy_recipe

from affuse.cli.main import main
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.scored import score_table
from affuse.metrics.concordance import ccc
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


def scored(path: Path, rows: Rows, condition: str = "av") -> dict[str, Any]:
    facts: dict[str, Any] = score_table(write_rows(path, rows))["conditions"][condition]
    return facts


def test_scores_of_classes_are_those_of_scikit_learn(tmp_path: Path) -> None:
    rows = class_rows()
    facts = scored(tmp_path / "t.csv", rows)
    true, predicted = ([row[name] for row in rows] for name in ("label", "predicted"))
    shares = np.array([[float(row[f"p_{name}"]) for name in CLASSES] for row in rows])
    shares /= shares.sum(1, keepdims=True)
    order = np.argsort(CLASSES)
    wanted = {
        "accuracy": metrics.accuracy_score(true, predicted),
        "uar": metrics.balanced_accuracy_score(true, predicted),
        "macro_f1": metrics.f1_score(true, predicted, average="macro"),
        "weighted_f1": metrics.f1_score(true, predicted, average="weighted"),
        "nll": metrics.log_loss(true, shares[:, order], labels=sorted(CLASSES)),
    }
    for name, value in wanted.items():
        assert facts[name] == pytest.approx(value), name
        low, high = facts[f"{name}_interval_95"]
        assert low < facts[name] < high
    each = metrics.precision_recall_fscore_support(true, predicted, labels=CLASSES)
    for name, row in zip(("precision", "recall", "f1", "clips"), each, strict=True):
        assert [facts["per_class"][c][name] for c in CLASSES] == pytest.approx(row), name
    assert facts["speakers"] == 8 and facts["clips"] == 96
    assert facts["accuracy_per_fold"].keys() == {"0", "1", "2", "3"}


def test_an_interval_is_that_of_leaving_out_speakers(tmp_path: Path) -> None:
    rows = class_rows()
    found = scored(tmp_path / "t.csv", rows)
    names = sorted({row["speaker"] for row in rows})
    left = [
        scored(tmp_path / "x.csv", [row for row in rows if row["speaker"] != name])["uar"]
        for name in names
    ]
    odds = np.log(np.array(left) / (1 - np.array(left)))
    error = np.sqrt(7 / 8 * np.square(odds - odds.mean()).sum())
    reach = stats.t.ppf(0.975, 7) * error * np.array([-1, 1])
    wanted = 1 / (1 + (1 / found["uar"] - 1) * np.exp(-reach))
    assert found["uar_interval_95"] == pytest.approx(list(wanted))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_the_order_of_rows_and_columns_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    path = tmp_path_factory.mktemp("order") / "t.csv"
    rows = class_rows(votes=True)
    before = scored(path, rows)
    random = np.random.default_rng(seed)
    columns = random.permutation(list(rows[0]))
    mixed = [{str(name): rows[k][name] for name in columns} for k in random.permutation(len(rows))]
    after = scored(path, mixed)
    for facts, others in ((after, before), (after["raters"], before["raters"])):
        for name, value in facts.items():
            if name not in ("per_class", "classes", "confusion", "raters"):
                assert value == pytest.approx(others[name]), name
    for name, facts in before["per_class"].items():
        assert after["per_class"][name]["f1_interval_95"] == pytest.approx(facts["f1_interval_95"])


def test_columns_that_are_not_needed_may_be_missing(tmp_path: Path) -> None:
    whole = scored(tmp_path / "t.csv", class_rows())
    rows = without(class_rows(), "fold", "condition", "baseline", "predicted", "speaker")
    facts = scored(tmp_path / "t.csv", rows, "all")
    assert facts["accuracy"] == whole["accuracy"] and facts["speakers"] is None
    assert facts["accuracy_interval_95"] == [None, None]
    assert "no column speaker" in facts["no_interval"] and "accuracy_per_fold" not in facts
    two = scored(tmp_path / "t.csv", class_rows(speakers=2))
    assert (
        two["uar_interval_95"] == [None, None] and "needs 3 speakers, not 2" in two["no_interval"]
    )


def test_votes_are_scored_beside_human_ceilings(tmp_path: Path) -> None:
    rows = class_rows(votes=True)
    facts = scored(tmp_path / "t.csv", without(rows, "label"))["raters"]
    low, high = facts["divergence_interval_95"]
    assert 0 < low < facts["divergence"] < high
    assert 0 < facts["rater_jensen_shannon"] < facts["jensen_shannon"]
    for row in rows:
        total = sum(int(row[f"votes_{name}"]) for name in CLASSES)
        row |= {f"votes_{name}": str(int(row[f"votes_{name}"]) / total) for name in CLASSES}
    shares = scored(tmp_path / "t.csv", rows)["raters"]
    assert shares["divergence"] == pytest.approx(facts["divergence"])
    assert shares["rater_jensen_shannon"] is None and shares["human_ceiling"] is None


def test_valence_and_arousal_are_scored_frame_by_frame(tmp_path: Path) -> None:
    rows = frame_rows()
    facts = scored(tmp_path / "t.csv", rows, "all")
    there = [row for row in rows if row["annotated_valence"]]
    assert (facts["videos"], facts["speakers"], facts["frames"]) == (6, 6, len(there))
    for name in ("valence", "arousal"):
        x, y = ([float(row[f"{start}{name}"]) for row in there] for start in ("", "annotated_"))
        assert facts["dimensions"][name]["ccc"] == pytest.approx(ccc(x, y))
        low, high = facts["dimensions"][name]["ccc_interval_95"]
        assert low < facts["dimensions"][name]["ccc"] < high
    whole = [row | {"clip": f"{k}"} for k, row in enumerate(there)]  # a clip with one value each
    alone = scored(tmp_path / "t.csv", whole, "all")["mean"]
    assert alone["ccc_per_video"] is None and alone["ccc"] == pytest.approx(facts["mean"]["ccc"])


def test_the_table_of_a_run_gives_the_scores_of_the_run(toy: Path) -> None:
    recipe = load_recipe(toy_recipe(toy, epochs=3))
    list(train(recipe, toy / "store", toy / "run"))
    result = evaluate(toy / "run")
    again = score_table(toy / "run/evaluation/predictions.csv")["conditions"]
    assert list(again) == list(result["conditions"])
    for name, facts in result["conditions"].items():
        for score, value in facts.items():
            if score not in ("per_class", "classes", "confusion"):
                assert again[name][score] == pytest.approx(value, abs=1e-4), score
        assert again[name]["confusion"] == facts["confusion"]


def test_the_command_prints_and_writes_every_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = class_rows(votes=True) + class_rows(1, condition="audio", votes=True)
    path = write_rows(tmp_path / "t.csv", both)
    assert run("evaluate", path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    for words in ("accuracy (WAR)", "Brier", "Jensen-Shannon", "human ceiling", "angry", "audio:"):
        assert words in said
    assert run("evaluate", path, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "out/metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out/metrics.csv").open()))
    (uar,) = [r for r in rows if (r["metric"], r["condition"], r["of"]) == ("uar", "audio", "")]
    facts = result["conditions"]["audio"]
    bounds = [float(uar[name]) for name in ("value", "low", "high")]
    assert bounds == pytest.approx([facts["uar"], *facts["uar_interval_95"]], abs=1e-6)
    assert {row["of"] for row in rows} == {"", "raters", *CLASSES}
    assert run("evaluate", write_rows(tmp_path / "t.csv", frame_rows())) == 0
    assert "sign agreement" in capsys.readouterr().out


def changed(**cells: str) -> Callable[[Rows], Rows]:
    """The same rows with other cells in the second."""
    return lambda rows: [rows[0], rows[1] | cells, *rows[2:]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(p_happy="nan"), "line 3: p_happy of clip c001 is no finite number"),
        (changed(p_happy=""), "line 3: p_happy of clip c001 is no finite number"),
        (changed(p_happy="0.9", p_sad="0.9", p_angry="0"), "sum to 1.8, not to 1"),
        (changed(p_happy="-0.5", p_sad="1.5", p_angry="0"), "one is negative"),
        (changed(clip="c000"), "line 3: clip c000 is there twice"),
        (changed(clip=""), "line 3: has no clip"),
        (changed(label="joy"), "label 'joy' is no class (there are: happy, sad, angry)"),
        (changed(predicted="joy"), "predicted 'joy' is no class"),
        (changed(speaker=""), "clip c001 has no speaker, others have"),
        (changed(baseline="past"), "mixes the baselines none and past"),
        (lambda rows: without(rows, "label"), "has no column label"),
        (lambda rows: without(rows, "clip"), "no column clip"),
        (lambda rows: without(rows, *(f"p_{n}" for n in CLASSES)), "has no column p_<class>"),
        (lambda rows: [row | {"votes_sad": "1"} for row in rows], "has not both p_angry and"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_in_a_line(
    change: Callable[[Rows], Rows],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [row | {"fold": "0"} for row in class_rows()]
    path = write_rows(tmp_path / "t.csv", change(rows))
    line = refused(capsys, "evaluate", path)
    assert str(path) in line and reason in line


def test_probabilities_that_were_rounded_are_brought_to_a_sum_of_one(tmp_path: Path) -> None:
    rows = changed(p_happy="0.3333", p_sad="0.3333", p_angry="0.3333")(class_rows())
    exact = changed(p_happy="0.3333333333", p_sad="0.3333333333", p_angry="0.3333333334")
    one = scored(tmp_path / "t.csv", without(rows, "predicted"))
    other = scored(tmp_path / "t.csv", without(exact(class_rows()), "predicted"))
    assert one["nll"] == pytest.approx(other["nll"], abs=1e-9)


def test_other_mistakes_are_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("clip,label,p_a,p_b\n")
    assert "holds no rows" in refused(capsys, "evaluate", empty)
    assert "no such file" in refused(capsys, "evaluate", tmp_path / "none.csv")
    path = write_rows(tmp_path / "t.csv", class_rows())
    assert "--store is for runs" in refused(capsys, "evaluate", path, "--store", "x")
    assert "--device is for runs" in refused(capsys, "evaluate", path, "--device", "cuda")
    assert "named 'video'" in refused(capsys, "evaluate", path, "--conditions", "video")
    assert "one table at a time" in refused(capsys, "evaluate", path, path)
    bare = write_rows(tmp_path / "f.csv", without(frame_rows(), "valence"))
    assert "annotated_valence and no column valence" in refused(capsys, "evaluate", bare)
    rows = [{"clip": "a", "frames": "gone.csv"}]
    assert "no such file: gone.csv" in refused(
        capsys, "evaluate", write_rows(tmp_path / "l.csv", rows)
    )


def test_figures_of_classes_lie_beside_the_scores_that_are_asked_for(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.csv", class_rows())
    assert main(["evaluate", str(path), "--out", str(tmp_path / "out")]) == 0
    names = ["metrics.csv", "metrics.json", "reliability.png", "selective-risk.png"]
    assert sorted(x.name for x in (tmp_path / "out").iterdir()) == names
    assert all((tmp_path / "out" / name).stat().st_size > 5000 for name in names[2:])
    frames = write_rows(tmp_path / "f.csv", frame_rows())
    assert main(["evaluate", str(frames), "--out", str(tmp_path / "frames")]) == 0
    assert sorted(x.name for x in (tmp_path / "frames").iterdir()) == names[:2]
