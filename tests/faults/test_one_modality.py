"""One short or broken modality does not take the other with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.cli.main import main
from affuse.corpora.registry import read_corpus
from affuse.errors import Unusable
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare
from affuse.features.store import Store, read_failures
from tests.faults.sounds import RATE, face_video, voice, with_garbage, write_wav
from tests.inference.recordings import values_model
from tests.predictions import timeline_of, values_of

pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of which one half is short or broken, and those of the other half alone."""
    folder = tmp_path_factory.mktemp("halves")
    face_video(folder / "face.mov", 2.0, None)
    face_video(folder / "sound_short.mov", 2.0, voice(0.2))
    face_video(folder / "both.mov", 2.0, voice(2.0))
    with_garbage(folder / "both.mov", folder / "video_broken.mov", "video")
    write_wav(folder / "voice.wav", voice(2.0))
    face_video(folder / "video_short.mov", 0.2, voice(2.0))
    sound = voice(2.0)
    sound[::10] = np.nan
    write_wav(folder / "nan.wav", sound)
    return folder


def probabilities(path: Path) -> np.ndarray:
    timeline = timeline_of(path)
    assert len(timeline.starts) == 1
    return timeline.probabilities[0]


@pytest.mark.parametrize(
    ("name", "alone", "note"),
    [
        ("sound_short.mov", "face.mov", "its sound is only 0.20 s long; 0.5 s are needed"),
        ("video_short.mov", "voice.wav", "its video is only 0.20 s long; 0.5 s are needed"),
        ("video_broken.mov", "voice.wav", "its video cannot be decoded"),
    ],
)
def test_predict_reads_the_other(
    folder: Path,
    name: str,
    alone: str,
    note: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    timeline = timeline_of(folder / name)
    assert timeline.probabilities[0] == pytest.approx(probabilities(folder / alone), abs=0.02)
    assert timeline.notes == [f"{note}; it is left out"]
    gone = "audio" if "sound" in name else "video"
    there = {"audio": 1.0, "video": 1.0} | {gone: 0.0}
    assert {k: p.share for k, p in timeline.presence.items()} == there
    assert {k: p.tolist() for k, p in timeline.window_presence.items()} == {
        k: [share] for k, share in there.items()
    }
    assert main(["predict", str(folder / name), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert f"{folder / name}: {note}; it is left out" in said.err
    assert ("sound 0%" if gone == "audio" else "face 0%") in said.out
    facts = json.loads((tmp_path / f"{Path(name).stem}.json").read_text())
    assert facts["notes"] == timeline.notes and facts["presence"][gone]["share"] == 0


def test_where_nothing_is_left_the_reasons_are_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unusable, match=r"nan\.wav: 10% of its sound, from 0\.00 s on, is not a"):
        affuse.predict(folder / "nan.wav")
    path = face_video(tmp_path / "a.mov", 0.3, voice(0.2))
    assert main(["predict", str(path), "--out", str(tmp_path / "o")]) == 2
    assert f"affuse predict: {path}: is only 0.3" in capsys.readouterr().err


@pytest.mark.slow
def test_sound_ends_and_begins_in_the_middle(tmp_path: Path) -> None:
    ends = timeline_of(face_video(tmp_path / "ends.mov", 6.0, voice(2.0)))
    assert ends.presence["audio"].share == pytest.approx(1 / 3, abs=0.01)
    assert ends.presence["video"].share == 1.0
    late = timeline_of(face_video(tmp_path / "late.mov", 6.0, voice(2.0), sound_start=4.0))
    assert late.presence["audio"].spans == [pytest.approx((4.0, 6.0), abs=0.07)]
    face = timeline_of(face_video(tmp_path / "face.mov", 6.0, None))
    beyond = ends.starts >= 2.1
    assert beyond.any() and ends.starts == pytest.approx(face.starts)
    assert ends.probabilities[beyond] == pytest.approx(face.probabilities[beyond], abs=1e-5)
    before = late.ends <= 3.9
    assert late.probabilities[before] == pytest.approx(face.probabilities[before], abs=1e-5)
    for timeline in (ends, late):
        presence = timeline.presence["audio"]
        expected = [
            presence.within(a, b) for a, b in zip(timeline.starts, timeline.ends, strict=True)
        ]
        assert timeline.window_presence["audio"] == pytest.approx(expected)


def test_values_over_time(folder: Path, tmp_path: Path) -> None:
    """A model that follows the face reads a voice whose images cannot be used as a voice."""
    model = values_model(tmp_path / "va.safetensors")
    alone = values_of(folder / "voice.wav", model)
    for name in ("video_broken.mov", "video_short.mov"):
        timeline = values_of(folder / name, model)
        assert timeline.known.mean() > 0.95
        near = [np.abs(alone.times - time).argmin() for time in timeline.times]
        assert timeline.values == pytest.approx(alone.values[near], abs=0.05)
    heard = values_model(
        tmp_path / "a.safetensors", ("audio/logmel64-16k",), "audio-only", window=2.0
    )
    path = face_video(tmp_path / "pictures_end.mov", 1.0, voice(3.0))
    timeline = values_of(path, heard)
    assert timeline.times[-1] > 2.9 and timeline.known.all()
    timeline.write_csv(tmp_path / "a.csv")
    rows = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows[:26]] == [*map(str, range(1, 26)), ""]


def test_prepare_keeps_the_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus" / "calm"
    corpus.mkdir(parents=True)
    for name in ("both.mov", "sound_short.mov", "video_broken.mov", "voice.wav", "nan.wav"):
        (corpus / name).write_bytes((folder / name).read_bytes())
    clips = read_corpus("folder", tmp_path / "corpus")
    streams = ["audio/mfcc10", "video/faces48"]
    store = tmp_path / "store"
    for again in range(2):
        report = prepare(clips, store, [create_extractor(name) for name in streams])
        assert {(clip, name) for clip, name, _ in report.failures} == {
            ("calm/video_broken", "video/faces48"),
            ("calm/nan", "audio/mfcc10"),
        }
        assert read_failures(store) == report.failures
        assert report.notes == [
            (
                "calm/sound_short",
                f"{corpus / 'sound_short.mov'}: its sound is only 0.20 s long; 0.5 s are needed; "
                "it is left out",
            )
        ]
        # what could not be decoded is tried again
        assert report.computed == (2 if again else 10)
    usable = {clip.id for clip in Store(store).usable(streams)}
    assert usable == {f"calm/{x}" for x in ("both", "sound_short", "video_broken", "voice")}
    sound = Store(store).stream("audio/mfcc10")
    assert np.array_equal(sound["calm/video_broken"].values, sound["calm/both"].values)
    assert not sound["calm/sound_short"].mask.any()


def test_one_sample_is_told_by_prepare_and_the_rest_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "in" / "calm").mkdir(parents=True)
    fine, bad = voice(2.0), voice(2.0)
    bad[RATE] = np.nan
    write_wav(tmp_path / "in" / "calm" / "fine.wav", fine)
    path = write_wav(tmp_path / "in" / "calm" / "bad.wav", bad)
    names = ["audio/mfcc10", "audio/logmel64-16k"]
    report = prepare(
        read_corpus("folder", tmp_path / "in"),
        tmp_path / "store",
        [create_extractor(name) for name in names],
    )
    assert not report.failures
    what = "is not a number, or beyond ±16; filled in"
    assert report.notes == [("calm/bad", f"{path}: one sample of its sound, at 1.00 s, {what}")]
    stream = Store(tmp_path / "store").stream("audio/logmel64-16k")
    difference = np.abs(stream["calm/bad"].values - stream["calm/fine"].values).max(1)
    assert (difference > 1e-4).sum() <= 4 and stream["calm/bad"].mask.all()
