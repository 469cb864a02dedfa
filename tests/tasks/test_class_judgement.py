"""Predicted classes beside labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.toy import AUDIO

from affuse.corpora.clip import Clip
from affuse.features.batch import Normalisation
from affuse.models.spec import ModelSpec
from affuse.tasks.class_judgement import ClassJudgement
from affuse.tasks.classification import ClassWindows
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.windows import NotFinite

CLIPS = [Clip("b", speaker="s"), Clip("a", speaker="t")]
NAMES = ["calm", "sad"]
GONE = [np.nan, np.nan]


def judgement() -> ClassJudgement:
    labels = {"b": np.array(0), "a": np.array(1)}
    targets = TrainingTargets(CLIPS, NAMES, lambda clip, *_: labels[clip], {}, {})
    return ClassJudgement(targets, ["av", "audio"])


def spec(*names: str) -> ModelSpec:
    streams, statistics = {AUDIO.name: AUDIO}, {AUDIO.name: Normalisation()}
    return ModelSpec("x", {}, streams, statistics, list(names), window=1.0)


def said(*rows: list[float], anyway: tuple[float, float] = (0.5, 0.5)) -> ClassWindows:
    return ClassWindows(
        np.array(rows, np.float32), np.array(anyway, np.float32), {}, np.zeros(len(rows))
    )


def test_windows_without_anything_are_left_out_and_models_may_have_another_order(
    tmp_path: Path,
) -> None:
    judged = judgement()
    specs = [spec("calm", "sad"), spec("sad", "calm")]
    first, second = said([0.9, 0.1], GONE, [0.7, 0.3]), said([0.4, 0.6])
    for condition in ("audio", "av"):
        for clip in CLIPS:
            judged.add(condition, 0, clip, [first, second], specs)
    assert judged.table["p_calm"].tolist() == pytest.approx([0.7] * 4)
    assert judged.table["condition"].tolist() == ["av", "av", "audio", "audio"]
    assert judged.table["clip"].tolist() == ["a", "b", "a", "b"]
    result = judged.result(None, {})
    assert list(result) == ["conditions"] and result["conditions"]["av"]["accuracy"] == 0.5
    assert judged.result({"rule": "given"}, {})["labels"] == {"rule": "given"}
    judged.write(tmp_path, result)
    judged.draw(tmp_path, result, "title")
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table)[:8] == [
        "fold",
        "condition",
        "baseline",
        "clip",
        "speaker",
        "label",
        "predicted",
        "p_calm",
    ]
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".json", ".png"}


def test_of_a_clip_without_anything_the_answer_to_nothing_counts() -> None:
    judged = judgement()
    judged.add("av", 0, CLIPS[0], [said(GONE, anyway=(0.2, 0.8))], [spec(*NAMES)])
    (row,) = judged.table.to_dict("records")
    assert row["predicted"] == "sad" and row["p_sad"] == pytest.approx(0.8)
    with pytest.raises(NotFinite, match="not finite for clip b"):
        judged.add("av", 0, CLIPS[0], [said(GONE, anyway=(np.nan, 0.8))], [spec(*NAMES)])
