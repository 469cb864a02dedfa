"""Windows over a series, and their predictions put together again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.features.extractor import SHORTEST
from affuse.features.windows import frame_windows, grid_starts, overlap_mean

lengths_and_hops = st.integers(1, 40).flatmap(
    lambda length: st.tuples(st.just(length), st.integers(1, length))
)


@given(st.integers(1, 300), lengths_and_hops)
def test_windows_cover_every_frame_and_end_with_the_series(
    frames: int, sizes: tuple[int, int]
) -> None:
    length, hop = sizes
    spans = frame_windows(frames, length, hop)
    covered = {k for start, stop in spans for k in range(start, stop)}
    assert covered == set(range(frames))
    assert {stop - start for start, stop in spans} == {min(length, frames)}
    starts = [start for start, _ in spans]
    steps = np.diff(starts)
    assert (steps[:-1] == hop).all() and (steps[-1:] >= 1).all() and (steps[-1:] <= hop).all()
    assert spans[-1][1] == frames


@given(st.integers(1, 300), st.integers(1, 40), st.floats(1, 40))
def test_a_hop_of_a_part_of_a_frame_does_not_add_up(frames: int, length: int, hop: float) -> None:
    spans = frame_windows(frames, length, min(hop, length))
    starts = [start for start, _ in spans[:-1]]
    assert np.abs(starts - min(hop, length) * np.arange(len(starts))).max(initial=0) <= 0.5
    assert {k for start, stop in spans for k in range(start, stop)} == set(range(frames))


windows_and_hops = st.floats(1, 12).flatmap(
    lambda window: st.tuples(st.just(window), st.floats(0.05, window))
)


@given(st.floats(0.5, 60), st.floats(0.5, 60), windows_and_hops)
def test_recordings_of_any_length_have_one_grid(
    duration: float, other: float, sizes: tuple[float, float]
) -> None:
    window, hop = sizes
    found = [grid_starts(seconds, window, hop) for seconds in (duration, other)]
    if min(duration, other) <= window:
        return
    shared = min(map(len, found))
    assert found[0][:shared].tolist() == found[1][:shared].tolist()
    for starts, seconds in zip(found, (duration, other), strict=True):
        assert starts.tolist() == [hop * k for k in range(len(starts))]
        inside = np.minimum(starts + window, seconds) - starts
        assert inside[:-1] == pytest.approx(window) and starts[-1] + window > seconds - SHORTEST
        assert inside[-1] >= min(window - hop, SHORTEST) - 1e-5
        if hop <= window / 2:
            assert starts[-1] + window >= seconds - 1e-5 and inside[-1] >= window / 2 - 1e-5


def test_a_recording_of_a_window_has_one() -> None:
    for seconds in (0.5, 3.0, 3.6):
        assert grid_starts(seconds, 3.6, 1.0) == pytest.approx([(seconds - 3.6) / 2])
    assert grid_starts(3.7, 3.6, 1.0).tolist() == [0, 1]
    assert grid_starts(7.2, 3.6, 3.6).tolist() == [0, 3.6]
    assert grid_starts(7.3, 3.6, 3.6).tolist() == [0, 3.6]  # 0.1 s says nothing
    assert grid_starts(7.9, 3.6, 3.6).tolist() == [0, 3.6, 7.2]


@given(st.integers(1, 300), lengths_and_hops, st.floats(-1, 1, width=32))
def test_the_overlap_of_a_constant_is_the_constant(
    frames: int, sizes: tuple[int, int], value: float
) -> None:
    spans = frame_windows(frames, *sizes)
    windows = [np.full((sizes[0], 2), value, np.float32) for _ in spans]
    found = overlap_mean(windows, spans, frames)
    assert found.shape == (frames, 2) and found.dtype == np.float32
    assert found == pytest.approx(value, abs=1e-7)


@given(st.integers(1, 300), lengths_and_hops)
def test_a_series_that_was_cut_is_put_together_again(frames: int, sizes: tuple[int, int]) -> None:
    length, hop = sizes
    series = np.random.default_rng(frames).normal(size=(frames, 1)).astype(np.float32)
    spans = frame_windows(frames, length, hop)
    padded = np.concatenate([series, np.full((length, 1), 9, np.float32)])
    windows = [padded[start : start + length] for start, _ in spans]
    assert overlap_mean(windows, spans, frames) == pytest.approx(series, abs=1e-6)


def test_a_frame_of_several_windows_has_their_mean() -> None:
    windows = np.array([[[0.0], [1.0], [2.0]], [[3.0], [4.0], [5.0]]])
    found = overlap_mean(windows, [(0, 3), (2, 5)], 5)
    assert found[:, 0].tolist() == [0, 1, 2.5, 4, 5]


@pytest.mark.parametrize(("frames", "length", "hop"), [(0, 3, 2), (9, 3, 4), (9, 3, 0)])
def test_what_no_windows_cover_is_refused(frames: int, length: int, hop: int) -> None:
    with pytest.raises(ValueError, match="cover"):
        frame_windows(frames, length, hop)


@pytest.mark.parametrize(
    ("lengths", "spans", "frames", "reason"),
    [
        ([3], [(0, 3), (2, 5)], 5, "1 windows for 2 spans"),
        ([], [], 5, "0 windows"),
        ([3, 2], [(0, 3), (2, 5)], 5, "2 predictions for frames 2 to 5"),
        ([3, 2], [(0, 3), (4, 6)], 6, "no window covers frame 3"),
    ],
)
def test_windows_that_do_not_fit_are_refused(
    lengths: list[int], spans: list[tuple[int, int]], frames: int, reason: str
) -> None:
    windows = [np.zeros((length, 1)) for length in lengths]
    with pytest.raises(ValueError, match=reason):
        overlap_mean(windows, spans, frames)
