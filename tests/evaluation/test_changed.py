"""Evaluation on changed recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from affuse.cli.main import main

STREAM, RATE = "audio/logmel64-16k", 16000


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores `plain` and `noisy`, and a run of one fold."""
    folder = tmp_path_factory.mktemp("changed")
    random = np.random.default_rng(0)
    (folder / "wav").mkdir()
    lines = ["path,speaker,label"]
    for k in range(8):
        steps = np.repeat(random.uniform(150, 400, 10) * (1 + k % 2), RATE // 10)
        tone = 0.1 * np.sin(2 * np.pi * np.cumsum(steps) / RATE)
        soundfile.write(folder / f"wav/{k}.wav", tone.astype(np.float32), RATE, subtype="FLOAT")
        lines.append(f"{k}.wav,s{k // 2},{('joy', 'anger')[k % 2]}")
    (folder / "wav/clips.csv").write_text("\n".join(lines) + "\n")
    base = ["prepare", "folder", str(folder / "wav"), "--streams", STREAM]
    assert main([*base, "--store", str(folder / "plain")]) == 0
    assert main([*base, "--store", str(folder / "noisy"), "--change", "babble=0"]) == 0
    recipe = {
        "name": "changed",
        "corpus": "folder",
        "protocol": "leave-one-speaker-out",
        "streams": [STREAM],
        "model": {"name": "audio-only"},
        "window": 1.0,
        "epochs": 2,
        "selection": "last",
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    train = ["train", str(folder / "recipe.yaml"), "fold=0", "--store", str(folder / "plain")]
    assert main([*train, "--out", str(folder / "run"), "--allow", "near-audio,same-features"]) == 0
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
