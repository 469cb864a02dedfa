from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from affuse.media.video import read_frames
from tests.media.recordings import beep, counting, grey, write_recording


def times(path: Path, **window: float) -> list[float]:
    return [frame.time for frame in read_frames(path, **window)]


def levels(path: Path) -> list[float]:
    return [float(frame.rgb().mean()) for frame in read_frames(path)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts"])
def test_variable_frame_rates_keep_their_times(tmp_path: Path, name: str) -> None:
    expected = [0.0, 0.04, 0.1, 0.3, 0.34, 0.9, 1.0]
    pictures = [(time, grey(30 * i)) for i, time in enumerate(expected)]
    path = write_recording(tmp_path / name, pictures)
    assert times(path) == pytest.approx(expected, abs=1e-3)
    assert levels(path) == pytest.approx([30 * i for i in range(7)], abs=4)


def test_pictures_that_begin_after_the_sound(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    write_recording(path, counting(5, start=0.3), beep(1.0, 0.5, 48000))
    assert times(path) == pytest.approx(0.3 + np.arange(5) / 25, abs=2e-3)


def test_a_recording_begins_with_its_first_stamp(tmp_path: Path) -> None:
    path = write_recording(
        tmp_path / "l.mkv", counting(5, start=2.0), beep(1.0, 0.5, 48000), sound_start=2.1
    )
    assert times(path)[0] == pytest.approx(0.0, abs=1e-3)


def test_pictures_without_time_stamps_follow_at_the_mean_rate(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "bare.h264", counting(12), options={"bf": "2"})
    assert times(path) == pytest.approx(np.arange(12) / 25)


def test_times_always_increase(tmp_path: Path) -> None:
    # AVI stores the order of decoding, not of showing
    path = write_recording(tmp_path / "b.avi", counting(25), options={"bf": "2"})
    assert len(times(path)) == 25
    assert np.all(np.diff(times(path)) > 0)
    assert times(path) == pytest.approx(np.arange(25) / 25, abs=0.081)


def test_odd_sizes(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    write_recording(path, [(0.0, grey(77, 61, 47))], video_codec="ffv1", pixels="yuv444p")
    (frame,) = read_frames(path)
    assert frame.rgb().shape == (47, 61, 3)
    assert frame.rgb().mean() == pytest.approx(77, abs=1)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_turned_pictures_come_upright(tmp_path: Path, rotation: int) -> None:
    image = grey(0)
    image[:24, :32] = 255, 0, 0
    image[24:, 32:] = 0, 0, 255
    path = write_recording(
        tmp_path / "turned.mp4", [(0.0, image), (0.04, image)], rotation=rotation
    )
    frame = next(read_frames(path))
    _, expected = cv2.VideoCapture(str(path)).read()
    assert frame.rgb().shape == expected.shape == (frame.height, frame.width, 3)
    assert np.abs(frame.rgb()[..., ::-1].astype(int) - expected).mean() < 8
    assert (frame.width, frame.height) == ((64, 48) if rotation == 180 else (48, 64))


def test_smaller_pictures_keep_proportions_and_content(tmp_path: Path) -> None:
    image = grey(0, 320, 200)
    image[:, 160:] = 200
    path = write_recording(tmp_path / "wide.mp4", [(0.0, image)], rotation=90)
    (frame,) = read_frames(path)
    small = frame.rgb(max_side=80)
    assert small.shape == (80, 50, 3)
    upright = cv2.resize(frame.rgb(), (50, 80), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - upright).mean() < 2
    assert frame.rgb(max_side=1000).shape == (320, 200, 3)


def test_a_change_of_size_keeps_the_first_size(tmp_path: Path) -> None:
    small = write_recording(tmp_path / "s.h264", counting(4)).read_bytes()
    pictures = [(i / 25, grey(150, 128, 96)) for i in range(4)]
    large = write_recording(tmp_path / "l.h264", pictures).read_bytes()
    (tmp_path / "both.h264").write_bytes(small + large)
    shapes = [frame.rgb().shape for frame in read_frames(tmp_path / "both.h264")]
    assert shapes == [(48, 64, 3)] * 8


def test_a_window_holds_the_pictures_from_start_to_before_end(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "w.mp4", counting(25))
    assert times(path, start=0.2, end=0.4) == pytest.approx([0.2, 0.24, 0.28, 0.32, 0.36])
    assert times(path, start=5.0) == []


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts"])
def test_a_jump_ends_at_the_same_pictures_as_reading_on(tmp_path: Path, name: str) -> None:
    pictures = [(i / 25, grey(i % 200)) for i in range(300)]
    path = write_recording(
        tmp_path / name, pictures, beep(12.0, 1.0, 16000), 16000, options={"g": "50", "bf": "2"}
    )
    read_on = [(f.time, f.rgb().mean()) for f in read_frames(path) if 9.1 <= f.time < 9.6]
    jumped = [(f.time, f.rgb().mean()) for f in read_frames(path, 9.1, 9.6)]
    assert jumped == read_on
    assert len(jumped) >= 12


def test_real_variable_rate_and_late_start(shared_data: Path) -> None:
    stamps = times(shared_data / "videos" / "square_1.mp4")
    assert len(stamps) == 135
    assert stamps[:3] == pytest.approx([0.0330, 0.0997, 0.1330], abs=1e-4)
    assert stamps[-1] == pytest.approx(6.0997, abs=1e-4)


def test_real_pictures_equal_those_of_opencv(shared_data: Path) -> None:
    path = shared_data / "videos" / "expressive_s13.mp4"
    capture = cv2.VideoCapture(str(path))
    for frame, _ in zip(read_frames(path), range(3), strict=False):
        _, expected = capture.read()
        assert np.abs(frame.rgb()[..., ::-1].astype(int) - expected).mean() < 1.5
