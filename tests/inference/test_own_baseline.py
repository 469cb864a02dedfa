"""Predicting people beside what is known of them: by recordings, and by their own past, live."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tests.inference.people import side_by_side

import affuse
from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.features.baseline import Baselines, evidence_of, together
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.baseline import BaselineReader
from affuse.inference.live import KEPT, Line, follow
from affuse.inference.past import Past
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.media.source import open_source
from affuse.models.modelfile import ModelSpec, read_spec, save_model
from affuse.tasks.timeline import Timeline

VOICE = "audio/mfcc10"


def write_model(
    path: Path,
    name: str = "audio-only",
    streams: tuple[str, ...] = (VOICE,),
    shrinkage: float | None = 2.0,
) -> Path:
    """A model file; what it says is arbitrary, how it is applied is not."""
    torch.manual_seed(0)
    network = affuse.create_model(name, list(streams), 3)
    statistics = {
        VOICE: Normalisation((-5.0,) * 10, (40.0,) * 10),
        "video/faces48": Normalisation(std=(255.0,)),
    }
    spec = ModelSpec(
        model=name,
        options={},
        streams={stream: stream_spec(stream) for stream in streams},
        normalisation={stream: statistics[stream] for stream in streams},
        outputs=["neutral", "happy", "sad"],
        window=1.0,
        shrinkage=shrinkage,
    )
    save_model(path, network, spec)
    return path


def write_sound(path: Path, seed: int, seconds: float = 4.0) -> Path:
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.uniform(0.01, 0.3, round(seconds * 4)), 4000)
    soundfile.write(path, loudness * random.normal(0, 1, len(loudness)), 16000)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.safetensors")


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    (tmp_path / "in").mkdir()
    return [write_sound(tmp_path / f"in/{name}.wav", k) for k, name in enumerate("abc")]


def test_a_baseline_is_what_moves_the_streams(model: Path, sounds: list[Path]) -> None:
    plain: Timeline = affuse.predict(sounds[0], model)
    known: Timeline = affuse.predict(sounds[0], model, baseline=sounds[1:])
    assert plain.baseline is not None and plain.baseline.to_json()["recordings"] == 0
    assert known.baseline is not None and known.baseline.recordings == 2
    assert known.baseline.seconds["audio"] == pytest.approx(8, abs=0.2)
    assert np.abs(known.probabilities - plain.probabilities).max() > 1e-3
    spec = read_spec(model)
    assert spec.baselines is not None
    reader = BaselineReader(model, spec)
    parts = [reader.read(path) for path in sounds[1:]]
    mean, std = spec.baselines.statistics(VOICE, together(part.known for part in parts))
    other = write_model(model.with_name("by_hand.safetensors"), shrinkage=None)
    network, plain_spec = affuse.load_model(other)
    plain_spec.normalisation = {VOICE: Normalisation(tuple(mean.tolist()), tuple(std.tolist()))}
    save_model(other, network, plain_spec)
    by_hand: Timeline = affuse.predict(sounds[0], other)
    np.testing.assert_allclose(known.probabilities, by_hand.probabilities, atol=1e-4)


def test_files_say_how_much_was_known(
    model: Path, sounds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["predict", str(sounds[0]), "--model", str(model), "--out", str(out)]
    assert main([*words, "--baseline", str(sounds[1])]) == 0
    facts = json.loads((out / "a.json").read_text())["baseline"]
    assert facts["recordings"] == 1 and facts["seconds"]["audio"] == pytest.approx(4, abs=0.1)
    rows = list(csv.DictReader((out / "a.csv").open()))
    assert {row["audio_baseline"] for row in rows} == {f"{facts['seconds']['audio']:.1f}"}
    assert "s of voice of this person, from 1 recording" in (out / "a.html").read_text()
    assert main(words) == 0
    assert json.loads((out / "a.json").read_text())["baseline"]["recordings"] == 0
    assert "nothing was known of this person" in (out / "a.html").read_text()


def test_recordings_of_one_person_are_the_baseline_of_each_other_in_any_order(
    model: Path, sounds: list[Path], tmp_path: Path
) -> None:
    def said(*paths: Path) -> list[str]:
        out = tmp_path / f"out-{paths[0].stem}"
        words = [*map(str, paths), "--same-person", "--model", str(model), "--out", str(out)]
        assert main(["predict", *words]) == 0
        return [(out / f"{name}.csv").read_text() for name in "abc"]

    first = said(*sounds)
    assert first == said(*sounds[::-1])
    timeline: Timeline = affuse.predict(sounds[0], model, baseline=sounds)
    rows = csv.DictReader(first[0].splitlines())
    happy = [float(row["happy"] or "nan") for row in rows]
    np.testing.assert_allclose(happy, timeline.probabilities[:, 1], atol=1e-5)


def test_what_has_no_use_for_a_baseline_or_is_none_is_one_line(
    model: Path, sounds: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_model(tmp_path / "plain.safetensors", shrinkage=None)
    a, b = map(str, sounds[:2])
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0), 16000)
    out = ["--out", str(tmp_path / "out")]
    refused = "was not trained with normalisation=speaker"
    cases: list[tuple[list[str], str]] = [
        (["predict", a, "--model", str(other), "--baseline", b, *out], refused),
        (["predict", a, "--model", str(other), "--same-person", *out], refused),
        (["live", a, "--model", str(other), "--baseline", b], refused),
        (["live", a, "--model", str(other), "--no-past"], refused),
        (["predict", a, "--model", str(model), "--baseline", str(empty), *out], str(empty)),
        (["predict", a, "--model", str(model), "--baseline", "gone.wav", *out], "gone.wav"),
    ]
    for words, expected in cases:
        assert main(words) == 2, words
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert expected in line and not said.out
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match=refused):
        affuse.predict(a, other, baseline=b)


def test_a_baseline_is_that_of_the_main_person_alone(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.safetensors", "chumachenko-it", (VOICE, "video/faces48"))
    path = side_by_side(tmp_path / "both.mp4", 3, 0)
    reader = BaselineReader(model, read_spec(model))
    known = reader.read(write_sound(tmp_path / "own.wav", 5))
    with_it = Predictor(model, baseline=known).predict_people(path, 2, "all")
    without = Predictor(model).predict_people(path, 2, "all")
    assert [one.person for one in with_it] == [one.person for one in without] == [1, 2]
    first, second = (one.baseline for one in with_it)
    assert first is not None and first.recordings == 1 and first.seconds["audio"] > 3
    assert second is not None and second.summary.startswith("no baseline: nothing was known")
    changed = []
    for one, other in zip(with_it, without, strict=True):
        assert isinstance(one, Timeline) and isinstance(other, Timeline)
        changed.append(not np.array_equal(one.probabilities, other.probabilities))
    assert changed == [True, False]


def live(path: Path, predictor: Predictor, past: bool = True) -> list[Line]:
    with open_source(str(path), {"audio"}) as packets:
        source = Live(packets, predictor.window + KEPT)
        return [*follow(predictor, source, 0.5, 0.0, past=past)]


def test_live_knows_what_lies_before_its_window_and_nothing_after(
    model: Path, sounds: list[Path], tmp_path: Path
) -> None:
    samples, rate = soundfile.read(sounds[0])
    later = samples.copy()
    later[round(2.5 * rate) :] *= 0.1
    soundfile.write(tmp_path / "later.wav", later, rate)
    one, two = (live(path, Predictor(model)) for path in (sounds[0], tmp_path / "later.wav"))
    for a, b in zip(one, two, strict=True):
        assert a.baseline is not None and a.values is not None and b.values is not None
        assert a.baseline["audio"] == pytest.approx(max(0.0, a.time - 1.0), abs=0.03)
        same = np.array_equal(a.values, b.values)
        assert same == (a.time <= 2.5) or abs(a.time - 2.5) < 0.3
    nothing = live(sounds[0], Predictor(model), past=False)
    differ = [not np.array_equal(a.values, b.values) for a, b in zip(one, nothing, strict=True)]
    assert not any(differ[:2]) and all(differ[3:])


def test_live_without_its_past_says_what_predict_says_with_the_same_baseline(
    model: Path, sounds: list[Path]
) -> None:
    predictor = Predictor(model, 0.5, baseline=sounds[1:])
    timeline = predictor.predict(sounds[0])
    assert isinstance(timeline, Timeline)
    said = {round(line.time, 3): line for line in live(sounds[0], predictor, past=False)}
    for start, expected in zip(timeline.starts, timeline.probabilities, strict=True):
        line = said[round(float(start) + 1, 3)]
        assert line.values is not None and line.baseline is not None
        np.testing.assert_allclose(line.values, expected, atol=1e-4)
        assert line.baseline["audio"] == pytest.approx(8, abs=0.2)


def test_windows_that_are_computed_anew_count_once_and_only_when_they_are_past() -> None:
    spec = StreamSpec("audio/x", 10.0, (1,))
    past = Past(Baselines({spec.name: spec}, {spec.name: Normalisation()}, 1.0, 2.0), {}, True)
    seen = []
    for k in range(9):
        begin, end = 0.5 * k, 0.5 * k + 2.0
        stream = Stream(np.full((20, 1), float(k), np.float32), np.ones(20, bool), begin)
        past.window(spec.name, stream, begin, end)
        known = past.known.get(spec.name)
        seen.append((known.frames, float(known.total[0])) if known else (0, 0.0))
    assert seen == [(0, 0.0)] * 4 + [(20, 0.0)] * 4 + [(40, 80.0)]
    rows = Stream(np.ones((20, 1), np.float32), np.ones(20, bool))
    kept = Past(Baselines({spec.name: spec}, {spec.name: Normalisation()}, 1.0, 2.0), {}, False)
    for k in range(3):
        kept.window(spec.name, rows, 2.0 * k, 2.0 * k + 2)
    assert kept.known == {} and evidence_of({spec.name: rows}, {spec.name: spec}) != {}
