"""A source that is read once: what is said when, and what it rests on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.inference.recordings import rewrite, values_model

import affuse
from affuse.cli.main import main
from affuse.tasks.values import ValuesTimeline


def lines_of(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict]:
    capsys.readouterr()
    assert main(["live", *[str(word) for word in words]]) == 0
    printed = capsys.readouterr()
    assert "latency" in printed.err and "delay" in printed.err
    return [json.loads(line) for line in printed.out.splitlines()]


def test_what_comes_later_than_the_delay_changes_nothing(
    both: Path, varying: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From 3 s on, one recording shows and sounds as before, the other goes blank and silent."""
    whole = rewrite(varying, tmp_path / "a.mkv", codec="mjpeg")
    cut = rewrite(varying, tmp_path / "b.mkv", hidden=(3.0, 10.0), silent=3.0, codec="mjpeg")
    words = ["--model", both, "--hop", "0.5", "--delay", "0.5"]
    one, two = (lines_of(capsys, path, *words) for path in (whole, cut))
    assert [line["time"] for line in one] == [line["time"] for line in two]
    assert one[0]["time"] == 0 and one[-1]["time"] == pytest.approx(5.75, abs=0.3)
    said = ("time", "valence", "arousal", "face", "sound")
    for a, b in zip(one, two, strict=True):
        same = [a[key] for key in said] == [b[key] for key in said]
        assert same or a["time"] + 0.5 > 3.0
        assert not (same and a["time"] > 3.2)
        assert a["latency"] > 1.0 and a["dropped"] == 0
    assert two[-1] == two[-1] | {"valence": None, "arousal": None, "face": False, "sound": True}


def test_a_stream_says_about_what_predict_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On sound alone nothing but the windows differs."""
    model = values_model(
        tmp_path / "a.safetensors", ("audio/logmel64-16k",), "audio-only", window=4.0
    )
    random = np.random.default_rng(0)
    loudness = np.repeat(random.uniform(0.001, 0.3, 20), 8000)
    soundfile.write(tmp_path / "x.wav", loudness * random.normal(0, 1, 160000), 16000)
    timeline: ValuesTimeline = affuse.predict(tmp_path / "x.wav", model)
    lines = lines_of(capsys, tmp_path / "x.wav", "--model", model, "--hop", 0.25, "--delay", 0.5)
    assert len(lines) == 41 and all(line["face"] is None and line["sound"] for line in lines)
    alike = {}
    for shift in (-0.5, 0, 0.5):
        there = [np.abs(timeline.times - line["time"] - shift).argmin() for line in lines]
        values = [line["valence"] for line in lines]
        alike[shift] = np.corrcoef(values, timeline.values[there, 0])[0, 1]
    assert max(alike, key=alike.get) == 0 and alike[0] > 0.8


def test_a_stream_of_a_face_says_about_what_predict_says(
    both: Path, varying: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timeline: ValuesTimeline = affuse.predict(varying, both)
    lines = lines_of(capsys, varying, "--model", both, "--hop", 0.48, "--delay", 0.96)
    there = [np.abs(timeline.times - line["time"]).argmin() for line in lines]
    values = np.array([line["valence"] for line in lines])
    assert np.abs(values - timeline.values[there, 0]).mean() < 0.15


def test_classes_have_probabilities(
    varying: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from affuse.features.catalogue import stream_spec
    from affuse.models.modelfile import ModelSpec, save_model

    names = ["audio/mfcc10"]
    network = affuse.create_model("audio-only", names, 3)
    specs = {name: stream_spec(name) for name in names}
    spec = ModelSpec("audio-only", {}, specs, {}, ["a", "b", "c"], window=2.0)
    save_model(tmp_path / "m.safetensors", network, spec)
    lines = lines_of(capsys, varying, "--model", tmp_path / "m.safetensors")
    assert [line["time"] for line in lines] == [1, 2, 3, 4, 5, 6][: len(lines)]
    for line in lines:
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_opened_is_one_line(
    both: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("no video\n" * 30)
    soundfile.write(tmp_path / "x.wav", np.zeros(8000), 16000)
    words = ["--model", str(both)]
    for source, more, reason in (
        (tmp_path / "none.mp4", [], "cannot be opened"),
        (tmp_path / "text.mp4", [], "cannot be opened"),
        (tmp_path, [], "is a directory"),
        (tmp_path / "x.wav", ["--hop", "0"], "--hop must be positive"),
        (tmp_path / "x.wav", ["--delay", "9"], "--delay must lie between 0 and the window"),
    ):
        assert main(["live", str(source), *words, *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("affuse live: ") and reason in line


@pytest.mark.parametrize("stalled", [True, False])
def test_ctrl_c_ends_it(both: Path, varying: Path, tmp_path: Path, stalled: bool) -> None:
    """Also while nothing comes any more."""
    words = ["-"] if stalled else [str(varying), "--realtime"]
    with subprocess.Popen(
        [sys.executable, "-m", "affuse", "live", *words, "--model", str(both)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        if stalled:
            data = rewrite(varying, tmp_path / "x.mkv", codec="mjpeg").read_bytes()
            process.stdin.write(data)  # and it stays open
            process.stdin.flush()
        assert json.loads(process.stdout.readline())["time"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        printed = process.stderr.read().decode()
        assert "interrupted" in printed and "Traceback" not in printed


def test_a_file_is_read_no_faster_than_it_was_recorded(tmp_path: Path) -> None:
    from affuse.media.live import Live
    from affuse.media.source import open_source

    path: Path = tmp_path / "x.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    with open_source(str(path)) as packets:
        live = Live(packets, keep=2.0, realtime=True)
        began = time.monotonic()
        while live.step():
            pass
        assert 0.8 < time.monotonic() - began < 2
        assert live.end == pytest.approx(1.0)


def test_features_that_belong_to_files_cannot_follow_a_source(
    varying: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from affuse.features.stream import StreamSpec
    from affuse.models.modelfile import ModelSpec, save_model

    stream = StreamSpec("video/openface", 30.0, (6,), recipe={"extractor": "openface"})
    spec = ModelSpec("video-only", {}, {stream.name: stream}, {}, ["a", "b"], window=2.0)
    save_model(tmp_path / "m.safetensors", spec.build(), spec)
    assert main(["live", str(varying), "--model", str(tmp_path / "m.safetensors")]) == 2
    assert "video/openface, which a live source does not have" in capsys.readouterr().err
