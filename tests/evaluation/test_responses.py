"""`affuse events`: what timelines say around events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.faults.timelines import classes_timeline, rows_of

from affuse.cli.main import main

CLASSES = ("neutral", "happy", "sad")


def made(folder: Path, name: str, rise: float, windows: int = 20) -> Path:
    """A timeline in which the first class rises at 10 s: windows of 2 s, 1 s apart, or unknown."""
    tops = [0.2 if k < 10 else 0.2 + rise for k in range(windows)]
    return written(folder / f"{name}.json", rows_of(*tops, classes=3))


def written(path: Path, rows: np.ndarray) -> Path:
    classes_timeline(path.with_suffix(".mp4"), rows, CLASSES).write_json(path)
    return path


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_change_after_an_event_is_found_by_condition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [made(tmp_path, f"r{k}", rise) for k, rise in enumerate((0.3, 0.4, 0.5, 0.6))]
    rows = [f"10.5,loss,r{k}.mp4\n5,win,r{k}" for k in range(4)]
    events = table(tmp_path / "events.csv", "time,condition,recording", *rows)
    out = tmp_path / "out"
    words = ["events", str(events), *map(str, paths), "--before", "2", "--after", "3"]
    assert main([*words, "--out", str(out)]) == 0
    one = pd.read_csv(out / "responses.csv")
    assert len(one) == 8 * len(CLASSES) and {*one.recording} == {"r0", "r1", "r2", "r3"}
    loss = one[(one.condition == "loss") & (one.signal == "neutral")]
    assert (loss.after - loss.before).between(0.2, 0.6).all()
    win = one[one.condition == "win"]
    assert np.allclose(win.after, win.before, atol=1e-4)
    means = pd.read_csv(out / "means.csv")
    curve = means[(means.condition == "loss") & (means.signal == "neutral")].set_index("offset")
    assert [*curve.index[:1], *curve.index[-1:]] == [-2.0, 3.0] and len(curve) == 51
    assert curve["mean"][-2.0] == pytest.approx(0.2) and curve["mean"][3.0] == pytest.approx(0.65)
    assert (curve.low[3.0] < 0.65) & (curve.high[3.0] > 0.65) and {*curve.groups} == {4}
    assert (out / "means.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "loss" in said and "no intervals" not in said


def test_the_time_before_is_taken_away_on_request(tmp_path: Path) -> None:
    path = made(tmp_path, "r", 0.5)
    explained = tmp_path / "r-explained.json"  # `timelines/*.json` names explanations, too
    explained.write_text("{}")
    events = table(tmp_path / "e.csv", "time", "10")
    words = [
        "events",
        str(events),
        str(path),
        str(explained),
        "--baseline-correct",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 0
    one = pd.read_csv(tmp_path / "o" / "responses.csv").set_index("signal").loc["neutral"]
    assert one.before == pytest.approx(0.2, abs=1e-5) and 0.2 < one.change < 0.5
    assert one.change == pytest.approx(one.after - one.before, abs=2e-6)
    means = pd.read_csv(tmp_path / "o" / "means.csv").query("signal == 'neutral'")
    assert means[means.offset < 0]["mean"].mean() == pytest.approx(0, abs=1e-6)
    assert means[means.offset >= 0]["mean"].mean() == pytest.approx(one.change, abs=1e-5)
    assert {*means.condition} == {"all"}


def test_events_of_one_speaker_are_one_and_too_few_have_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [made(tmp_path, f"r{k}", 0.5) for k in range(3)]
    rows = [f"10,r{k},ann" for k in range(3)]
    events = table(tmp_path / "e.csv", "time,recording,speaker", *rows)
    assert main(["events", str(events), *map(str, paths), "--out", str(tmp_path / "o")]) == 0
    assert {*pd.read_csv(tmp_path / "o" / "means.csv").groups} == {1}
    assert "no intervals of all: they need 3 recordings or people" in capsys.readouterr().out


def test_events_without_a_response_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path, "r", 0.5)
    rows = ["10,r,1", "10,r,2", "10,s,", "100,r,"]
    events = table(tmp_path / "e.csv", "time,recording,person", *rows)
    assert main(["events", str(events), str(path), "--out", str(tmp_path / "o")]) == 0
    said = capsys.readouterr().err
    assert "event at 10 s in r of person2: no timeline of it was named" in said
    assert "event at 10 s in s: no timeline of it was named" in said
    assert "event at 100 s in r: nothing is known around it" in said


def test_unknown_windows_are_no_values(tmp_path: Path) -> None:
    rows = rows_of(0.2, 0.2, None, None, None, None, 0.8, 0.8, 0.8, classes=3)
    written(tmp_path / "r.json", rows)
    events = table(tmp_path / "e.csv", "time", "5")
    words = ["events", str(events), str(tmp_path / "r.json"), "--before", "4", "--after", "4"]
    assert main([*words, "--out", str(tmp_path / "o")]) == 0
    means = pd.read_csv(tmp_path / "o" / "means.csv")
    curve = means[means.signal == "neutral"].set_index("offset")["mean"]
    assert curve[-4.0] == pytest.approx(0.2) and curve[4.0] == pytest.approx(0.8)
    assert np.isnan(curve[0.0]) and {*curve.dropna().round(4)} == {0.2, 0.8}


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("when\n1\n", [], "e.csv: line 1: no column time"),
        ("time\nsoon\n", [], "e.csv: line 2: time 'soon' is no number of seconds"),
        ("time\n", [], "e.csv: lists no events"),
        ("time\n10\n", ["--after", "-1"], "--after must be 0.001 to 3600 seconds"),
        ("time\n10\n", ["--before", "0.05"], "must be at least a --step of 0.1 s"),
        ("time\n100\n", [], "no event has a response; event at 100 s in r"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    reason: str,
) -> None:
    path = made(tmp_path, "r", 0.5)
    (tmp_path / "e.csv").write_text(text)
    words = ["events", str(tmp_path / "e.csv"), str(path), "--out", str(tmp_path / "o"), *options]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_several_recordings_need_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [made(tmp_path, name, 0.5) for name in ("r", "s")]
    events = table(tmp_path / "e.csv", "time", "10")
    assert main(["events", str(events), *map(str, paths), "--out", str(tmp_path / "o")]) == 2
    assert "has no column recording" in capsys.readouterr().err
