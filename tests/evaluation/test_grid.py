"""A recipe under every combination of some values: planned, shared out, resumed, one table."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from tests.commands import refused, run
from tests.folders import tree
from tests.toy import toy_recipe, toy_store

from affuse.errors import AffuseError
from affuse.evaluation.table.grid import Grid
from affuse.execution.sharing import Share

GRID = ["model.name=late,early", "seed=1..2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two folds and a recipe of one epoch; not to be written to."""
    folder = tmp_path_factory.mktemp("grid")
    toy_store(folder, clips=32)
    toy_recipe(folder, selection="last", epochs=1)
    return folder


def grid(folder: Path, out: Path, *words: object) -> int:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--device", "cpu"]
    return run(*train, "--out", out, "--grid", *GRID, *words)


def models(out: Path) -> dict[str, bytes]:
    """The models and results of all runs."""
    return {
        name: data
        for name, data in tree(out).items()
        if name.endswith((".safetensors", "predictions.csv"))
    }


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the grid leaves, trained one after the other; not to be written to."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert grid(folder, out) == 0
    return out


def test_every_combination_is_a_run_and_a_row(made: Path) -> None:
    names = ["model.name=late", "model.name=early"]
    runs = {path.relative_to(made / "runs") for path in made.glob("runs/*/seed*/fold*")}
    assert runs == {
        Path(name, f"seed{seed}", f"fold{fold}")
        for name in names
        for seed in (1, 2)
        for fold in (0, 1)
    }
    table = json.loads((made / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == names and table["seeds"] == [1, 2]
    headings = [column["heading"] for column in table["columns"]]
    assert headings == [
        "accuracy, av",
        "accuracy, audio",
        "accuracy, video",
        "parameters",
        "seconds",
    ]
    assert all(row["cells"]["accuracy, av"]["clips"] == 16 for row in table["rows"])


@pytest.mark.slow
def test_processes_and_shards_end_in_the_same_bytes(
    folder: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid(folder, tmp_path, "--shard", "2/3", "--dry-run") == 0
    assert "to do: 3 folds to train (shard 2/3)" in capsys.readouterr().out
    for number in (2, 3):
        assert grid(folder, tmp_path, "--shard", f"{number}/3") == 0
        assert not (tmp_path / "table.json").exists()
    trained = sorted(tmp_path.glob("runs/*/*/fold*/model.safetensors"))
    assert len(trained) == 5
    kept = [path.stat().st_mtime_ns for path in trained]
    assert grid(folder, tmp_path, "--jobs", "2") == 0
    assert [path.stat().st_mtime_ns for path in trained] == kept
    assert models(tmp_path) == models(made)


def test_some_folds_are_trained_and_the_table_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--out", tmp_path]
    assert run(*train, "--grid", "fold=1..1", "epochs=1,2") == 0
    assert [path.name for path in tmp_path.glob("runs/*/*/fold*")] == ["fold1", "fold1"]
    table = json.loads((tmp_path / "table.json").read_text())
    assert {row["cells"]["accuracy, av"]["missing"] for row in table["rows"]} == {
        "is not trained yet"
    }


@pytest.mark.slow
def test_a_combination_that_fails_stops_no_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--out", tmp_path]
    wrong = ["optimiser.lr=1e-3,1e30", "optimiser.name=sgd"]
    assert run(*train, "--grid", *wrong, "--jobs", 2) == 1
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        cells = {row["row"]: row["accuracy, av"] for row in csv.DictReader(file)}
    good, bad = cells.values()
    assert good.startswith("0.") and bad == "–"
    assert "train anew with a lower optimiser.lr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model.name"], "expected KEY=VALUE"),
        (["epochs=1,2", "epochs=3"], "names epochs twice"),
        (["epochs=1,1"], "the value 1 is there twice"),
        (["epochs=3..1"], "3..1 is no range"),
        (["epochs=1,"], "a value is empty"),
        (["seed=a"], "'a' is no seed"),
        (["fold=0..9"], "there is no fold 2: recipe, seed 1 has 2 folds"),
        (["epoch=1,2"], "epochs"),
        (["model.name=late,lat"], "no model named 'lat'"),
        (["epochs=1..9000", "batch_size=1..9000"], "81,000,000 combinations"),
    ],
)
def test_wrong_grids_are_one_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    line: str,
) -> None:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--out", tmp_path]
    assert line in refused(capsys, *train, "--grid", *words)
    assert not any(tmp_path.iterdir())


def test_words_of_a_grid_need_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--out", tmp_path]
    assert "--jobs needs --grid" in refused(capsys, *train, "--jobs", 2)
    assert "expected I/N" in refused(capsys, *train, "--grid", "seed=1,2", "--shard", "3/2")
    both = ["--grid", "seed=1,2", "--jobs", 2, "--site", tmp_path / "site.yaml"]
    assert "--jobs and --site exclude each other" in refused(capsys, *train, *both)
    assert "--jobs must be 1" in refused(capsys, *train, "--grid", "seed=1,2", "--jobs", 0)


def test_values_with_commas_and_changes() -> None:
    several = "streams=[audio/mfcc10],[audio/mfcc10,video/faces48]"
    found = Grid.parse("demo", ["epochs=3"], [several])
    assert found.values == {"streams": [["audio/mfcc10"], ["audio/mfcc10", "video/faces48"]]}
    assert [row.name for row in found.table().rows] == [
        "streams=audio-mfcc10",
        "streams=audio-mfcc10-,-video-faces48",
    ]
    with pytest.raises(AffuseError, match="epochs is in the grid and a change"):
        Grid.parse("demo", ["epochs=3"], ["epochs=1,2"])


def test_shards_are_disjoint_and_complete() -> None:
    shares = [Share.parse(f"{k}/7") for k in range(1, 8)]
    for place in range(50):
        assert sum(share.has(place) for share in shares) == 1


@pytest.mark.slow
def test_killed_again_and_again_it_ends_in_the_same_bytes(
    folder: Path, made: Path, tmp_path: Path
) -> None:
    """Twenty times the whole group of processes is killed, at moments that a seed draws."""
    words = ["train", folder / "recipe.yaml", "--store", folder / "store", "--device", "cpu"]
    command = [sys.executable, "-m", "affuse", *map(str, words), "--out", str(tmp_path)]
    command += ["--grid", *GRID, "--jobs", "2"]
    random = Random(1)
    for _ in range(20):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(1.0, 12.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, check=False).returncode == 0
    assert models(tmp_path) == models(made)
