"""What the published rules of scoring make of the same predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.metrics.concordance import ccc, published_ccc
from affuse.tasks.published_rules import Track, compare_rules, leader_follower_ccc, rjca_ccc

SOUND = "default"
ZEROS = "default, frames without annotation count as zeros"
OUTSIDE = "default, averaged over 20 / 50 frames, zeros outside"
INSIDE = "default, averaged over 20 / 50 frames"


def track(seed: int, n: int = 200, gap: int = 0, level: float = 0.0) -> Track:
    rng = np.random.default_rng(seed)
    truth = level + 0.3 * np.sin(np.arange(n) / 20)
    raw = truth + 0.1 * rng.normal(size=n)
    labelled = np.ones(n, bool)
    labelled[20 : 20 + gap] = False
    return Track(raw, raw.clip(-1, 1), truth, labelled)


@given(st.integers(0, 100), st.integers(0, 100))
def test_what_is_not_annotated_does_not_matter_to_the_sound_rule_alone(seed: int, gap: int) -> None:
    one = track(seed, gap=gap)
    truth, raw = one.truth.copy(), one.raw.copy()
    truth[~one.labelled], raw[~one.labelled] = -5, 0.9
    other = replace(one, truth=truth, raw=raw, final=raw.clip(-1, 1))
    before, after = (compare_rules({"valence": [x]}) for x in (one, other))
    for rule in (SOUND, ZEROS, "published, leader-follower", "published, RJCA"):
        assert before[rule]["valence"] == pytest.approx(after[rule]["valence"], abs=1e-12)


def test_frames_that_nobody_annotated_are_agreement_for_nothing() -> None:
    """Far from zero, agreement that all of them are at zero outweighs what the model knows."""
    bad = track(0, gap=60, level=0.6)
    bad = replace(bad, raw=1.2 - bad.raw, final=(1.2 - bad.raw).clip(-1, 1))
    found = compare_rules({"valence": [bad]})
    assert found[SOUND]["valence"] < 0 < 0.4 < found[ZEROS]["valence"]
    assert rjca_ccc([bad], 20) > 0.4


def test_zeros_outside_bend_the_ends() -> None:
    short = [track(seed, 90, level=0.6) for seed in range(3)]
    found = compare_rules({"valence": short, "arousal": short})
    for name in ("valence", "arousal"):
        assert found[OUTSIDE][name] < found[INSIDE][name] - 0.02
    assert found[SOUND]["valence"] == found[SOUND]["arousal"]  # but the averages are not the same
    assert found[INSIDE]["valence"] != found[INSIDE]["arousal"]


def test_single_differences_are_single() -> None:
    tracks = [track(seed, gap=30) for seed in range(3)]
    found = {rule: own["valence"] for rule, own in compare_rules({"valence": tracks}).items()}
    raw, truth = (
        np.concatenate([getattr(x, name)[x.labelled] for x in tracks]) for name in ("raw", "truth")
    )
    assert found[SOUND] == found["default, not smoothed"] == ccc(raw.clip(-1, 1), truth)
    assert found["default, unbiased variances"] == published_ccc(raw.clip(-1, 1), truth)
    assert found["published, leader-follower"] == leader_follower_ccc(tracks)
    assert leader_follower_ccc(tracks) == published_ccc(raw, truth) < found[SOUND]
    whole = [track(seed) for seed in range(3)]
    own = {rule: x["valence"] for rule, x in compare_rules({"valence": whole}).items()}
    assert own[ZEROS] == pytest.approx(own[SOUND], abs=1e-6)


def test_other_dimensions_have_no_published_average() -> None:
    found = compare_rules({"dominance": [track(0)]})
    assert found["published, RJCA"]["dominance"] is None
    assert found[SOUND]["dominance"] > 0.8
