"""Everybody in a recording has a number, a track and a timeline, and the voice that is theirs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
from tests.inference.people import FPS, alone, in_turn, side_by_side, take
from tests.media.recordings import grey, write_recording

from affuse.cli.main import main
from affuse.inference.predictor import Predictor
from affuse.media.face import FaceOptions, Readings
from affuse.media.speaking import SOUND_RATE, Envelope, Speaking, speaking
from affuse.media.tracks import Track
from affuse.media.watching import Cut
from affuse.models.bundled import BUNDLED
from affuse.tasks.timeline import Timeline


def who_speaks(path: Path) -> tuple[Speaking, list[int]]:
    """Who is found to speak, and the places of people from left to right."""
    readings, loudness = Readings(mouths=True), Envelope()
    search = readings.face(path, FaceOptions())
    search.cut(Cut(np.zeros(1), 48, align=True))
    readings.of(path).listen(SOUND_RATE, None, None).to(loudness.push)
    readings.run()
    people = search.people
    found = speaking(people, [search.mouth(one) for one in people], loudness.values)
    places = [float(one.boxes[:, 0].mean()) for one in people]
    return found, np.argsort(np.argsort(places)).tolist()


def judge(path: Path, truth: np.ndarray, voiced: np.ndarray) -> tuple[int, int, int]:
    """Right, wrong and unsure comparisons, where there is a voice; both 10 per second."""
    found, order = who_speaks(path)
    said = [order[k] if k >= 0 else -1 for k in found.speaker.tolist()]
    rows = [min(round(time * 10), len(truth) - 1) for time in found.times]
    kept = [(s, truth[k]) for s, k in zip(said, rows, strict=True) if voiced[k]]
    right = sum(s == t for s, t in kept)
    unsure = sum(s < 0 for s, _ in kept)
    return right, len(kept) - right - unsure, unsure


def voiced(*sounds: np.ndarray) -> np.ndarray:
    sound = np.concatenate(sounds)
    return np.array([x.std() > 0.01 for x in np.array_split(sound, round(len(sound) / 1600))])


@pytest.mark.slow
def test_the_voice_goes_to_the_one_whose_mouth_goes_with_it(tmp_path: Path) -> None:
    total = np.zeros(3, int)
    for seed in (3, 4):
        for speaker in (0, 1):
            path = side_by_side(tmp_path / "both.mp4", seed, speaker)
            sound = take(seed, speaker + 1)[1]
            total += judge(path, np.full(33, speaker), voiced(sound))
        path = in_turn(tmp_path / "turn.mp4", seed)
        sounds = [take(seed, number)[1] for number in (1, 2)]
        total += judge(path, np.repeat([0, 1], 33), voiced(*sounds))
    right, wrong, unsure = total.tolist()
    assert right / (right + wrong) >= 0.95 and unsure < 0.3 * right, total


def test_a_sound_that_goes_with_nobody_is_nobodys(tmp_path: Path) -> None:
    frames = np.concatenate([take(3, number)[0] for number in (1, 2)], axis=2)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 3 * 16000)).astype(np.float32)
    noise *= np.repeat(np.random.default_rng(1).uniform(0.01, 1, 30), 1600)
    path = write_recording(
        tmp_path / "a.mp4", [(k / FPS, x) for k, x in enumerate(frames)], noise, 16000
    )
    found, _ = who_speaks(path)
    assert found.unsure >= 0.7


def test_everybody_has_a_timeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = in_turn(tmp_path / "two.mp4", 3), tmp_path / "out"
    assert main(["predict", str(path), "--out", str(out), "--people", "all", "--overlay"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(f", person {k + 1}: " in line for k, line in enumerate(lines))
    names = {"two", "two-person2"}
    assert {p.name for p in out.iterdir()} == {
        *(f"{name}.{end}" for name in names for end in ("csv", "json", "png", "html")),
        "two-overlay.mp4",
    }
    with av.open(str(out / "two-overlay.mp4")) as container:
        assert container.streams.video[0].frames == 160
    voices = []
    for name, number in (("two", 1), ("two-person2", 2)):
        facts = json.loads((out / f"{name}.json").read_text())
        assert facts["person"] == {"number": number, "of": 2}
        with (out / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        voices.append([float(row["audio_present"]) for row in rows])
        assert all(float(row["video_present"]) == 1 for row in rows)
    early, late = (sorted(v[k] for v in voices) for k in (0, -1))
    assert early[0] < 0.3 < 0.6 < early[1] and late[0] < 0.3 < 0.6 < late[1]
    assert np.argmax([v[0] for v in voices]) != np.argmax([v[-1] for v in voices])
    # asked for fewer people, those of an earlier call go
    assert main(["predict", str(path), "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("1 other person in the image") == 1
    assert not list(out.glob("two-person2*"))


def test_the_main_person_is_as_if_nobody_else_had_been_asked_for(tmp_path: Path) -> None:
    path = side_by_side(tmp_path / "a.mp4", 3, 0)
    predictor = Predictor(BUNDLED)
    (one,) = predictor.predict_people(path, 1, "all")
    first, second = predictor.predict_people(path, 5, "all")
    assert isinstance(one, Timeline) and isinstance(first, Timeline)
    assert isinstance(second, Timeline)
    np.testing.assert_array_equal(one.probabilities, first.probabilities)
    assert (first.person, first.people, second.person) == (1, 2, 2)
    assert np.abs(first.probabilities - second.probabilities).max() > 1e-3


def test_who_leaves_and_returns_keeps_the_number(tmp_path: Path) -> None:
    search = searched(alone(tmp_path / "a.mp4", 3, 1, 0, 1))
    assert len(search) == 1
    assert np.ptp(search[0].times) > 6


def searched(path: Path) -> list[Track]:
    readings = Readings()
    search = readings.face(path, FaceOptions())
    search.cut(Cut(np.zeros(1), 48, align=True))
    readings.run()
    return search.people


def test_real_people_who_are_shown_in_turn_are_told_apart(
    tmp_path: Path, shared_data: Path
) -> None:
    from affuse.media.video import read_frames

    frames = []
    for name in ("bbaf2n.mpg", "brbk7n.mpg", "bbaf2n.mpg"):
        frames += [frame.rgb() for frame in read_frames(shared_data / "videos" / name)][:40]
        frames += [grey(90, 360, 288)] * 10
    path = write_recording(tmp_path / "a.mp4", [(k / 25, x) for k, x in enumerate(frames)])
    people = searched(path)
    assert [len(one.numbers) for one in people] == [2, 1]


@pytest.mark.parametrize("word", ["0", "everybody", "-1", "1.5"])
def test_a_wrong_number_of_people_is_one_line(
    tmp_path: Path, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "a.mp4", "--out", str(tmp_path), f"--people={word}"])
    err = capsys.readouterr().err
    assert (
        ended.value.code == 2
        and "largest, all nor a number of people" in err
        and "Traceback" not in err
    )
