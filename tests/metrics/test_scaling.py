"""Temperature and bias: what was put in is found, and a bias only where it helps new speakers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from affuse.metrics.calibration import calibration
from affuse.metrics.scaling import Scaling, Windowed, clip_probabilities, fit_scaling


def drawn(heat: float, shift: float = 0.0, windows: int = 1, count: int = 6000) -> Windowed:
    """Scores `heat` times too sure and one class `shift` too low, classes drawn from the truth."""
    random = np.random.default_rng(3)
    rows = random.normal(0, 2, (count * windows, 4))
    chances = softmax(rows, axis=1).reshape(count, windows, 4).mean(1)
    true = (random.random((count, 1)) > chances.cumsum(1)).sum(1).clip(max=3)
    return Windowed(
        (rows - [shift, 0, 0, 0]) * heat,
        np.full(count, windows),
        true,
        np.array([f"s{k % 8}" for k in range(count)]),
    )


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("windows", [1, 3])
def test_too_sure_and_too_modest_are_put_right(heat: float, windows: int) -> None:
    clips = drawn(heat, windows=windows)
    found = fit_scaling(clips).scaling
    assert found.temperature == pytest.approx(heat, rel=0.08)
    before = calibration(clip_probabilities(clips, Scaling(1.0)), clips.true)
    after = calibration(clip_probabilities(clips, found), clips.true)
    assert after.ece < 0.03 and after.nll <= before.nll + 1e-6


def test_a_class_that_is_said_too_seldom_gets_a_bias() -> None:
    found = fit_scaling(drawn(1.0, shift=1.5))
    assert found.losses is not None and found.losses[1] < found.losses[0] - 0.05
    bias = found.scaling.bias
    assert bias is not None
    np.testing.assert_allclose(bias - bias[1], [1.5, 0, 0, 0], atol=0.15)


def test_what_one_speaker_says_oddly_is_no_bias() -> None:
    """Each speaker leans to a class of their own: nothing of it holds for another one."""
    clips = drawn(1.0, count=64)
    own = np.array([int(name[1:]) % 4 for name in clips.speakers])
    leaning = Windowed(clips.logits - 2 * np.eye(4)[own], clips.counts, clips.true, clips.speakers)
    found = fit_scaling(leaning)
    assert (
        found.scaling.bias is None
        and found.losses is not None
        and found.losses[0] <= found.losses[1]
    )


def test_every_speaker_counts_alike() -> None:
    clips = drawn(2.0, count=800)
    rows = np.concatenate([np.arange(800), *[np.flatnonzero(clips.speakers == "s0")] * 5])
    more = Windowed(clips.logits[rows], clips.counts[rows], clips.true[rows], clips.speakers[rows])
    expected = fit_scaling(clips).scaling.temperature
    assert fit_scaling(more).scaling.temperature == pytest.approx(expected, abs=1e-3)


def test_one_speaker_cannot_say_what_holds_for_others() -> None:
    clips = drawn(2.0, shift=2.0, count=300)
    found = fit_scaling(clips.of(clips.speakers == "s1"))
    assert found.scaling.bias is None and found.losses is None


def test_held_out_probabilities_know_nothing_of_their_speaker() -> None:
    clips = drawn(2.0, count=400)
    found = fit_scaling(clips).held_out
    own = clips.speakers == "s2"
    random = np.random.default_rng(0)
    true = np.where(own, random.integers(0, 4, len(own)), clips.true)
    other = fit_scaling(Windowed(clips.logits, clips.counts, true, clips.speakers)).held_out
    np.testing.assert_allclose(found[own], other[own], rtol=1e-6)
    assert not np.allclose(found[~own], other[~own], rtol=1e-3)
    np.testing.assert_allclose(found.sum(1), 1)
