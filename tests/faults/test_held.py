"""An image that is held is read as if it were repeated until the next one comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import affuse
from affuse.features.pictures import nearest
from affuse.media.counts import HOLE
from affuse.media.shown import showing
from affuse.media.timestamps import picture_times
from affuse.media.tracks import Track
from affuse.media.video import read_frames
from affuse.tasks.timeline import Timeline
from tests.media.faces import crop_faces, key_frames, track_faces
from tests.media.recordings import beep, grey, write_recording
from tests.media.test_tracks import Scripted

FPS = 25
Pictures = list[tuple[float, np.ndarray]]


def pictures(levels: list[int], held: dict[int, int]) -> tuple[Pictures, Pictures]:
    """Grey images of which some are held for further intervals, and the same ones repeated."""
    thin: Pictures = []
    full: Pictures = []
    for number, level in enumerate(levels):
        thin.append((len(full) / FPS, grey(level)))
        for _ in range(1 + held.get(number, 0)):
            full.append((len(full) / FPS, grey(level)))
    return thin, full


def everywhere(until: float) -> Track:
    times = np.arange(0, until + 0.2, 0.2)
    boxes = np.tile([10.0, 10.0, 40.0, 40.0], (len(times), 1))
    return Track(times, boxes, np.ones(len(times)), None, 0.2, np.zeros(len(times), np.intp))


def write(path: Path, images: Pictures) -> Path:
    return write_recording(path, images, video_codec="mjpeg", pixels="yuvj420p")


# of twelve images up to three, and never the last, for that many intervals more
drawn = st.dictionaries(st.integers(0, 10), st.integers(3, 60), max_size=3)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(held=drawn, shift=st.floats(0, 0.2), suffix=st.sampled_from([".mkv", ".mov"]))
def test_crops_are_those_of_the_repeated_twin(
    tmp_path: Path, held: dict[int, int], shift: float, suffix: str
) -> None:
    levels = [20 + 18 * (7 * i % 12) for i in range(12)]
    thin, full = pictures(levels, held)
    a, b = write(tmp_path / f"a{suffix}", thin), write(tmp_path / f"b{suffix}", full)
    times = np.arange(shift, full[-1][0], 0.08)
    found, expected = (crop_faces(path, times, everywhere(30), 8) for path in (a, b))
    assert found[1].all() and expected[1].all()
    # times between two images may take either
    where = np.abs(np.mod(times * FPS, 1) - 0.5) > 0.1
    levels_of = [crops[where].mean((1, 2, 3)) for crops, _ in (found, expected)]
    np.testing.assert_allclose(*levels_of, atol=6)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(held=drawn)
def test_faces_are_followed_as_in_the_repeated_twin(tmp_path: Path, held: dict[int, int]) -> None:
    levels = [40 if 3 < i < 7 else 200 for i in range(12)]  # a face is in the bright ones
    thin, full = pictures(levels, held)
    a, b = write(tmp_path / "a.mkv", thin), write(tmp_path / "b.mkv", full)
    times = np.arange(0, full[-1][0], 0.05)
    found, expected = (
        np.any([track.at(times)[1] for track in track_faces(path, Scripted())], axis=0)
        | np.zeros(len(times), bool)
        for path in (a, b)
    )
    # the searches of the two may lie a step apart
    changes = np.flatnonzero(np.diff(expected.astype(int))) * 0.05
    near = (np.abs(times[:, None] - changes) < 0.3).any(1) if len(changes) else ~expected
    assert (found == expected)[~near].all()


def test_pictures_at_a_constant_rate_are_the_nearest_as_ever(tmp_path: Path) -> None:
    for fps in (60.0, 30.0, 25.0, 24000 / 1001, 10.0, 2.0):
        for suffix in (".mkv", ".mp4", ".avi"):
            images = [(i / fps, grey(20 + 8 * i)) for i in range(24)]
            path = write_recording(tmp_path / f"r{suffix}", images, video_codec="mjpeg",
                                   pixels="yuvj420p")  # fmt: skip
            shown = picture_times(path)
            interval = float(np.median(np.diff(shown)))
            times = np.arange(0, shown[-1] + 1.4 * min(interval, 0.2), interval / 3.1)
            crops, present = crop_faces(path, times, everywhere(20), 8)
            assert present.all(), (fps, suffix)
            decoded = [frame.rgb() for frame in read_frames(path)]
            for crop, time in zip(crops, times, strict=True):
                row = int(np.abs(shown - time + 1e-9).argmin())
                assert crop.mean() == pytest.approx(decoded[row][10:40, 10:40].mean(), abs=1.0)


def test_a_window_begins_with_the_picture_that_is_held_into_it(tmp_path: Path) -> None:
    thin, _ = pictures([200] * 5 + [220] + [40] * 10, {5: 75})
    path = write(tmp_path / "a.mkv", thin)
    (track,) = track_faces(path, Scripted(), start=1.5, end=2.6)
    assert track.times[0] == 1.5 and track.times[-1] == pytest.approx(2.5)
    crops, present = crop_faces(path, np.array([1.5, 2.0, 2.4]), track, 8)
    assert present.all() and np.abs(crops.astype(float) - 220).max() < 9


def test_nothing_is_held_for_longer_than_a_minute(tmp_path: Path) -> None:
    thin = [(0.0, grey(200)), (0.04, grey(200)), (0.08, grey(200)), (200.0, grey(40))]
    silence = np.zeros((1, 201 * 8000), np.float32)  # else the pause would be left out
    path = write_recording(
        tmp_path / "a.mkv", thin, silence, 8000, video_codec="mjpeg", pixels="yuvj420p",
        audio_codec="pcm_s16le",
    )  # fmt: skip
    times = np.array([0.0, 30.0, 0.05 + HOLE, 0.2 + HOLE, 150.0, 200.0])
    _, present = crop_faces(path, times, everywhere(300), 8)
    assert present.tolist() == [True, True, True, False, False, True]
    (track,) = track_faces(path, Scripted())
    assert track.times[-1] == pytest.approx(0.08 + HOLE, abs=0.21)


def test_pictures_that_ended_are_absent_while_the_sound_goes_on(tmp_path: Path) -> None:
    images = [(i / FPS, grey(200)) for i in range(25)]
    path = write_recording(tmp_path / "a.mp4", images, beep(4.0, 0.5, 48000))
    _, present = crop_faces(path, np.array([0.9, 1.01, 1.1, 3.0]), everywhere(10), 8)
    assert present.tolist() == [True, True, False, False]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_last_picture_is_shown_for_as_long_as_the_file_says(
    tmp_path: Path, suffix: str
) -> None:
    import av

    source = write(tmp_path / f"s{suffix}", [(i / FPS, grey(200)) for i in range(10)])
    path = tmp_path / f"a{suffix}"
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        packets[-1].duration = round(3 / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            written.mux(packet)
    assert showing(path).last == pytest.approx(3.0)
    _, present = crop_faces(path, np.array([0.3, 2.0, 3.3, 3.5, 9.0]), everywhere(20), 8)
    assert present.tolist() == [True, True, True, False, False]


def test_what_is_numbered_after_pictures_is_held_with_them() -> None:
    times = np.array([0.0, 0.04, 0.08, 4.08, 4.12, 100.0])
    wanted = np.array([0.03, 0.11, 2.0, 4.05, 4.07, 4.1, 4.2, 60.0, 70.0, 99.99, 100.05, 100.2])
    rows, near = nearest(times, wanted)
    assert rows.tolist() == [1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]
    assert near.tolist() == [True] * 8 + [False, True, True, False]


def test_key_frames_show_what_is_held(tmp_path: Path) -> None:
    thin, _ = pictures([200] * 5 + [90] + [40] * 3, {5: 90})
    frames = key_frames(write(tmp_path / "a.mkv", thin), 99 / FPS)
    assert len(frames) == 10
    assert [frame.time for frame in frames[1:]] == sorted(frame.time for frame in frames[1:])
    assert all(abs(frame.picture.mean() - 90) < 6 for frame in frames[1:9])


def test_a_face_that_is_held_is_read_like_the_repeated_one(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()[:, 64:384]
    options = {"bf": "0", "crf": "20"}
    full = [(i / FPS, image) for i in range(100)]
    thin = full[:10] + full[80:]
    found, expected = (
        affuse.predict(write_recording(tmp_path / f"{name}.mkv", images, options=options))
        for name, images in (("thin", thin), ("full", full))
    )
    assert isinstance(found, Timeline) and isinstance(expected, Timeline)
    assert found.presence["video"].share == expected.presence["video"].share == 1
    assert len(found.starts) == len(expected.starts) and found.known.all()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.05)
