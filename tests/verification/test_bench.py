"""`affuse bench`: both sides compute the same, and what is told of them is right."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands import run

from affuse.cli.main import main
from affuse.errors import AffuseError
from affuse.verification.bench.comparison import Bench, Check, Target, ratio
from affuse.verification.bench.sides import Run, Side, run_side
from affuse.verification.bench.stages import OTHER, Stages

pytest.importorskip("skimage")


def measured(tmp_path: Path, what: str, *words: object) -> dict[str, Any]:
    """The JSON of a comparison whose sides computed the same."""
    out = tmp_path / f"{what}.json"
    small = ["--repeats", 1, "--size", "320x240", "--seconds", 1]
    assert run("bench", what, *small, "--json", out, *words) == 0
    result = json.loads(out.read_text())
    assert result["what"] == what and result["versions"]["affuse"]
    assert result["checks"] and all(check["same"] for check in result["checks"])
    names = {row["side"] for row in result["rows"]}
    assert {result["ours"], result["plain"]} <= names
    for row in result["rows"]:
        assert row["seconds"] > 0 and row["cpu_seconds"] > 0 and row["peak_mb"] > 10, row
    return dict(result)


def test_a_store_is_measured_once(tmp_path: Path) -> None:
    result = measured(tmp_path, "store", "--clips", 10, "--repeats", 1)
    assert [row["clips"] for row in result["rows"]] == [10, 10, 10]
    assert all(check["same"] for check in result["checks"])


@pytest.mark.slow
def test_a_store_is_read_as_plain_files_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history, grown = tmp_path / "history.jsonl", tmp_path / "grown.csv"
    words = ["--clips", 10, 20, "--history", history, "--scale", grown, "--limit", 1]
    result = measured(tmp_path, "store", *words)
    assert [row["clips"] for row in result["rows"]] == [10, 10, 10, 20, 20, 20]
    assert "raw numpy memory map" in capsys.readouterr().out
    header, first, *_ = grown.read_text().splitlines()
    assert header.split(",")[:4] == ["what", "axis", "value", "seconds"]
    assert first.startswith("store,clips,10,")
    assert run("bench", "store", "--clips", 10, "--repeats", 1, "--history", history) == 0
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert [len(line["rows"]) for line in lines] == [6, 3]
    assert lines[1]["machine"]["processors"] and lines[1]["date"] >= lines[0]["date"]


@pytest.mark.slow
def test_clips_are_prepared_as_published(tmp_path: Path) -> None:
    result = measured(tmp_path, "prepare", "--clips", 1, "--size", "640x480", "--seconds", 1.5)
    ours = {row["side"]: row for row in result["rows"]}["affuse"]
    assert {"decode", "find faces"} <= ours["stages"].keys()  # others can be too short to sample


@pytest.mark.slow
def test_an_epoch_learns_what_a_plain_loop_does(tmp_path: Path) -> None:
    result = measured(tmp_path, "train", "--clips", 1)
    for row in result["rows"]:
        assert {"data", "forward", "backward"} <= row["stages"].keys(), row


@pytest.mark.slow
def test_a_recording_is_predicted_as_plainly(tmp_path: Path) -> None:
    result = measured(tmp_path, "predict", "--clips", 1, "--seconds", 2, "--size", "640x480")
    assert [row["recording_s"] for row in result["rows"]] == [2, 2, 8, 8]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["everything"], "everything"),
        (["store", "--clips", "0"], "0 is not 1 or more"),
        (["store", "--clips", "many"], "many"),
        (["store", "--repeats", "-1"], "-1 is not 1 or more"),
        (["prepare", "--size", "huge"], "WIDTHxHEIGHT"),
        (["prepare", "--size", "321x240"], "even"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_folder_is_no_file_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", "store", "--clips", 10, "--json", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line and "is a folder" in line


def test_sides_that_differ_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from affuse.verification.bench import storing

    def differs(bench: Bench, clips: int) -> None:
        bench.rows.append({"side": storing.OURS, "clips": clips, "stages": {}})
        bench.checks.append(Check("the last values", 0.5, 0.0))

    monkeypatch.setattr(storing, "compare", differs)
    assert run("bench", "store", "--clips", 10) == 1
    assert "the sides differ: the last values" in capsys.readouterr().err


def test_a_side_that_fails_is_named() -> None:
    lost = Side("lost", "affuse.verification.bench.storing:open_many", {"folder": "no/such/store"})
    with pytest.raises(AffuseError, match=r"lost: .*no/such/store"):
        run_side(lost, 1)


def test_a_target_is_met_from_its_bound_on() -> None:
    assert Target("faster", 6.0, 6.0).met and not Target("faster", 5.9, 6.0).met
    assert Target("memory", 1.1, 1.1, "most").met and not Target("memory", 1.2, 1.1, "most").met


def test_verdicts_about_numbers_of_numpy_are_json() -> None:
    assert Target("faster", np.float64(7), 6.0).met is True
    assert Check("values", np.float64(0.5), 0.1).same is False


def test_a_ratio_is_the_median_over_turns() -> None:
    def runs(*cpu: float) -> list[Run]:
        return [Run(2 * x, x, 1.0, {}, None) for x in cpu]

    both = {"ours": runs(1, 1, 1), "plain": runs(2, 3, 100)}
    assert ratio(both, "plain", "ours") == 3
    assert ratio(both, "ours", "plain", "seconds") == pytest.approx(1 / 3)


def _busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def _through_something_else(seconds: float) -> None:
    _busy(seconds)


def test_the_innermost_named_function_decides_the_stage() -> None:
    table = {f"{__name__}:_busy": "busy", f"{__name__}:_through_something_else": "outer"}
    with Stages(table) as stages:
        _through_something_else(0.2)
        until = time.process_time() + 0.1
        while time.process_time() < until:
            sum(range(1000))
    assert stages.seconds["busy"] == pytest.approx(0.2, abs=0.06)
    assert stages.seconds[OTHER] == pytest.approx(0.1, abs=0.06)
    assert stages.seconds["outer"] < 0.03


def test_the_plain_detector_finds_what_ours_does() -> None:
    import cv2
    from skimage.data import astronaut

    from affuse.media.detectors import create_detector
    from affuse.verification.bench.plain_mtcnn import PlainMTCNN

    image = np.asarray(cv2.resize(astronaut(), (320, 240)), np.uint8)
    (ours,) = create_detector("mtcnn").detect([image])
    plain = PlainMTCNN().detect(image)
    assert len(plain) == len(ours) >= 1
    np.testing.assert_allclose(plain, [face.box for face in ours], atol=0.01)
    assert len(PlainMTCNN().detect(np.full((64, 64, 3), 90, np.uint8))) == 0


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="tells less without /proc")
def test_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    code = "from affuse.verification.bench.sides import peak_memory; print(peak_memory())"
    held = np.ones(500_000_000, np.uint8)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert held.all() and 5 < float(done.stdout) < 250
