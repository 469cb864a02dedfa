"""`affuse agree`: people and models about the same recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from tests.faults.timelines import classes_timeline, rows_of, values_timeline

from affuse.cli.main import main
from affuse.evaluation.agreement import agreement
from affuse.inference.coding import coding_of
from affuse.interchange.formats import FORMATS, write_coding
from affuse.interchange.segments import Coding, Segment
from affuse.metrics.concordance import ccc
from affuse.tasks.prediction import Prediction

#: Start and end in seconds, and label.
Labels = Sequence[tuple[float, float, str]]


def write(
    path: Path, *labels: tuple[float, float, str], person: str = "", signal: str = "emotion"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    segments = [Segment(person, signal, a, b, label) for a, b, label in labels]
    write_coding(path, Coding(segments))
    return path


def in_files(timeline: Prediction, folder: Path) -> None:
    """Write what `affuse predict` writes but for images."""
    timeline.write_json(folder / "talk.json")
    timeline.write_csv(folder / "talk.csv")
    for one in FORMATS.values():
        one.write(folder / f"talk{one.ending}", coding_of([timeline]))


def only_pair(words: Sequence[Path], **options: Any) -> dict[str, Any]:
    (signal,) = agreement(words, **options)["signals"].values()
    (pair,) = signal["pairs"]
    return pair


def test_frames_are_counted_and_scored_as_by_hand(tmp_path: Path) -> None:
    one = write(tmp_path / "ann.eaf", (0, 1, "happy"), (1, 2, "sad"), (2, 3, "happy"))
    other = write(
        tmp_path / "ben.TextGrid", (0, 1.5, "happy"), (1.5, 2.5, "sad"), (2.5, 3, "happy")
    )
    pair = only_pair([one, other])
    a = ["happy"] * 10 + ["sad"] * 10 + ["happy"] * 10
    b = ["happy"] * 15 + ["sad"] * 10 + ["happy"] * 5
    assert pair["frames"] == 30 and pair["agreement"] == pytest.approx(20 / 30)
    assert pair["kappa"] == pytest.approx(cohen_kappa_score(a, b))
    assert pair["confusion"] == [[15, 5], [5, 5]]
    assert pair["per_class"]["sad"]["agreement"] == pytest.approx(10 / 20)
    assert pair["kappa_interval_95"] == [None, None]


def test_what_is_unlabelled_or_not_sure_is_left_out_and_counted(tmp_path: Path) -> None:
    one = write(tmp_path / "a.eaf", (0, 1, "happy"), (1, 1.5, "?"), (2, 3, "sad"))
    other = write(tmp_path / "b.vtt", (0, 0.5, "Unclear"), (0.5, 2.5, "happy"), (2.2, 3, "sad"))
    signal = agreement([one, other])["signals"]["emotion"]
    counts = [*signal["counts"].values()]
    assert counts[0] == {"labelled": 20, "unlabelled": 5, "not_sure": 5, "several_labels": 0}
    assert counts[1] == {"labelled": 22, "unlabelled": 0, "not_sure": 5, "several_labels": 3}
    (pair,) = signal["pairs"]
    assert pair["frames"] == 12 and signal["frames"] == 30  # 0.5 to 1, 2 to 2.2, 2.5 to 3
    assert signal["classes"] == ["happy", "sad"]
    assert signal["no_interval"] == "an interval needs 3 recordings, not 1"


def test_other_names_of_an_emotion_count_as_it_and_a_map_goes_before(tmp_path: Path) -> None:
    one = write(tmp_path / "a.eaf", (0, 1, "Happiness"), (1, 2, "bored"))
    other = write(tmp_path / "b.eaf", (0, 1, "happy"), (1, 2, "neutral"))
    plain = agreement([one, other])
    assert plain["counted_as"] == {"happiness": "happy"}
    assert plain["signals"]["emotion"]["pairs"][0]["agreement"] == 0.5
    meant = agreement([one, other], meant={"bored": "neutral", "happiness": "sad"})
    assert meant["counted_as"] == {"bored": "neutral", "happiness": "sad"}
    assert meant["signals"]["emotion"]["pairs"][0]["agreement"] == 0.5


def test_a_timeline_agrees_with_its_own_files(tmp_path: Path) -> None:
    timeline = classes_timeline(tmp_path / "talk.mp4", rows_of(0.8, 0.7, 0.3, None, 0.9))
    rows = np.roll(timeline.probabilities, 1, axis=1)
    rows[4] = timeline.probabilities[4]
    timeline = replace(timeline, probabilities=rows)
    in_files(timeline, tmp_path)
    for end in (*(one.ending for one in FORMATS.values()), ".csv"):
        pair = only_pair([tmp_path / f"talk{end}", tmp_path / "talk.json"])
        assert pair["frames"] == 40 and pair["kappa"] == 1.0 and pair["alpha"] == 1.0


def test_people_are_matched_by_name_and_the_others_said(tmp_path: Path) -> None:
    def both(path: Path, *people: str) -> Path:
        segments = [Segment(p, "emotion", 0, 1, "ab"[k]) for k, p in enumerate(people)]
        write_coding(path, Coding(segments))
        return path

    one = both(tmp_path / "a.eaf", "ann", "ben")
    other = both(tmp_path / "b.eaf", "ann", "cem")
    result = agreement([one, other])
    assert result["signals"]["emotion"]["frames"] == 10
    assert result["left_out"] == [
        f"a: emotion of ben only by {one}",
        f"a: emotion of cem only by {other}",
    ]


def test_recordings_are_matched_by_name_and_give_intervals(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("r1", "r2", "r3", "r4", "r5"):
        for coder in ("ann", "ben"):
            cuts = np.cumsum(random.uniform(0.5, 1.5, 8))
            labels = [(a, b, "ab"[k % 2]) for k, (a, b) in enumerate(pairwise(cuts))]
            write(tmp_path / coder / f"{name}.eaf", *labels)
    write(tmp_path / "ben" / "r9.eaf", (0, 1, "a"))
    result = agreement([tmp_path / "ann", tmp_path / "ben" / "*.eaf"])
    assert result["recordings"] == ["r1", "r2", "r3", "r4", "r5"]
    assert result["left_out"] == [f"r9: only {tmp_path}/ben/*.eaf has it"]
    (pair,) = result["signals"]["emotion"]["pairs"]
    for score in ("agreement", "kappa", "alpha"):
        low, high = pair[f"{score}_interval_95"]
        assert low < pair[score] < high
    assert "no_interval" not in result["signals"]["emotion"]


def test_three_coders_have_three_pairs_and_one_alpha(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{k}.eaf", (0, 1 + k / 10, "x"), (1 + k / 10, 2, "y")) for k in range(3)
    ]
    signal = agreement(paths)["signals"]["emotion"]
    assert len(signal["pairs"]) == 3 and 0.8 < signal["alpha"] < 1
    assert [pair["confusion"][0][1] + pair["confusion"][1][0] for pair in signal["pairs"]] == [
        1,
        2,
        1,
    ]


def test_numbers_have_ccc(tmp_path: Path) -> None:
    timeline = values_timeline(tmp_path / "talk.mp4")
    in_files(timeline, tmp_path)
    result = agreement([tmp_path / "talk.eaf", tmp_path / "talk.json"], step=0.04)
    assert {*result["signals"]} == {"valence", "arousal"}
    pair = result["signals"]["valence"]["pairs"][0]
    assert result["signals"]["valence"]["kind"] == "dimension"
    assert pair["frames"] == 200 and 0.95 < pair["ccc"] < 1 and 0.95 < pair["alpha"] < 1
    column = timeline.values[timeline.known, 0].astype(float)
    again = agreement([tmp_path / "talk.json", tmp_path / "talk.csv"], step=0.04)
    assert again["signals"]["valence"]["pairs"][0]["ccc"] == pytest.approx(ccc(column, column))


def test_tiers_of_other_names_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a.TextGrid", (0, 1, "x"), signal="Affekt")
    other = write(tmp_path / "b.eaf", (0, 1, "x"), person="ann")
    assert main(["agree", str(one), str(other)]) == 2
    said = capsys.readouterr().err
    assert f"no tier is labelled by all; name one of each with --tier: {one} has Affekt; " in said
    assert main(["agree", str(one), str(other), "--tier", "Affekt", "--tier", "emotion"]) == 0
    assert main(["agree", str(one), str(other), "--tier", "Affekt"]) == 2
    assert f"{other}: no tier 'Affekt'; there are emotion@ann" in capsys.readouterr().err


def test_the_table_and_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a.eaf", (0, 1, "joy"), (1, 2, "sad"))
    other = write(tmp_path / "b.eaf", (0, 1, "happy"), (1, 2, "sad"))
    (tmp_path / "map.txt").write_text("joy=happy\n")
    words = ["agree", str(one), str(other), "--map", str(tmp_path / "map.txt")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "recording a = b, frames of 0.1 s" in out and "counted as: joy as happy" in out
    assert "Cohen's kappa                        1.000" in out
    assert "no intervals: an interval needs 3 recordings, not 1" in out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signals"]["emotion"]["pairs"][0]["kappa"] == 1.0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a.eaf"], "agreement needs two coders"),
        (["a.eaf", "b.eaf", "--step", "0"], "--step must be 0.001 to 60 seconds"),
        (["a.eaf", "c.eaf"], "c.eaf: No such file"),
        (["a.eaf", "empty"], "empty: holds no file of labels"),
        (["a.eaf", "b.eaf", "--map", "joy="], "--map: 'joy=' is no LABEL=LABEL"),
        (["a.eaf", "b.eaf", "--map", "nothing.txt"], "nothing.txt: No such file"),
        (
            ["a.eaf", "b.eaf", "--tier", "x", "--tier", "y", "--tier", "z"],
            "3 tiers are named for 2",
        ),
        (["one", "two"], "no recording is labelled by all; a: only one has it"),
        (["one", "twice"], "is another file about a of the same coder (twice)"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.eaf", "b.eaf", "one/a.eaf", "one/b.eaf", "two/c.eaf", "two/d.eaf"):
        write(Path(name), (0, 1, "x"))
    write(Path("twice/a.eaf"), (0, 1, "x"))
    write(Path("twice/a.vtt"), (0, 1, "x"))
    Path("empty").mkdir()
    assert main(["agree", *words]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1


def test_other_texts_and_tables_in_a_folder_are_not_read(tmp_path: Path) -> None:
    for coder in ("ann", "ben"):
        write(tmp_path / coder / "talk.labels.txt", (0, 1, "x"), (1, 2, "y"))
        (tmp_path / coder / "LICENCE.txt").write_text("CC0\n")
        (tmp_path / coder / "clips.csv").write_text("path,labels\n")
    pair = only_pair([tmp_path / "ann", tmp_path / "ben"])
    assert pair["kappa"] == 1.0
    (tmp_path / "out").mkdir()
    timeline = classes_timeline(tmp_path / "talk.mp4", rows_of(0.8, 0.8, classes=2), ["x", "y"])
    in_files(timeline, tmp_path / "out")
    (tmp_path / "out" / "talk-explained.json").write_text("{}")
    assert only_pair([tmp_path / "ann", tmp_path / "out"])["frames"] == 20


def test_labels_give_the_terminal_no_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "a.txt", (0, 1, "\x1b[31mred"), (1, 2, "y"))
    assert main(["agree", str(one), str(one)]) == 0
    out = capsys.readouterr().out
    assert "\\x1b[31mred" in out and "\x1b" not in out
