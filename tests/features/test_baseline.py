"""How what is known of a person and the statistics of the corpus are joined."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.errors import AffuseError
from affuse.features.baseline import Baselines, Evidence, evidence_of, together
from affuse.features.batch import Normalisation, collate, normalise
from affuse.features.stream import Stream, StreamSpec

VOICE = StreamSpec("audio/x", 10.0, (3,))
LAYERS = StreamSpec("audio/layers", 10.0, (2, 3), "float16", kind="maps")
ROWS = StreamSpec("video/rows", 0.0, (3,))
IMAGES = StreamSpec("video/images", 10.0, (4, 4, 3), "uint8")
CORPUS = Normalisation((1.0, -2.0, 30.0), (2.0, 0.5, 9.0))
SIX = Normalisation((1.0, -2.0, 3.0, 0.0, 5.0, -6.0), (2.0, 0.5, 0.9, 1.0, 3.0, 4.0))
numbers = st.floats(-100, 100, allow_nan=False)


def voice(seed: int, frames: int = 40, offset: float = 0.0, scale: float = 1.0) -> Stream:
    random = np.random.default_rng(seed)
    values = scale * random.normal(size=(frames, 3)) + offset
    return Stream(values.astype(np.float32), random.random(frames) < 0.8)


def baselines(k: float = 3.0, window: float = 2.0) -> Baselines:
    specs = {s.name: s for s in (VOICE, LAYERS, ROWS, IMAGES)}
    corpus = {s: SIX if s == LAYERS.name else CORPUS for s in specs}
    return Baselines(specs, corpus, k, window)


def test_without_evidence_streams_are_the_corpus_normalisation_to_the_bit() -> None:
    stream = voice(0)
    assert baselines().moved(VOICE.name, stream, {}) is stream
    nobody = {VOICE.name: Evidence(0, np.zeros(3), np.zeros(3))}
    assert baselines().moved(VOICE.name, stream, nobody) is stream
    mean, std = baselines().statistics(VOICE.name, {})
    assert mean.tolist() == list(CORPUS.mean) and std.tolist() == list(CORPUS.std)


def test_images_and_scores_are_never_moved_and_tell_nothing() -> None:
    frames = Stream(np.full((5, 4, 4, 3), 200, np.uint8), np.ones(5, bool))
    known = evidence_of({IMAGES.name: frames}, {IMAGES.name: IMAGES})
    assert known == {}
    scores = StreamSpec("audio/scores", 10.0, (3,), kind="scores")
    assert evidence_of({scores.name: voice(1)}, {scores.name: scores}) == {}
    assert not Baselines({scores.name: scores}, {scores.name: CORPUS}, 1, 1).specs
    some = {IMAGES.name: Evidence(5, np.ones(48), np.ones(48))}
    assert baselines().moved(IMAGES.name, frames, some) is frames


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), numbers, st.floats(0, 20), st.floats(0.01, 100))
def test_more_evidence_leads_from_the_corpus_to_the_person_step_by_step(
    seed: int, offset: float, scale: float, k: float
) -> None:
    one = evidence_of({VOICE.name: voice(seed, offset=offset, scale=scale)}, {VOICE.name: VOICE})
    own_mean, own_variance = one[VOICE.name].moments()
    own_std = np.sqrt(np.maximum(own_variance, 0.01 * np.square(CORPUS.std)))
    made, far = baselines(k), []
    for times in (0, 1, 2, 5, 20, 100, 10_000_000):
        known = {VOICE.name: _times(one[VOICE.name], times)}
        mean, std = made.statistics(VOICE.name, known)
        far.append(np.concatenate([np.abs(mean - own_mean), np.abs(std - own_std)]))
    for before, after in pairwise(far):
        assert (after <= before + 1e-6 * (1 + abs(offset) + scale)).all()
    assert far[0] == pytest.approx(
        np.concatenate([np.abs(CORPUS.mean - own_mean), np.abs(CORPUS.std - own_std)])
    )
    assert (far[-1] <= 1e-3 * (1 + abs(offset) + scale)).all()


def _times(one: Evidence, times: int) -> Evidence:
    return Evidence(times * one.frames, times * one.total, times * one.squares)


def test_the_formula_is_the_documented_one() -> None:
    stream = Stream(np.float32([[1, 2, 3], [3, 2, 5]]), np.ones(2, bool))
    known = evidence_of({VOICE.name: stream}, {VOICE.name: VOICE})
    mean, std = baselines(k=0.3, window=1.0).statistics(VOICE.name, known)
    n, k = 0.2, 0.3  # two of the ten frames of a window
    own, variance = np.array([2.0, 2, 4]), np.array([1.0, 0.01 * 0.5**2, 1])  # a floor for none
    assert mean == pytest.approx((n * own + k * np.array(CORPUS.mean)) / (n + k))
    assert std**2 == pytest.approx((n * variance + k * np.square(CORPUS.std)) / (n + k))


def test_a_row_per_clip_counts_as_a_window_and_frames_by_their_length() -> None:
    made = baselines(window=2.0)
    row = Stream(np.ones((1, 3), np.float32), np.ones(1, bool))
    known = together([evidence_of({ROWS.name: row}, {ROWS.name: ROWS})] * 4)
    assert made.windows(ROWS.name, known) == 4 and made.seconds(known)["video"] == 8
    there = Stream(np.ones((60, 3), np.float32), np.arange(60) < 30)  # 3 of 6 s
    known = evidence_of({VOICE.name: there}, {VOICE.name: VOICE})
    assert made.windows(VOICE.name, known) == 1.5 and made.seconds(known)["audio"] == 3


@pytest.mark.parametrize("spec", [VOICE, LAYERS], ids=["vectors", "maps"])
def test_much_evidence_standardises_a_person_by_themselves(spec: StreamSpec) -> None:
    random = np.random.default_rng(3)
    values = random.normal(5, 3, (50_000, *spec.shape)).astype(spec.dtype)
    stream = Stream(values, np.ones(len(values), bool))
    made = baselines(k=1e-3)
    moved = made.moved(spec.name, stream, evidence_of({spec.name: stream}, {spec.name: spec}))
    assert moved.values.dtype == values.dtype
    corpus = {spec.name: SIX if spec is LAYERS else CORPUS}
    batch = collate([{spec.name: moved}], {spec.name: spec})
    x = normalise(batch, corpus).streams[spec.name][0].numpy()
    assert x.mean(0) == pytest.approx(0, abs=0.01) and x.std(0) == pytest.approx(1, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 39))
def test_evidence_of_parts_is_that_of_the_whole(seed: int, cut: int) -> None:
    stream = voice(seed, offset=4)
    specs = {VOICE.name: VOICE}
    parts = [
        replace(stream, values=stream.values[part], mask=stream.mask[part])
        for part in (slice(0, cut), slice(cut, None))
    ]
    whole = evidence_of({VOICE.name: stream}, specs)[VOICE.name]
    added = together(evidence_of({VOICE.name: part}, specs) for part in parts)[VOICE.name]
    assert added.frames == whole.frames == stream.mask.sum()
    assert added.total == pytest.approx(whole.total)
    assert added.squares == pytest.approx(whole.squares)


def test_absent_frames_tell_nothing_and_numbers_that_are_not_finite_are_refused() -> None:
    stream = voice(1)
    spoiled = replace(stream, values=np.where(stream.mask[:, None], stream.values, np.nan))
    specs = {VOICE.name: VOICE}
    clean = evidence_of({VOICE.name: stream}, specs)[VOICE.name]
    assert evidence_of({VOICE.name: spoiled}, specs)[VOICE.name].total.tolist() == (
        clean.total.tolist()
    )
    with pytest.raises(AffuseError, match=r"clip c7: stream audio/x holds a number"):
        evidence_of({VOICE.name: replace(spoiled, mask=~stream.mask)}, specs, "c7")
