"""Properties of the time of a recording, for stamps of any kind."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.media.counts import HOLE, Stamps
from affuse.media.timing import Clock, Timing, place

PICTURE, BLOCK = 0.04, 0.02
Part = tuple[float, float, float]  # seconds that it lasts, of its clock, and by which sound is late


def stamped(parts: list[Part], kind: str, length: float) -> Stamps:
    """Packets of parts that follow each other in the file, each with a clock of its own."""
    starts: list[np.ndarray] = []
    places: list[np.ndarray] = []
    begin = 0.0
    for seconds, clock, late in parts:
        times = np.arange(round(seconds / length)) * length
        starts.append(clock + times + (late if kind == "audio" else 0.0))
        places.append(np.round((begin + times) * 1000) * 2 + (kind == "audio"))
        begin += seconds
    together = np.concatenate(starts)
    return Stamps(
        together,
        np.full(len(together), length),
        together,
        np.concatenate(places).astype(np.int64),
    )


def both(parts: list[Part]) -> tuple[Stamps, Stamps, Timing]:
    video, audio = (stamped(parts, *kind) for kind in (("video", PICTURE), ("audio", BLOCK)))
    return video, audio, place(video, audio)


SECONDS = st.integers(2, 10).map(float)
CLOCK = st.floats(0, 1e5).map(lambda seconds: round(seconds / PICTURE) * PICTURE)
PARTS = st.lists(st.tuples(SECONDS, CLOCK, st.just(0.0)), min_size=1, max_size=5)


def apart(parts: list[Part]) -> bool:
    """Whether no clock goes on near the one before, which may be a pause."""
    steps = [after[1] - (before[1] + before[0]) for before, after in pairwise(parts)]
    return all(not -2 <= step <= HOLE + 1 for step in steps)


@settings(max_examples=30, deadline=None)
@given(PARTS.filter(apart))
def test_parts_with_clocks_of_their_own_follow_each_other(parts: list[Part]) -> None:
    video, audio, timing = both(parts)
    assert timing.video is not None and timing.audio is not None
    seconds = sum(part[0] for part in parts)
    assert abs(timing.duration - seconds) <= PICTURE
    expected = np.arange(len(video.starts)) * PICTURE
    assert np.abs(timing.video.starts - expected).max() <= PICTURE
    assert np.abs(timing.audio.starts - np.arange(len(audio.starts)) * BLOCK).max() <= PICTURE


@settings(max_examples=30, deadline=None)
@given(PARTS.filter(apart))
def test_a_clock_tells_frames_the_times_of_their_packets(parts: list[Part]) -> None:
    video, audio, timing = both(parts)
    for stamps, track in ((video, timing.video), (audio, timing.audio)):
        assert track is not None
        clock = Clock(track)
        told = np.array([clock.time_of(float(stamp)) for stamp in stamps.starts])
        assert np.abs(told - track.starts).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(PARTS, st.floats(0, 3e5), st.sampled_from(["video", "audio"]))
def test_no_more_time_than_content_and_pauses(parts: list[Part], shift: float, alone: str) -> None:
    """Whatever one of the two says, and whether or not clocks go on near each other."""
    streams = {
        "video": stamped(parts, "video", PICTURE),
        "audio": stamped(parts, "audio", BLOCK),
    }
    moved = streams[alone]
    streams[alone] = Stamps(moved.starts + shift, moved.lengths, moved.order + shift, moved.places)
    timing = place(**streams)
    seconds = sum(part[0] for part in parts)
    # each kind may come alone, after pauses that are believed
    assert timing.duration <= 2 * seconds + HOLE * (2 * len(parts))
    for track in (timing.video, timing.audio):
        assert track is not None
        assert track.starts.min() >= -1e-6
        assert track.end <= timing.duration + 1e-6


@settings(max_examples=30, deadline=None)
@given(st.floats(-1e5, 1e5), st.floats(0, 20.0), st.lists(st.floats(0.1, HOLE - 1), max_size=4))
def test_pauses_and_a_late_start_of_sound_stay(
    origin: float, late: float, pauses: list[float]
) -> None:
    moments = origin + np.cumsum([0.0, *pauses])
    pictures = (moments[:, None] + np.arange(50) * 0.001).ravel()
    video = Stamps(pictures, np.zeros(len(pictures)), pictures, np.arange(len(pictures)) * 2)
    blocks = origin + late + np.arange(100) * BLOCK
    audio = Stamps(blocks, np.full(100, BLOCK), blocks, np.arange(100) * 2 + 1)
    timing = place(video, audio)
    assert timing.video is not None and timing.audio is not None
    assert np.abs(timing.video.starts - (pictures - origin)).max() < 1e-6
    assert np.abs(timing.audio.starts - (blocks - origin)).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 60), st.integers(1, 8), st.floats(2, 1e5), st.sampled_from([1, -1]))
def test_a_damaged_stamp_or_a_few_lie_where_their_neighbours_are(
    first: int, count: int, shift: float, sign: int
) -> None:
    expected = np.arange(100) * PICTURE
    starts = expected.copy()
    starts[first : first + count] += sign * shift
    timing = place(Stamps(starts, np.full(100, PICTURE), starts, np.arange(100)), None)
    assert timing.video is not None
    assert np.abs(timing.video.starts - expected).max() <= PICTURE
    assert abs(timing.duration - 4.0) <= PICTURE


def test_pictures_stored_in_another_order_than_shown_stay_where_they_are() -> None:
    shown = np.arange(64).reshape(-1, 4)[:, [3, 1, 0, 2]].ravel() * 1.0  # one per second
    unknown = np.full(64, np.nan)
    timing = place(Stamps(shown, np.zeros(64), unknown, np.arange(64)), None)
    assert timing.video is not None
    assert timing.video.steady
    np.testing.assert_allclose(timing.video.starts, shown)
    assert timing.duration == 64.0


def test_an_absurd_length_of_the_last_picture_is_not_believed() -> None:
    starts = np.arange(50) * PICTURE
    lengths = np.append(np.full(49, PICTURE), 86400.0)
    assert place(Stamps(starts, lengths, starts, np.arange(50)), None).duration == 50 * PICTURE
