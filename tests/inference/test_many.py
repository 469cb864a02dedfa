"""`affuse predict` on folders: jobs, going on, the summary, and what cannot be used."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.commands import refused, run
from tests.faults.models import tone, voice_model
from tests.faults.test_workers import SITECUSTOMIZE
from tests.folders import tree
from tests.inference.recordings import values_model

AFFUSE = [sys.executable, "-m", "affuse"]


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder `in` of recordings, two of one name, and one that cannot be read; words to predict
    it."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a", "b", "one/a", "one/two/c")):
        tone(Path("in", f"{name}.wav"), 1 + 0.5 * number)
    tone(Path("in/.hidden.wav"))
    Path("in/broken.wav").write_text("no sound")
    return ["predict", "in", "--model", str(voice_model(tmp_path / "m.safetensors"))]


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def test_results_do_not_depend_on_the_number_of_jobs(sounds: list[str]) -> None:
    for jobs in (1, 2):
        assert run(*sounds, "--jobs", jobs, "--out", f"out{jobs}") == 2
    made = tree(Path("out1"))
    assert made == tree(Path("out2"))
    names = ["a", "b", "one/a", "one/two/c"]
    assert {name for name in made if name.endswith(".png")} == {f"{name}.png" for name in names}


def test_the_summary_has_a_row_per_recording_and_failures_have_their_reason(
    sounds: list[str],
) -> None:
    assert run(*sounds, "--out", "out") == 2
    rows = rows_of("out/summary.csv")
    assert [(row["recording"], row["timeline"], row["person"]) for row in rows] == [
        ("in/a.wav", "a", "1"),
        ("in/b.wav", "b", "1"),
        ("in/one/a.wav", "one/a", "1"),
        ("in/one/two/c.wav", "one/two/c", "1"),
    ]
    for row in rows:
        told = json.loads(Path("out", f"{row['timeline']}.json").read_text())
        assert float(row["duration"]) == told["duration"]
        assert {c: float(row[c]) for c in told["probabilities"]} == told["probabilities"]
        assert row["emotion"] == told["emotion"] and row["seen"] == ""
        assert float(row["heard"]) == told["presence"]["audio"]["share"] == 1.0
        assert (float(row["withheld"]), float(row["predicted"])) == (0.0, 1.0)
    (failure,) = rows_of("out/failures.csv")
    assert failure["recording"] == "in/broken.wav"
    assert failure["reason"].startswith("not a recording that can be decoded")


def test_what_is_withheld_and_most_frequent_are_shares_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise, then digital silence: the windows in which nothing can be heard are withheld."""
    monkeypatch.chdir(tmp_path)
    sound = 0.1 * np.random.default_rng(0).standard_normal(16000 * 8)
    sound[16000 * 4 :] = 0
    Path("in").mkdir()
    soundfile.write("in/half.wav", sound, 16000)
    model = voice_model(tmp_path / "m.safetensors")
    assert run("predict", "in", "--model", model, "--out", "out", "--low-quality=withhold") == 0
    (row,) = rows_of("out/summary.csv")
    windows = json.loads(Path("out/half.json").read_text())["windows"]
    count = sum(window["withheld"] for window in windows)
    assert 0 < count < len(windows)
    assert float(row["withheld"]) == pytest.approx(0.5, abs=0.1)
    assert float(row["withheld"]) + float(row["predicted"]) == pytest.approx(1, abs=2e-4)
    assert row["low_quality_reasons"] == "quiet"


def test_the_summary_of_continuous_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tone(Path("in/x.wav"), 3.0)
    model = values_model(tmp_path / "v.safetensors", name="late")
    assert run("predict", "in", "--model", model, "--out", "out") == 0
    (row,) = rows_of("out/summary.csv")
    told = json.loads(Path("out/x.json").read_text())
    for name in ("valence", "arousal"):
        facts = told["dimensions"][name]
        assert {fact: float(row[f"{name}_{fact}"]) for fact in facts} == facts
        assert float(row[f"{name}_sd"]) == pytest.approx(np.std(told["values"][name]), abs=1e-5)


def test_resume_leaves_out_what_was_done_and_ends_in_the_same_bytes(
    sounds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*sounds, "--out", "whole") == 2
    assert run("predict", "in/a.wav", "in/b.wav", *sounds[2:], "--out", "out") == 0
    Path("out/b.csv").unlink()  # as if killed on the way
    before = Path("out/a.png").stat().st_mtime_ns
    capsys.readouterr()
    assert run(*sounds, "--out", "out", "--resume") == 2
    printed = capsys.readouterr()
    assert "1 of 5 done before; 1 done again" in printed.err
    assert [line.split(": ")[0] for line in printed.out.splitlines()] == [
        "in/b.wav",
        "in/one/a.wav",
        "in/one/two/c.wav",
    ]
    assert Path("out/a.png").stat().st_mtime_ns == before
    assert tree(Path("out")) == tree(Path("whole"))


@pytest.mark.parametrize("change", ["option", "model", "recording", "timeline"])
def test_resume_does_again_what_changed(
    sounds: list[str], capsys: pytest.CaptureFixture[str], change: str
) -> None:
    words = ["predict", "in/a.wav", *sounds[2:], "--out", "out", "--resume"]
    assert run(*words) == 0 and run(*words) == 0
    assert "1 of 1 done before" in capsys.readouterr().err
    if change == "option":
        words += ["--hop", "0.5"]
    elif change == "model":
        values_model(Path("m.safetensors"), ("audio/logmel64-16k",), "audio-only")
    elif change == "recording":
        tone(Path("in/a.wav"), 2.0)
    else:
        Path("out/a.json").write_text(Path("out/a.json").read_text() + " ")
    assert run(*words) == 0
    assert "0 of 1 done before; 1 done again" in capsys.readouterr().err


def test_nothing_but_own_tables_is_replaced(
    sounds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    Path("out/summary.csv").write_text("name,mine\n")
    line = refused(capsys, *sounds, "--out", "out")
    assert line.startswith("affuse predict: out/summary.csv: is there already and is no table")
    assert [path.name for path in Path("out").iterdir()] == ["summary.csv"]


def test_a_recording_called_summary_is_kept_apart_from_the_table(sounds: list[str]) -> None:
    tone(Path("in/summary.wav"))
    assert run(*sounds, "--out", "in") == 2
    assert {row["timeline"] for row in rows_of("in/summary.csv")} >= {"a", "summary_"}
    assert run(*sounds, "--out", "in") == 2  # tables and records are no recordings
    assert len(rows_of("in/failures.csv")) == 1


@pytest.mark.slow
def test_a_decoder_that_dies_takes_nothing_else_with_it(
    sounds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(Path("in/crashes.wav"))
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text(SITECUSTOMIZE)
    path = os.pathsep.join([str(Path("site").absolute()), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*AFFUSE, *sounds, "--jobs", "2", "--out", "out"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(rows_of("out/summary.csv")) == 4
    reasons = {row["recording"]: row["reason"] for row in rows_of("out/failures.csv")}
    assert [*reasons] == ["in/broken.wav", "in/crashes.wav"]
    killed = "the process that decoded it was killed by signal 11 (SIGSEGV)"
    assert reasons["in/crashes.wav"] == killed


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_batch_goes_on_to_the_same_bytes(sounds: list[str], how: signal.Signals) -> None:
    for number in range(12):
        tone(Path("in", f"long{number}.wav"), 20)
    words = [*AFFUSE, *sounds, "--jobs", "2", "--out", "out"]
    with subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        until = time.monotonic() + 120
        while len(list(Path("out").rglob(".done/**/*.json"))) < 3:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(how)
        _, printed = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130 and "--resume" in printed and "Traceback" not in printed
        left = {path.name for path in Path("out").rglob("*") if path.name.startswith(".")}
        assert left == {".done"}, "no temporary files"
    assert not Path("out/summary.csv").exists()
    assert subprocess.run([*words, "--resume"], stdout=subprocess.DEVNULL).returncode == 2
    assert run(*sounds, "--jobs", 1, "--out", "whole") == 2
    assert tree(Path("out")) == tree(Path("whole"))
