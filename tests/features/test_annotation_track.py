import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.media.recordings import beep, grey, write_recording

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.annotation import AnnotationTrack, problems


def rows(path: Path, values: np.ndarray) -> Path:
    lines = [f"{valence:.6f},{arousal:.6f}" for valence, arousal in values]
    path.write_text("\n".join(["valence,arousal", *lines]) + "\n")
    return path


def video(path: Path, times: np.ndarray, sound: float = 0.0) -> Path:
    pictures = [(time, grey(100)) for time in times.tolist()]
    return write_recording(path, pictures, beep(sound, 0, 48000) if sound else None)


def ramp(times: np.ndarray) -> np.ndarray:
    """Values that tell the time at which they hold."""
    return np.stack([times / 10, -times / 10], axis=1)


def test_the_stream_is_30_hz_float32_and_the_extractor_travels(tmp_path: Path) -> None:
    extractor = pickle.loads(pickle.dumps(AnnotationTrack()))
    assert extractor.spec.name == "label/valence-arousal"
    assert (extractor.spec.rate, extractor.spec.shape) == (30, (2,))
    clip = Clip("a", annotation=rows(tmp_path / "a.txt", ramp(np.arange(60) / 30)))
    stream = extractor.extract(clip)
    assert stream.values.dtype == np.float32 and stream.values.shape == (60, 2)
    assert extractor.sources(clip) == [clip.annotation]
    assert extractor.extract(Clip("b")) is None and extractor.sources(Clip("b")) == []


@pytest.mark.parametrize("fps", [15.0, 25.0, 30000 / 1001, 50.0])
def test_rows_are_placed_by_the_rate_of_the_video(tmp_path: Path, fps: float) -> None:
    times = np.arange(int(3 * fps)) / fps
    clip = Clip(
        "a",
        video=video(tmp_path / "a.mp4", times),
        annotation=rows(tmp_path / "a.txt", ramp(times)),
    )
    stream = AnnotationTrack().extract(clip)
    assert abs(len(stream.mask) - 90) <= 2 and stream.mask.all()
    moments = np.minimum(np.arange(len(stream.mask)) / 30, times[-1])  # the last one lasts
    np.testing.assert_allclose(stream.values[:, 0] * 10, moments, atol=0.5 / fps + 1e-3)


def test_rows_are_placed_by_the_time_stamps_of_a_variable_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    times = np.concatenate([[0.0], np.cumsum(rng.choice([0.02, 0.04, 0.12], 80))])
    clip = Clip(
        "a",
        video=video(tmp_path / "a.mp4", times),
        annotation=rows(tmp_path / "a.txt", ramp(times)),
    )
    stream = AnnotationTrack().extract(clip)
    moments = np.arange(len(stream.mask)) / 30
    nearest = np.abs(moments[:, None] - times).min(1)
    assert nearest.max() > 0.04  # a constant rate would not do
    error = np.abs(stream.values[:, 0] * 10 - moments)
    np.testing.assert_allclose(error, nearest, atol=2e-3)


def test_pictures_that_begin_late_are_absent_before(tmp_path: Path) -> None:
    times = 0.5 + np.arange(50) / 25
    clip = Clip(
        "a",
        video=video(tmp_path / "a.mp4", times, sound=2.5),
        annotation=rows(tmp_path / "a.txt", ramp(times)),
    )
    stream = AnnotationTrack().extract(clip)
    assert not stream.mask[:12].any() and stream.mask[15:].all()
    assert stream.values[30, 0] == pytest.approx(0.1, abs=0.003)


def test_invalid_rows_are_absent_and_zero(tmp_path: Path) -> None:
    values = ramp(np.arange(90) / 30)
    values[30:45] = -5
    stream = AnnotationTrack().extract(Clip("a", annotation=rows(tmp_path / "a.txt", values)))
    assert np.flatnonzero(~stream.mask).tolist() == list(range(30, 45))
    assert not stream.values[30:45].any()


def test_a_part_of_a_recording_begins_and_ends_with_the_clip(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.txt", ramp(np.arange(300) / 30))
    stream = AnnotationTrack().extract(Clip("a", annotation=path, start=2.0, end=5.0))
    assert len(stream.mask) == 90
    np.testing.assert_allclose(stream.values[[0, -1], 0], [0.2, 0.4967], atol=1e-3)
    with pytest.raises(BadInput, match=r"0\.5 s are needed"):
        AnnotationTrack().extract(Clip("a", annotation=path, start=9.8))


@pytest.mark.parametrize("count", [94, 106, 50])
def test_an_annotation_of_another_video_is_refused_in_one_line(tmp_path: Path, count: int) -> None:
    film = video(tmp_path / "film.mp4", np.arange(100) / 25)
    path = rows(tmp_path / "trial.txt", np.zeros((count, 2)))
    with pytest.raises(BadInput) as error:
        AnnotationTrack().extract(Clip("a", video=film, annotation=path))
    expected = f"{path}: line {count + 1}: {count} rows, but {film} has 100 images"
    assert str(error.value) == expected


@pytest.mark.parametrize("count", [95, 99, 101, 105])
def test_a_few_rows_more_or_less_are_accepted(tmp_path: Path, count: int) -> None:
    film = video(tmp_path / "film.mp4", np.arange(100) / 25)
    path = rows(tmp_path / "trial.txt", ramp(np.arange(count) / 25))
    stream = AnnotationTrack().extract(Clip("a", video=film, annotation=path))
    assert len(stream.mask) == 120
    assert stream.values[60, 0] == pytest.approx(0.2, abs=0.003)


def test_rows_with_times_leave_gaps_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,arousal,joy,valence\n0,0.1,9,0.2\n0.05,,9,0.3\n1.0,0.5,9,0.6\n")
    stream = AnnotationTrack().extract(Clip("a", annotation=path))
    assert stream.values[0].tolist() == pytest.approx([0.2, 0.1])
    assert np.flatnonzero(stream.mask[:40]).tolist() == [0, *range(27, 34)]
    np.testing.assert_allclose(stream.values[27:34], [[0.6, 0.5]] * 7)


def test_wrong_times_and_columns_are_named(tmp_path: Path) -> None:
    film = video(tmp_path / "film.mp4", np.arange(50) / 25)
    path = tmp_path / "a.csv"
    path.write_text("time,valence,arousal\n0,0,0\n1900,0,0\n")  # milliseconds
    with pytest.raises(BadInput, match=r"line 3: 1900 s, but .*film\.mp4 ends at 2\.00 s"):
        AnnotationTrack().extract(Clip("a", video=film, annotation=path))
    path.write_text("time,valence\n0,0\n1,0\n")
    with pytest.raises(BadInput, match="line 1: no column arousal"):
        AnnotationTrack().extract(Clip("a", annotation=path))


def test_problems_tell_lengths_invalid_rows_and_missing_pictures(tmp_path: Path) -> None:
    film = video(tmp_path / "film.mp4", np.arange(100) / 25)
    values = np.zeros((90, 2))
    values[:9] = -5
    images = tmp_path / "images"
    images.mkdir()
    for number in range(1, 76):
        (images / f"{number:05d}.jpg").touch()
    path = rows(tmp_path / "trial.txt", values)
    lines = problems(Clip("a", video=film, annotation=path, images=images))
    assert lines == [
        f"{path}: 90 rows, 100 images (too different, it is not used)",
        f"{path}: 9 of 90 rows (10.0%) are not valid",
        f"{images}: 25 of 100 face images (25.0%) are missing",
    ]
    (tmp_path / "film.mp4").write_bytes(b"nothing")
    lines = problems(Clip("a", video=film, annotation=path, images=images))
    assert "not a recording" in lines[0] and len(lines) == 2
    assert problems(Clip("a")) == []
