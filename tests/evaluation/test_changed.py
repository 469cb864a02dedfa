"""Evaluation on changed recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.melodies import melody_corpus, prepare_melodies, train_melodies

from affuse.cli.main import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores `plain` and `noisy`, and a run of one fold."""
    folder = melody_corpus(tmp_path_factory.mktemp("changed"))
    prepare_melodies(folder, "noisy", "babble=0")
    assert train_melodies(folder, "run") == 0
    return folder


def test_results_name_what_was_changed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, noisy, out = (str(trained / name) for name in ("run", "noisy", "run/evaluation-noisy"))
    assert main(["evaluate", run, "--store", noisy, "--out", out]) == 0
    assert "babble=0" in capsys.readouterr().out.splitlines()[0]
    assert json.loads(Path(out, "metrics.json").read_text())["changes"] == ["babble=0"]
    assert main(["evaluate", run]) == 0
    plain = json.loads((trained / "run/evaluation/metrics.json").read_text())
    assert "changes" not in plain


def test_results_of_changed_recordings_replace_no_others(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained / "run"), "--store", str(trained / "noisy")]) == 2
    assert "of changed recordings (babble=0); say where" in capsys.readouterr().err
