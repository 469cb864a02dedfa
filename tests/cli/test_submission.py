"""evaluate, fuse and check --submission on a run of continuous valence and arousal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.affwild2 import HIDDEN, TESTED
from tests.commands import run


@pytest.fixture(scope="module")
def work(affwild2_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, to be written to, beside the synthetic and the store."""
    folder = tmp_path_factory.mktemp("verbs")
    shutil.copytree(affwild2_run / "run", folder / "run")
    for name in ("synthetic", "store"):
        (folder / name).symlink_to(affwild2_run / name)
    return folder


def test_evaluate_prints_a_row_per_condition_and_one_per_rule(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", work / "run") == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split("  ")[0] for line in lines]
    assert lines[0].startswith("run: test clips of 2 fold(s), baseline none, 2 predictions of 2 vi")
    for condition in ("av", "audio", "video"):
        assert condition in starts
    header = next(line for line in lines if line.startswith("condition"))
    for column in ("CCC valence", "CCC arousal", "mean per video"):
        assert column in header
    rules = lines.index("The same predictions (av), scored by other rules:")
    for rule in (
        "default",
        "published, RJCA",
        "published, leader-follower",
        "default, not smoothed",
    ):
        assert rule in starts[rules:]
    assert run("evaluate", work / "run", "--conditions", "noisy-audio", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["conditions"]) == ["noisy-audio"]
    assert result == json.loads((work / "run/evaluation/metrics.json").read_text())
    assert not (work / "run/evaluation/predictions/av").exists()


def test_fuse_and_check_end_to_end(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic, out = work / "synthetic", work / "out"
    words = ["--corpus", synthetic, "--truth", synthetic / "truth"]
    assert run("ensemble", work / "run", "--out", out, *words) == 0
    captured = capsys.readouterr()
    assert "fused" in captured.out and "fold1" in captured.out and "mean" in captured.out
    assert captured.err == ""
    check = ("check", "--submission", out, "affwild2", synthetic)
    assert run(*check) == 0
    assert "nothing is wrong" in capsys.readouterr().out

    assert run("ensemble", work / "run", "--out", out, "--fusion", "weighted", "--json") == 0
    captured = capsys.readouterr()
    assert "30 rows per second" in captured.err and HIDDEN in captured.err
    result = json.loads(captured.out)
    assert result["clips"] == result["without_video"] == [HIDDEN] and len(result["weights"]) == 2
    assert run(*check, "--json") == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert f"{HIDDEN}.txt: line " in problem and "images" in problem


def test_a_video_that_is_damaged_fails_alone(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(work / "synthetic/videos", corpus / "videos")
    (corpus / "videos/video2.mp4").write_bytes(b"nothing")
    words = ["--role", "development", "--corpus", corpus]
    assert run("ensemble", work / "run", "--out", tmp_path / "out", *words) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert "video2.mp4" in line
    assert [path.stem for path in (tmp_path / "out").glob("*.txt")] == [TESTED[0]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["check", "--submission", "out"], "name the corpus too"),
        (["check", "--submission", "nowhere", "affwild2", "synthetic"], "no such folder"),
        (["ensemble", "synthetic", "--out", "out"], "is not a run"),
        (["ensemble", "run", "--out", "out", "--truth", "nowhere"], "no such folder"),
        (["evaluate", "run", "--truth", "nowhere"], "no such folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(work)
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
