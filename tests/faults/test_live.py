"""Live goes on whatever is missing, and says what predict says of the same recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.cli.main import main
from affuse.features.catalogue import stream_spec
from affuse.models.modelfile import ModelSpec, save_model
from tests.faults.sounds import RATE, face_video, voice, write_pieces, write_wav


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of sound and face with random weights and a window of 2 s."""
    names = ["audio/logmel64-16k", "video/faces48"]
    network = affuse.create_model("late", names, 3)
    specs = {name: stream_spec(name) for name in names}
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, network, ModelSpec("late", {}, specs, {}, ["a", "b", "c"], window=2.0))
    return path


def lines_of(
    capsys: pytest.CaptureFixture[str], path: Path, model: Path, delay: float = 0.4
) -> list[dict]:
    capsys.readouterr()
    words = ["--hop", "0.3", "--delay", str(delay), "--model", str(model)]
    assert main(["live", str(path), *words]) == 0
    said = capsys.readouterr()
    assert "affuse-" not in said.err + said.out and "window.mov" not in said.err
    return [json.loads(line) for line in said.out.splitlines()]


@pytest.mark.parametrize(
    ("seconds", "sound", "late"),
    [(3.5, 1.2, 0.0), (2.0, 0.2, 0.0), (1.0, 3.5, 0.0), (4.0, 1.5, 2.5)],
)
def test_it_goes_on_to_the_end(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    sound: float,
    late: float,
) -> None:
    pytest.importorskip("skimage")
    path = face_video(tmp_path / "a.mov", seconds, voice(sound), sound_start=late)
    lines = lines_of(capsys, path, model)
    times = np.array([line["time"] for line in lines])
    assert times == pytest.approx(np.arange(len(times)) * 0.3 + times[0], abs=2e-3)
    assert times[-1] > max(seconds, sound) - 0.35
    timeline = affuse.predict(path, model)
    for kind, word in (("video", "face"), ("audio", "sound")):
        presence = timeline.presence[kind]
        edges = np.array([edge for span in presence.spans for edge in span])
        far = [not len(edges) or np.abs(edges - time).min() > 0.3 for time in times]
        if word == "sound":  # less than half a second of it is too short, so far
            far = [f and not 0 <= t - late < 0.5 for f, t in zip(far, times, strict=True)]
        assert [line[word] for line in np.array(lines)[far]] == presence.at(times[far]).tolist()


def test_pauses_of_the_sound_are_absent_and_silence_is_silent(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = voice(1.5)
    quiet[round(0.4 * RATE) : round(1.2 * RATE)] = 0
    path = write_pieces(tmp_path / "a.mkv", [(0.0, quiet), (3.0, voice(1.5))], (0.0, 4.5))
    lines = lines_of(capsys, path, model)
    said = {line["time"]: (line["sound"], line["silent"]) for line in lines}
    timeline = affuse.predict(path, model)
    presence = timeline.presence["audio"]
    assert presence.spans == [pytest.approx((0, 1.5), abs=0.1), pytest.approx((3.0, 4.5), abs=0.1)]
    assert presence.silent == pytest.approx(0.8 / 3, abs=0.01)
    for time, (sound, silent) in said.items():
        if 0.2 < time < 1.3 or 1.7 < time < 2.8 or 3.5 < time < 4.4:
            assert (sound, silent) == (not 1.5 < time < 3, 0.4 < time < 1.2), time


def test_opposite_phases_and_bad_samples_say_what_their_twin_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    names = ["audio/logmel64-16k"]
    network = affuse.create_model("audio-only", names, 3)
    spec = ModelSpec(
        "audio-only", {}, {n: stream_spec(n) for n in names}, {}, ["a", "b", "c"], window=2.0
    )
    save_model(tmp_path / "m.safetensors", network, spec)
    sound = voice(3.0)
    bad = sound.copy()
    bad[[100, RATE, 2 * RATE]] = [np.nan, np.inf, 1e30]
    plain = write_wav(tmp_path / "plain.wav", sound)
    expected = lines_of(capsys, plain, tmp_path / "m.safetensors")
    for name, twin in (("phase", np.stack([sound, -sound], 1)), ("bad", bad)):
        path = write_wav(tmp_path / f"{name}.wav", twin)
        lines = lines_of(capsys, path, tmp_path / "m.safetensors")
        assert len(lines) == len(expected)
        for line, other in zip(lines, expected, strict=True):
            assert line["sound"] and line["silent"] == other["silent"]
            assert line["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)
    (record,) = caplog.records
    assert "bad.wav: its sound has samples that are not a number" in record.getMessage()
