"""The table of a paper: rows are recipes or results, columns metrics under conditions."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.commands import run
from tests.folders import tree
from tests.judged import class_rows, frame_rows, write_rows
from tests.toy import toy_recipe, toy_store

from affuse.evaluation.compare import compare, compare_pair
from affuse.evaluation.predictions import read_predictions
from affuse.evaluation.repeated import repeated, repeated_pair, repeated_scores
from affuse.evaluation.scored import score_table

ROWS = [
    {"name": "both", "recipe": "recipe.yaml", "changes": {"model.name": "late"}},
    {
        "name": "voice",
        "recipe": "recipe.yaml",
        "changes": {"model.name": "audio-only", "streams": ["audio/mfcc10"]},
    },
]
COLUMNS = [
    {"metric": "war"},
    {"metric": "uar", "condition": "video"},
    {"metric": "parameters", "name": "size"},
]


def table_file(folder: Path, name: str = "table.yaml", **changes: Any) -> Path:
    """A table of two small recipes on the store of toys."""
    values = {
        "name": "Two recipes",
        "store": "store",
        "seeds": [1, 2],
        "common": {"epochs": 2},
        "rows": ROWS,
        "columns": COLUMNS,
        "against": "voice",
        **changes,
    }
    path = folder / name
    path.write_text(yaml.safe_dump({k: x for k, x in values.items() if x is not None}))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store, the table and what became of it; not to be written to."""
    folder = tmp_path_factory.mktemp("table")
    toy_store(folder, clips=32)
    one_fold(folder)
    toy_recipe(folder, selection="last")
    assert run("table", table_file(folder), "--out", folder / "out") == 0
    return folder


def one_fold(folder: Path) -> None:
    """Leave one fold of the protocol, which tests half of the speakers."""
    with (folder / "protocol.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [
        f"{r['clip']},{r['speaker']},{'test' if int(r['clip']) % 8 < 4 else 'train'}" for r in rows
    ]
    (folder / "protocol.csv").write_text("\n".join(["clip,speaker,fold0", *lines]) + "\n")


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "table.json").read_text()))


def cell(folder: Path, row: str, heading: str) -> dict[str, Any]:
    (found,) = [one for one in result(folder)["rows"] if one["name"] == row]
    return dict(found["cells"][heading])


# What is in the cells.


def test_a_cell_is_the_mean_over_seeds_with_its_interval_over_speakers(made: Path) -> None:
    found = cell(made / "out", "both", "war, av")
    runs = [made / f"out/runs/both/seed{seed}" for seed in (1, 2)]
    own = [score_table(x / "evaluation/predictions.csv", ["av"])["conditions"]["av"] for x in runs]
    assert found["each"] == [x["accuracy"] for x in own]
    assert found["value"] == pytest.approx(np.mean(found["each"]))
    assert found["deviation"] == pytest.approx(np.std(found["each"], ddof=1))
    assert found["clips"] == 16 and found["speakers"] == 4
    assert found["against"]["second"] == "voice" and found["against"]["p_holm"] is not None
    assert "against" not in cell(made / "out", "voice", "war, av")


def test_what_a_row_does_not_have_is_a_dash_with_a_reason(made: Path) -> None:
    assert cell(made / "out", "voice", "uar, video") == {"missing": "reads audio alone"}
    with (made / "out/table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["both", "voice"]
    assert rows[1]["uar, video"] == "–" and rows[0]["uar, video"].startswith("0.")
    assert rows[0]["war, av"].split()[-1].startswith("±")
    assert int(rows[0]["size"].replace(",", "")) == cell(made / "out", "both", "size")["value"]


def test_the_text_says_what_is_what(made: Path) -> None:
    for name in ("table.md", "table.tex"):
        text = (made / "out" / name).read_text(encoding="utf-8")
        assert "Mean over trainings (seeds 1, 2)" in text and "worse than voice" in text
        assert "interval over speakers" in text and "deviation over trainings" in text
    assert r"\toprule" in (made / "out/table.tex").read_text()


# Several trainings of one recipe.


def several(folder: Path, *seeds: int, skill: float = 1.0) -> list[Path]:
    return [write_rows(folder / f"{k}-{skill}.csv", class_rows(k, skill)) for k in seeds]


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "ece"])
def test_one_training_scores_as_its_table_does(tmp_path: Path, metric: str) -> None:
    (path,) = several(tmp_path, 3)
    found = repeated_scores(repeated([read_predictions(path)["av"]]), metric)
    own = score_table(path)["conditions"]["av"]
    assert found["value"] == own[metric] and found["deviation"] is None
    assert found["interval_95"] == pytest.approx(own[f"{metric}_interval_95"])


def test_one_training_over_time_scores_as_its_table_does(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "frames.csv", frame_rows())
    (part,) = read_predictions(path).values()
    found = repeated_scores(repeated([part]), "ccc_arousal")
    own = score_table(path)["conditions"]["all"]["dimensions"]["arousal"]
    assert found["value"] == pytest.approx(own["ccc"])
    assert found["interval_95"] == pytest.approx(own["ccc_interval_95"])


def test_the_interval_is_that_of_the_mean_and_ignores_how_often_it_is_named(tmp_path: Path) -> None:
    tables = [read_predictions(path)["av"] for path in several(tmp_path, 1, 2, 3)]
    once, twice = (repeated_scores(repeated(tables * k), "macro_f1") for k in (1, 2))
    assert once["interval_95"] == pytest.approx(twice["interval_95"])
    alone = [repeated_scores(repeated([one]), "macro_f1") for one in tables]
    assert once["value"] == pytest.approx(np.mean([one["value"] for one in alone]))
    widths = [np.diff(one["interval_95"]) for one in alone]
    assert np.diff(once["interval_95"]) < max(widths)


def test_recipes_of_different_numbers_of_seeds_are_compared(tmp_path: Path) -> None:
    good = repeated([read_predictions(x)["av"] for x in several(tmp_path, 1, 2, skill=3.0)])
    bad = repeated([read_predictions(x)["av"] for x in several(tmp_path, 4, 5, 6, skill=0.2)])
    one, other = (compare_pair(*repeated_pair(*x), "accuracy") for x in ((good, bad), (bad, good)))
    means = [repeated_scores(x, "accuracy")["value"] for x in (good, bad)]
    assert one["values"] == pytest.approx(means)
    assert one["permutation"]["p"] == pytest.approx(other["permutation"]["p"])
    assert one["permutation"]["p"] < 0.05
    assert one["interval_95"] == pytest.approx([-x for x in reversed(other["interval_95"])])
    assert one["mcnemar"] is None


# Results that are there already.


def test_tables_of_predictions_are_rows_too(tmp_path: Path) -> None:
    skills = {"good": 3.0, "fair": 0.9, "poor": 0.1}
    rows = [
        {"name": n, "predictions": [p.name for p in several(tmp_path, 1, 2, skill=s)]}
        for n, s in skills.items()
    ]
    columns = [{"metric": "war"}, {"metric": "nll"}, {"metric": "kl"}, {"metric": "seconds"}]
    file = table_file(tmp_path, rows=rows, columns=columns, store=None, common={}, against="fair")
    assert run("table", file, "--out", tmp_path / "out") == 0
    with (tmp_path / "out/table.csv").open(encoding="utf-8") as lines:
        text = {row["row"]: row for row in csv.DictReader(lines)}
    for heading in ("war, av", "nll, av"):  # less is better of one of them
        assert "*" in text["good"][heading] and "†" in text["poor"][heading]
        assert not {"*", "†"} & {*text["fair"][heading]}
    assert text["good"]["kl, av"] == text["good"]["seconds"] == "–"
    found = cell(tmp_path / "out", "good", "war, av")["against"]
    ps = [
        cell(tmp_path / "out", x, "war, av")["against"]["permutation"]["p"]
        for x in ("good", "poor")
    ]
    assert found["p_holm"] == pytest.approx(min(max(2 * min(ps), found["permutation"]["p"]), 1))
    assert found["verdict"].startswith("good is better than fair by")


def test_a_run_is_a_row_as_compare_reads_it(made: Path, tmp_path: Path) -> None:
    runs = [made / f"out/runs/{name}/seed1" for name in ("both", "voice")]
    rows = [{"name": x.parent.name, "run": str(x)} for x in runs]
    file = table_file(tmp_path, rows=rows, columns=COLUMNS[:1], store=None, common={})
    assert run("table", file, "--out", tmp_path / "out") == 0
    (told,) = compare(runs)["comparisons"]
    found = cell(tmp_path / "out", "both", "war, av")["against"]
    assert found["permutation"] == told["permutation"] and found["difference"] == told["difference"]


def test_baselines_never_share_a_column(tmp_path: Path) -> None:
    rows = class_rows()
    past = write_rows(tmp_path / "past.csv", [row | {"baseline": "past"} for row in rows])
    none = write_rows(tmp_path / "none.csv", rows)
    file = table_file(
        tmp_path,
        rows=[{"name": x.stem, "predictions": x.name} for x in (past, none)],
        columns=[{"metric": "war"}, {"metric": "war", "baseline": "past"}],
        store=None,
        against="none",
    )
    assert run("table", file, "--out", tmp_path / "out") == 0
    headings = "war, av", "war, av, baseline past"
    filled = {
        (r, h): "value" in cell(tmp_path / "out", r, h) for r in ("past", "none") for h in headings
    }
    assert [key for key, there in filled.items() if there] == [
        ("past", headings[1]),
        ("none", headings[0]),
    ]
    assert cell(tmp_path / "out", "past", headings[0])["missing"] == "is of baseline past"


# Going on.


def test_what_is_finished_is_not_done_again(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made, tmp_path / "copy")
    for name in ("runs.train", "scoring.evaluate"):
        monkeypatch.setattr(f"affuse.evaluation.table.{name}", None)
    before = tree(tmp_path / "copy/out")
    monkeypatch.chdir(tmp_path / "copy")
    words = ["table", made / "table.yaml", "--out", "out"]
    assert run(*words, "--dry-run") == 0
    assert "to do: 0 folds to train" in capsys.readouterr().out
    assert run(*words) == 0
    assert tree(tmp_path / "copy/out") == before


@pytest.mark.slow
def test_killed_and_run_again_it_ends_in_the_same_bytes(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affuse.training.learner import Learner

    steps, real = [0], Learner.training_step

    def dies(self: Learner, *batch: Any) -> Any:
        steps[0] += 1
        if steps[0] > 5:  # in the second training
            raise KeyboardInterrupt
        return real(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(Learner, "training_step", dies)
        words = ["table", made / "table.yaml", "--out", tmp_path / "out"]
        assert run(*words) == 130
    assert not (tmp_path / "out/table.json").exists()
    models = sorted(x.relative_to(made) for x in made.rglob("model.safetensors"))
    there = [(tmp_path / x).exists() for x in models]
    assert any(there) and not all(there)
    assert run(*words) == 0
    for name in (*models, *(Path("out") / f"table.{x}" for x in ("csv", "md", "tex", "json"))):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_another_recipe_is_refused_by_its_difference(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table_file(made, "other.yaml", common={"epochs": 3})
    assert run("table", file, "--out", made / "out") == 2
    said = capsys.readouterr().err
    assert "differs from the recipe given: epochs is 2, not 3" in said
    assert "row both" in said and said.count("\n") == 1


def test_some_rows_alone(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(made / "out/runs/both", tmp_path / "out/runs/both")
    words = ["table", made / "table.yaml", "--out", tmp_path / "out"]
    assert run(*words, "--only", "both") == 0
    assert cell(tmp_path / "out", "voice", "war, av") == {"missing": "is not trained yet"}
    assert (
        cell(tmp_path / "out", "both", "war, av")["each"]
        == cell(made / "out", "both", "war, av")["each"]
    )
    assert run(*words, "--only", "vioce") == 2
    assert "no row named 'vioce'; did you mean 'voice'" in capsys.readouterr().err


def test_a_row_that_fails_stops_no_other(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made / "out/runs", tmp_path / "out/runs")
    broken = {"name": "broken", "recipe": "recipe.yaml", "changes": {"streams": ["audio/none"]}}
    gone = {"name": "gone", "predictions": "nothing.csv"}
    file = table_file(made, "broken.yaml", rows=[broken, gone, *ROWS])
    assert run("table", file, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert (
        "broken failed: " in said and "audio/none" in said and "nothing.csv: no such file" in said
    )
    assert [*result(tmp_path / "out")["failures"]] == ["broken", "gone"]
    assert cell(tmp_path / "out", "broken", "war, av") == {"missing": "failed"}
    assert "value" in cell(tmp_path / "out", "both", "war, av")


# Bad input.


def rows_with(**changes: Any) -> dict[str, Any]:
    return {"rows": [{**ROWS[0], **changes}, ROWS[1]]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"row": []}, "no key named 'row'; did you mean 'rows'"),
        (rows_with(recipes="x"), "row 1: no key named 'recipes'; did you mean 'recipe'"),
        (rows_with(recipe="none.yaml"), "row both: .*none.yaml: no such recipe or file"),
        (rows_with(recipe="ravdess-wisper"), "did you mean 'ravdess-whisper'"),
        (rows_with(changes={"epoch": 1}), "row both: no recipe key named 'epoch'"),
        (rows_with(changes=[1]), "row 1: changes is "),
        (rows_with(changes={"seed": 3}), "seed is no change"),
        (rows_with(run="x"), "row 1: expected one of recipe, run and predictions"),
        (rows_with(name="../x"), "row 1: name is '../x'"),
        (rows_with(name="voice"), "two names are 'voice'"),
        ({"columns": [{"metric": "acuracy"}]}, "column 1: no metric named 'acuracy'; did you mean"),
        ({"columns": [{"condition": "av"}]}, "column 1: .*metric"),
        ({"columns": [{"metric": "uar", "condition": "sound"}]}, "no condition named 'sound'"),
        ({"columns": [{"metric": "uar", "baseline": "some"}]}, "column 1: .*baseline"),
        ({"columns": []}, "has no columns"),
        ({"rows": None}, "rows must be a list"),
        ({"seeds": [1, 1]}, "seeds must be different numbers"),
        ({"against": "voise"}, "no row named 'voise'; did you mean 'voice'"),
        ({"store": None}, "row both: say where the streams are"),
        ({"store": "nowhere"}, "row both: .*nowhere"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(
    made: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    file = table_file(made, "bad.yaml", **changes)
    assert run("table", file, "--out", made / "never") == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.search(said, printed), printed
    assert not (made / "never").exists()
