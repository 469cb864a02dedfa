"""Continuous valence and arousal: where they lie, where there are none, and what is written."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.inference.recordings import rewrite, values_model

import affuse
from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.inference.circumplex import WORDS
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.tasks.values import ValuesTimeline


@pytest.mark.slow
def test_a_row_for_every_picture_of_a_varying_rate_and_nothing_where_the_face_is_hidden(
    both: Path, varying: Path, tmp_path: Path
) -> None:
    path = rewrite(varying, tmp_path / "v.mp4", hidden=(2.0, 4.0))
    times = picture_times(path)
    assert np.diff(times).max() > 1.5 * np.diff(times).min()
    out = tmp_path / "out"
    assert main(["predict", str(path), "--model", str(both), "--out", str(out)]) == 0

    rows = list(csv.DictReader((out / "v.csv").open()))
    assert [int(row["frame"]) for row in rows] == list(range(1, len(times) + 1))
    assert np.allclose([float(row["time"]) for row in rows], times, atol=1e-4)
    values = np.array([[float(row[n] or "nan") for n in ("valence", "arousal")] for row in rows])
    known = ~np.isnan(values)
    assert (known[:, 0] == known[:, 1]).all() and np.abs(values[known]).max() <= 1
    assert known[(times < 1.5) | (times > 4.5)].all()
    assert not known[(times > 2.5) & (times < 3.5)].any()
    faces = np.array([int(row["video_present"]) for row in rows])
    assert (faces[~known[:, 0]] == 0).all() and (faces[times < 1.5] == 1).all()
    assert all(row["audio_present"] == "1" for row in rows)

    facts = json.loads((out / "v.json").read_text())
    assert facts["times"] == pytest.approx(times.tolist(), abs=1e-4)
    ((start, end),) = facts["gaps"]
    assert start == pytest.approx(2, abs=0.3) and end == pytest.approx(4, abs=0.3)
    for k, name in enumerate(("valence", "arousal")):
        column = np.array([np.nan if x is None else x for x in facts["values"][name]])
        np.testing.assert_allclose(column, values[:, k], atol=1e-6)
        for fact, of in (("mean", np.nanmean), ("min", np.nanmin), ("max", np.nanmax)):
            assert facts["dimensions"][name][fact] == pytest.approx(of(column), abs=1e-5)

    page = (out / "v.html").read_text()
    assert page.count("<rect") == 1  # one gap
    assert all(f">{word}</text>" in page for word in WORDS)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert (out / "v.png").read_bytes().startswith(b"\x89PNG")


def test_a_short_loss_of_the_face_leaves_no_gap(tmp_path: Path, varying: Path) -> None:
    """At 30 Hz a face may be away for 0.2 s; between detections it is taken to be there."""
    from affuse.features.stream import Stream, StreamSpec
    from affuse.tasks.values import unseen

    spec = StreamSpec("video/aligned48", 30.0, (1,))
    times = np.arange(0, 3, 0.02)
    for missing, empty in ((6, False), (7, True)):
        mask = np.ones(90, bool)
        mask[30 : 30 + missing] = False
        found = unseen(Stream(np.zeros((90, 1)), mask), spec, times)
        assert found.any() == empty
        inside = (times > 1.0) & (times < 1 + (missing - 1) / 30)
        assert (found[inside] == empty).all() and not found[(times < 0.9) | (times > 1.4)].any()


def test_sound_alone_has_values_thirty_times_a_second(both: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 5)
    soundfile.write(tmp_path / "x.wav", noise, 16000)
    timeline = affuse.predict(tmp_path / "x.wav", both)
    assert isinstance(timeline, ValuesTimeline)
    np.testing.assert_allclose(timeline.times, np.arange(150) / 30)
    assert timeline.known.all() and not timeline.gaps
    assert timeline.presence["video"].share == 0


def test_pictures_without_any_face_are_refused(both: Path, varying: Path, tmp_path: Path) -> None:
    path = rewrite(varying, tmp_path / "v.mp4", hidden=(0.0, 10.0))
    with pytest.raises(BadInput, match=r"v\.mp4: has no face"):
        affuse.predict(path, both)


def test_smoothing_of_the_model_file_is_applied(varying: Path, tmp_path: Path) -> None:
    steps = []
    for smoothing in (0.0, 1.0):
        model = values_model(tmp_path / f"{smoothing}.safetensors", smoothing=smoothing)
        timeline: ValuesTimeline = affuse.predict(varying, model)
        assert timeline.model["smoothing"] == smoothing
        steps.append(np.nanmean(np.abs(np.diff(timeline.values, axis=0))))
    assert steps[1] < 0.7 * steps[0]


@pytest.mark.parametrize("name", ["expressive_s18", "expressive_d0", "expressive_d18"])
def test_real_people(both: Path, shared_data: Path, name: str) -> None:
    path = shared_data / "videos" / f"{name}.mp4"
    timeline: ValuesTimeline = affuse.predict(path, both)
    np.testing.assert_allclose(timeline.times, picture_times(path))
    assert timeline.known.mean() > 0.9 and np.nanstd(timeline.values[:, 0]) > 1e-3


def test_a_real_person_who_goes_leaves_a_gap(both: Path, shared_data: Path) -> None:
    timeline: ValuesTimeline = affuse.predict(shared_data / "videos" / "face_noface.mov", both)
    assert timeline.known[timeline.times < 2].all()
    assert not timeline.known[timeline.times > 3].any()
    ((start, end),) = timeline.gaps
    assert 2 < start < 3 and end == timeline.duration


def check_overlay(source: Path, overlay: Path) -> None:
    """The same images at the same times, the same sound, and a strip below."""
    before, after = probe(source), probe(overlay)
    assert after.duration == pytest.approx(before.duration, abs=0.1)
    np.testing.assert_allclose(picture_times(overlay), picture_times(source), atol=1e-3)
    assert after.has_audio == before.has_audio
    assert after.sample_rate == before.sample_rate and after.channels == before.channels
    assert after.width % 2 == after.height % 2 == 0
    assert after.height / after.width > before.height / before.width


def test_an_overlay_keeps_pictures_times_and_sound(
    both: Path, varying: Path, tmp_path: Path
) -> None:
    from tests.media.recordings import read_audio

    words = ["predict", str(varying), "--model", str(both), "--out", str(tmp_path), "--overlay"]
    assert main(words) == 0
    overlay = tmp_path / f"{varying.stem}-overlay.mp4"
    check_overlay(varying, overlay)
    one, two = (read_audio(path, 16000)[:80000] for path in (varying, overlay))
    assert np.corrcoef(one, two)[0, 1] > 0.95  # nothing is shifted


@pytest.mark.slow
def test_an_overlay_of_real_stereo_sound(both: Path, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "videos" / "face_noface.mov"
    words = ["predict", str(source), "--model", str(both), "--out", str(tmp_path), "--overlay"]
    assert main(words) == 0
    check_overlay(source, tmp_path / "face_noface-overlay.mp4")
