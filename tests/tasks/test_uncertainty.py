"""What a calibrated model does not rule out, in timelines and lines."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.faults.timelines import classes_timeline, values_timeline

from affuse.inference.live import Line
from affuse.models.calibration import MaskCalibration, ModelCalibration
from affuse.models.modelfile import read_spec
from affuse.tasks.uncertainty import classes_left

CLASSES = ["happy", "sad", "angry"]
ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.45, 0.45], [np.nan] * 3], np.float32)
BUNDLED = Path(__file__).parents[2] / "src/affuse/models/bundled/bundled.safetensors"


def made(**limits: list[float | None]) -> ModelCalibration:
    """Thresholds by mask."""
    masks = {name: MaskCalibration(1.0, [], limit, 90, 9) for name, limit in limits.items()}
    return ModelCalibration(0.9, masks)


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_each_window_has_the_threshold_of_what_counts_in_it(tmp_path: Path) -> None:
    """In the second window there is hardly a face: that of sound alone."""
    timeline = classes_timeline(
        tmp_path / "a.mp4",
        ROWS,
        CLASSES,
        window_presence={"audio": np.ones(3), "video": np.array([1.0, 0.05, 1.0])},
        calibration=made(av=[0.85], audio=[0.95]),
    )
    timeline.write_csv(tmp_path / "a.csv")
    timeline.write_json(tmp_path / "a.json")
    told = ["happy|sad", "sad|angry|happy", ""]
    assert [row["not_ruled_out"] for row in read(tmp_path / "a.csv")] == told
    facts = json.loads((tmp_path / "a.json").read_text())
    assert [x["not_ruled_out"] for x in facts["windows"]] == [
        ["happy", "sad"],
        ["sad", "angry", "happy"],
        None,
    ]
    assert facts["coverage"] == 0.9 and facts["not_ruled_out"] == CLASSES


def test_where_nothing_is_promised_nothing_is_said(tmp_path: Path) -> None:
    timeline = classes_timeline(
        tmp_path / "a.mp4", ROWS, CLASSES, calibration=made(av=[None], audio=[0.5])
    )
    timeline.write_csv(tmp_path / "a.csv")
    assert {row["not_ruled_out"] for row in read(tmp_path / "a.csv")} == {""}
    assert classes_left(None, CLASSES, ROWS[0], {"audio"}) is None
    assert classes_left(made(video=[0.5]), CLASSES, ROWS[0], {"audio"}) is None


def test_files_of_models_without_calibration_are_as_they_were(tmp_path: Path) -> None:
    timeline = classes_timeline(tmp_path / "a.mp4", ROWS, CLASSES)
    values = values_timeline(tmp_path / "b.mp4")
    for name, one in (("a", timeline), ("b", values)):
        one.write_csv(tmp_path / f"{name}.csv")
        one.write_json(tmp_path / f"{name}.json")
        facts = json.loads((tmp_path / f"{name}.json").read_text())
        assert not {"coverage", "not_ruled_out", "bands"} & {*facts, *facts.get("windows", [{}])[0]}
        header = [*read(tmp_path / f"{name}.csv")[0]]
        assert not [x for x in header if x.endswith(("_low", "_high", "ruled_out"))]


def test_bands_lie_around_values_and_end_at_the_ends_of_the_scale(tmp_path: Path) -> None:
    values = replace(values_timeline(tmp_path / "b.mp4"), calibration=made(video=[0.25, None]))
    values.write_csv(tmp_path / "b.csv")
    values.write_json(tmp_path / "b.json")
    rows = read(tmp_path / "b.csv")
    for row in rows:
        assert row["arousal_low"] == row["arousal_high"] == ""
        assert (row["valence_low"] == "") == (row["valence"] == "")
    known = [row for row in rows if row["valence"]]
    middle = np.array([float(row["valence"]) for row in known])
    low, high = (np.array([float(row[f"valence_{x}"]) for row in known]) for x in ("low", "high"))
    np.testing.assert_allclose(low, np.maximum(middle - 0.25, -1), atol=2e-6)
    np.testing.assert_allclose(high, np.minimum(middle + 0.25, 1), atol=2e-6)
    facts = json.loads((tmp_path / "b.json").read_text())
    assert len(facts["bands"]["valence_low"]) == len(facts["times"]) and facts["coverage"] == 0.9


@pytest.mark.parametrize("values", [None, [0.7, 0.2, 0.1]])
def test_a_live_line_says_the_same(values: list[float] | None) -> None:
    spec = replace(read_spec(BUNDLED), outputs=CLASSES)
    rows = None if values is None else np.array(values)
    facts: dict[str, Any] = {"time": 1.0, "values": rows, "present": {}, "silent": None}
    line = Line(**facts, modalities=frozenset({"audio"}), latency=0.1)
    assert "not_ruled_out" not in line.to_json(spec)
    told = line.to_json(replace(spec, calibration=made(audio=[0.85])))
    assert told["not_ruled_out"] == (None if values is None else ["happy", "sad"])
