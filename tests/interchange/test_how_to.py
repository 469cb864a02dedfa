"""The code of the page about behaviour coding, as a reader runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.faults.timelines import classes_timeline, rows_of
from tests.test_how_tos import ROOT, blocks, do

from affuse.interchange.formats import read_coding


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with the files of the page and a timeline."""
    for name, _, content in blocks("behaviour-coding"):
        if name:
            (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "timelines").mkdir()
    rows = rows_of(*[0.8] * 5, *[0.3] * 3, *[0.9] * 5)
    timeline = classes_timeline(tmp_path / "talk.mp4", rows)
    timeline.write_json(tmp_path / "timelines" / "talk.json")
    return tmp_path


def test_a_timeline_becomes_an_eaf(study: Path) -> None:
    do(study, "convert.py")
    labels = [segment.label for segment in read_coding(study / "talk.eaf").segments]
    assert labels == ["neutral", "unclear", "neutral"]


def test_a_timeline_becomes_tables_of_bids(study: Path) -> None:
    do(study, "to_bids.py")
    name = "bids/sub-01/beh/sub-01_task-talk"
    events = pd.read_csv(study / f"{name}_events.tsv", sep="\t")
    assert [*events.columns] == ["onset", "duration", "trial_type"]
    assert events.onset.tolist() == [0, 5.5, 8.5] and events.duration.sum() == 14
    sidecar = json.loads((study / f"{name}_events.json").read_text())
    assert {*events.trial_type} <= {*sidecar["trial_type"]["Levels"]}
    facts = json.loads((study / f"{name}_recording-affuse_physio.json").read_text())
    table = pd.read_csv(
        study / f"{name}_recording-affuse_physio.tsv.gz",
        sep="\t",
        header=None,
        names=facts["Columns"],
    )
    assert len(table) == 12 * facts["SamplingFrequency"] and facts["StartTime"] == 1
    assert np.allclose(table.sum(axis=1), 1, atol=1e-4)


def test_the_code_is_formatted(study: Path) -> None:
    settings = str(ROOT / "pyproject.toml")
    words = ["-m", "ruff", "format", "--check", "--config", settings, "convert.py", "to_bids.py"]
    done = subprocess.run([sys.executable, *words], cwd=study, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
