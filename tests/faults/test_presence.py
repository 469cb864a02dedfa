"""Presence is what is there, as a share of the recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.features.stream import Stream, StreamSpec
from affuse.inference.fixed import FixedStream
from affuse.tasks.presence import NEAR, Presence


@given(
    flags=st.lists(st.booleans(), min_size=1, max_size=300),
    rate=st.sampled_from([15 / 3.6, 25.0, 30.0, 43.07, 100.0]),
    start=st.floats(0.0, 3.0),
    more=st.floats(0.0, 20.0),
)
def test_shares_are_of_the_recording(
    flags: list[bool], rate: float, start: float, more: float
) -> None:
    present = np.array(flags)
    duration = start + len(flags) / rate + more
    presence = Presence(start, rate, present, duration)
    edges = 2 * max(NEAR, 1 / rate) + 1 / rate
    assert presence.share == pytest.approx(present.sum() / rate / duration, abs=edges / duration)
    times = np.linspace(0, duration, 5001)
    assert presence.at(times).mean() == pytest.approx(presence.share, abs=0.01)
    assert presence.share == pytest.approx(presence.within(0.0, duration))
    assert not presence.at(np.array([-0.01, duration + 0.01])).any()
    there = start + np.flatnonzero(present) / rate
    assert presence.at(there).all()


def test_sound_that_ends_after_3_of_12_seconds_is_a_quarter() -> None:
    presence = Presence(0.0, 50.0, np.ones(150, bool), 12.0)
    assert presence.share == pytest.approx(0.25, abs=0.001)
    assert presence.at(np.array([1.0, 2.9, 3.1, 11.9])).tolist() == [True, True, False, False]
    assert presence.within(2.0, 4.0) == pytest.approx(0.5, abs=0.01)


def test_a_few_milliseconds_at_the_ends_are_not_missed() -> None:
    for start, frames in ((0.0, 149), (0.06, 149), (0.0, 146)):
        assert Presence(start, 50.0, np.ones(frames, bool), 3.0).share == 1.0
    assert Presence(0.0, 50.0, np.ones(140, bool), 3.0).share == pytest.approx(2.79 / 3)
    assert Presence(0.12, 15 / 3.6, np.ones(12, bool), 3.0).share == 1.0


def test_silence_is_said() -> None:
    presence = Presence(0.0, 50.0, np.ones(100, bool), 4.0, 0.25, ((0.5, 1.0), (3.0, 4.0)))
    assert presence.summary == "50%, of which 25% silent"
    assert presence.silent_at(np.array([0.4, 0.7, 3.5])).tolist() == [False, True, False]
    assert Presence(0.0, 50.0, np.ones(200, bool), 4.0, 0.0).summary == "100%"
    assert Presence(0.0, 50.0, np.zeros(200, bool), 4.0, 1.0).summary == "0%"


def test_one_value_for_the_whole_recording() -> None:
    assert Presence(0.0, 0.0, np.ones(1, bool), 5.0).share == 1.0
    assert Presence(0.0, 0.0, np.zeros(0, bool), 5.0).share == 0.0
    assert Presence(0.0, 30.0, np.zeros(0, bool), 5.0).spans == []


def test_windows_of_a_fixed_span_are_laid_side_by_side() -> None:
    spec = StreamSpec("audio/x", 10.0, (2,), span=2.0)
    masks = [np.arange(20) < 20, np.arange(20) < 5, np.zeros(20, bool)]
    windows = [Stream(np.zeros((20, 2)), mask) for mask in masks]
    starts = [0.0, 2.5, 4.0]
    fixed = FixedStream(spec, starts, lambda number: windows[number])
    fixed.reach(6.0)
    assert np.flatnonzero(fixed.present().mask).tolist() == [*range(20), *range(25, 30)]
    assert fixed.take(1) is windows[1]
