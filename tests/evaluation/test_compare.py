"""Whether a model is better than another, as the command says it."""

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
from tests.commands import refused, run
from tests.judged import CLASSES, Rows, class_rows, frame_rows, without, write_rows
from tests.toy import toy_recipe

import affuse
from affuse.evaluation.compare import compare
from affuse.metrics.power import smallest_difference, speakers_needed
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A good model, a bad one, and one about as good."""
    good = write_rows(tmp_path / "good.csv", class_rows(1, 2.5, speakers=10))
    bad = write_rows(tmp_path / "bad.csv", class_rows(2, 0.3, speakers=10))
    other = write_rows(tmp_path / "other.csv", class_rows(5, 2.3, speakers=10))
    return good, bad, other


def one(*paths: Path, **options: Any) -> dict[str, Any]:
    (found,) = compare(paths, **options)["comparisons"]
    return found


def test_the_better_model_is_named_with_its_lead(tables: tuple[Path, Path, Path]) -> None:
    good, bad, _ = tables
    found = one(good, bad)
    assert found["speakers"] == 10 and found["clips"] == 120
    assert found["difference"] == pytest.approx(found["values"][0] - found["values"][1])
    low, high = found["interval_95"]
    assert 0 < low < found["difference"] < high
    lead = f"by {100 * found['difference']:.1f} points ({100 * low:.1f} to {100 * high:.1f}), p"
    assert found["verdict"].startswith(f"{good} is better than {bad} {lead}")
    assert found["verdict"].endswith("over 10 speakers")
    assert found["mcnemar"]["p"] < 0.05 and found["folds"]["folds"] == 4
    turned = one(bad, good)["verdict"]
    assert turned == found["verdict"]
    loss = one(good, bad, metric="nll")
    assert loss["difference"] < 0 and loss["verdict"].startswith(f"{good} is better than {bad} by")


def test_the_interval_is_the_paired_one_of_the_speakers(tables: tuple[Path, Path, Path]) -> None:
    """With as many clips each, that of a paired t test."""
    rows = [list(csv.DictReader(path.open())) for path in tables[:2]]
    means = [
        [np.mean([r["label"] == r["predicted"] for r in part if r["speaker"] == f"s{k}"])
         for k in range(10)]
        for part in rows
    ]  # fmt: skip
    apart = np.subtract(*means)
    wanted = stats.t.interval(0.95, 9, apart.mean(), stats.sem(apart))
    found = one(*tables[:2])
    assert found["interval_95"] == pytest.approx(list(wanted))
    deviation = float(apart.std(ddof=1))
    assert found["smallest_difference"] == pytest.approx(smallest_difference(deviation, 10))
    assert found["speakers_needed"] == speakers_needed(deviation, found["difference"])


def test_a_difference_that_cannot_be_told_says_who_could(tables: tuple[Path, Path, Path]) -> None:
    found = one(tables[0], tables[2])
    assert found["p_holm"] > 0.05
    least, needed = 100 * found["smallest_difference"], found["speakers_needed"]
    assert "no difference can be told" in found["verdict"]
    assert f"with 10 speakers differences under {least:.1f} points" in found["verdict"]
    assert f"{needed:,} speakers would be needed" in found["verdict"] and needed > 10


METRICS = ("accuracy", "war", "uar", "f1", "weighted_f1", "nll", "brier", "ece", "kl", "js")


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_is_equal_to_itself(metric: str, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.csv", class_rows(votes=True))
    found = one(path, path, metric=metric)
    assert (found["difference"], found["permutation"]["p"]) == (0, 1)
    assert found["interval_95"] == [0, 0] and found["mcnemar"]["p"] == 1
    assert "are equal" in found["verdict"] and found["folds"]["p"] == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(2, 9), st.sampled_from(("uar", "nll", "macro_f1")))
def test_swapping_models_turns_the_sign_and_order_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, speakers: int, metric: str
) -> None:
    folder = tmp_path_factory.mktemp("swap")
    rows = [class_rows(seed + k, 1 + 0.3 * k, speakers, 5) for k in range(2)]
    a, b = (write_rows(folder / f"{k}.csv", part) for k, part in enumerate(rows))
    there, back = one(a, b, metric=metric), one(b, a, metric=metric)
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["permutation"] == back["permutation"]
    assert there["mcnemar"]["p"] == back["mcnemar"]["p"]
    if speakers > 2:
        low, high = back["interval_95"]
        assert there["interval_95"] == pytest.approx([-high, -low])
    np.random.default_rng(seed).shuffle(rows[1])
    write_rows(b, rows[1])
    assert one(a, b, metric=metric) == there


def test_votes_and_valence_are_compared_by_what_suits_them(tmp_path: Path) -> None:
    a, b = (write_rows(tmp_path / f"{k}.csv", class_rows(k, 2 - k, votes=True)) for k in range(2))
    assert compare([a, b])["metric"] == "divergence"
    with_votes = one(a, b)
    write_rows(b, class_rows(1, 1))
    assert one(a, b) == with_votes  # it is enough that one table has them
    write_rows(a, class_rows(0, 2))
    assert compare([a, b])["metric"] == "accuracy"
    write_rows(a, frame_rows(0, 0.1, 8))
    turned = [dict(reversed(row.items())) for row in frame_rows(1, 0.8, 8)]
    write_rows(b, turned)
    found = one(a, b)
    assert found["verdict"].startswith(f"{a} is better than {b} by 0.") and not found["mcnemar"]
    assert one(a, b, metric="ccc_arousal")["difference"] != found["difference"]


def test_the_order_of_classes_is_nothing(tmp_path: Path) -> None:
    rows = class_rows(votes=True)
    columns = [
        *list(rows[0])[:7],
        *(f"{x}{name}" for x in ("p_", "votes_") for name in CLASSES[::-1]),
    ]
    mixed = [{name: row[name] for name in columns} for row in rows]
    a, b = write_rows(tmp_path / "a.csv", rows), write_rows(tmp_path / "b.csv", mixed)
    for metric in ("uar", "nll", "divergence"):
        assert one(a, b, metric=metric)["difference"] == pytest.approx(0, abs=1e-12)


def test_without_speakers_nothing_is_said_about_other_people(tmp_path: Path) -> None:
    bare = [without(class_rows(k, 3 - 2 * k), "speaker", "fold") for k in range(2)]
    a, b = (write_rows(tmp_path / f"{k}.csv", rows) for k, rows in enumerate(bare))
    found = one(a, b)
    assert found["permutation"] is None and found["interval_95"] == [None, None]
    assert found["mcnemar"]["p"] < 0.01 and "do not say the folds" in found["folds"]["missing"]
    assert "no column speaker" in found["verdict"]
    known = write_rows(tmp_path / "known.csv", class_rows(2, 0.1))
    assert one(a, known)["speakers"] == 8  # it is enough that one table says them
    few = [write_rows(tmp_path / f"{k}.csv", class_rows(k, 3 - k, 4)) for k in range(2)]
    assert "the test needs 5 speakers at least" in one(*few)["verdict"]


def test_several_comparisons_are_corrected_together(
    tables: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare", *tables, "--metric", "uar", "--out", tmp_path / "c.csv") == 0
    said = capsys.readouterr().out
    assert said.startswith("uar, condition av, 120 clips") and "Holm, 2 comparisons" in said
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert [row["second"] for row in rows] == [str(path) for path in tables[1:]]
    assert run("compare", *tables, "--all", "--json", "--out", tmp_path / "c.json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "c.json").read_text())
    p = [found["permutation"]["p"] for found in result["comparisons"]]
    assert len(p) == 3 and min(f["p_holm"] for f in result["comparisons"]) == 3 * min(p)


def test_python_compares_paths_as_text(tables: tuple[Path, Path, Path]) -> None:
    found = affuse.compare([str(path) for path in tables[:2]], metric="uar")
    assert found == compare(tables[:2], "uar")


def test_runs_are_compared_under_a_condition(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, epochs in (("a", 6), ("b", 1)):
        recipe = load_recipe(toy_recipe(toy, epochs=epochs))
        list(train(recipe, toy / "store", toy / name))
    assert "affuse evaluate" in refused(capsys, "compare", toy / "a", toy / "b")
    for name in ("a", "b"):
        assert run("evaluate", toy / name, "--conditions", "av", "audio") == 0
    capsys.readouterr()
    table = toy / "b/evaluation/predictions.csv"
    assert run("compare", toy / "a", table, "--condition", "audio", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["condition"] == "audio" and result["comparisons"][0]["folds"]["folds"] == 2
    assert "named 'video'" in refused(capsys, "compare", toy / "a", table, "--condition", "video")
    facts = json.loads((toy / "b/run.json").read_text())
    facts["protocol"]["name"] = "another"
    (toy / "b/run.json").write_text(json.dumps(facts))
    assert "is of protocol another" in refused(capsys, "compare", toy / "a", toy / "b")


def all_rows(**cells: str) -> Callable[[Rows], Rows]:
    return lambda rows: [row | cells for row in rows]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[:-3], "lacks 3 of the 96 clips of {a}, such as c093"),
        (lambda rows: [*rows, rows[0] | {"clip": "new"}], "lacks 1 of the 97 clips of {b}"),
        (all_rows(baseline="past"), "is of baseline past, {a} of none"),
        (all_rows(speaker="s1"), "has clip c000 by speaker s1, {a} by s0"),
        (all_rows(label="angry"), "as angry, {a} as"),
        (all_rows(condition="audio"), "no condition in common"),
        (lambda rows: frame_rows(), "no condition in common"),
        (
            lambda rows: [
                {k.replace("p_sad", "p_joy"): x.replace("sad", "joy") for k, x in row.items()}
                for row in rows
            ],
            "has the classes happy, joy, angry; {a} has happy, sad, angry",
        ),
    ],
)
def test_tables_that_do_not_go_together_are_refused(
    change: Callable[[Rows], Rows],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a = write_rows(tmp_path / "a.csv", class_rows())
    b = write_rows(tmp_path / "b.csv", change(class_rows(1)))
    assert reason.format(a=a, b=b) in refused(capsys, "compare", a, b)


def test_other_mistakes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_rows(tmp_path / "a.csv", all_rows(corpus="one")(class_rows()))
    b = write_rows(tmp_path / "b.csv", all_rows(corpus="two")(class_rows()))
    assert f"is of corpus two, {a} of one" in refused(capsys, "compare", a, b)
    assert "two or more" in refused(capsys, "compare", a)
    assert "metric named 'ccc'" in refused(capsys, "compare", a, a, "--metric", "ccc")
    assert ".json or .csv" in refused(capsys, "compare", a, a, "--out", tmp_path / "x.txt")
    frames = write_rows(tmp_path / "f.csv", frame_rows())
    shorter = write_rows(tmp_path / "g.csv", frame_rows()[:-1])
    line = refused(capsys, "compare", frames, shorter)
    assert f"has 18 annotated frames of clip v5, {frames} has 19" in line
    order = CLASSES[::-1]
    mixed = [
        {k: row[k] for k in (*list(row)[:7], *(f"p_{c}" for c in order))} for row in class_rows()
    ]
    c = write_rows(tmp_path / "c.csv", class_rows())
    assert one(c, write_rows(tmp_path / "d.csv", mixed))["difference"] == 0


def test_a_plan_says_what_it_takes(
    tables: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("--speakers", 24, "--clips", 60, "--accuracy", 0.7)
    assert run("power", *plan, "--difference", 0.03, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    deviation = np.sqrt(0.05**2 + 2 * 0.7 * 0.3 / 60)
    assert found["deviation"] == pytest.approx(deviation)
    assert found["speakers_needed"] == speakers_needed(float(deviation), 0.03)
    assert run("power", *plan, "--difference", 0.03) == 0
    said = capsys.readouterr().out
    assert f"{found['speakers_needed']} speakers are needed" in said
    assert run("power", "--from", *tables[:2], "--json") == 0
    from_two = json.loads(capsys.readouterr().out)
    told = one(*tables[:2])
    assert (from_two["speakers"], from_two["clips"]) == (10, 12)
    assert from_two["smallest_difference"] == pytest.approx(told["smallest_difference"], rel=0.1)
    assert run("power", "--from", tables[0], "--speakers", 40, "--clips", 500, "--json") == 0
    assert json.loads(capsys.readouterr().out)["smallest_difference"] > 0


def test_plans_that_say_too_little_are_refused(
    tables: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "say --speakers" in refused(capsys, "power", "--clips", 5)
    assert "name one of them" in refused(capsys, "power", "--from", tables[0], "--accuracy", 0.5)
    assert "one or two tables" in refused(capsys, "power", "--from", *tables)
    few = write_rows(tmp_path / "few.csv", class_rows(speakers=4))
    assert "4 speakers show nothing" in refused(capsys, "power", "--from", few)
    bare = write_rows(tmp_path / "bare.csv", without(class_rows(), "speaker"))
    assert "does not say two speakers" in refused(capsys, "power", "--from", bare)
    frames = write_rows(tmp_path / "f.csv", frame_rows())
    assert "plans accuracies" in refused(capsys, "power", "--from", frames)
    with pytest.raises(SystemExit):
        run("power", "--speakers", 2)
