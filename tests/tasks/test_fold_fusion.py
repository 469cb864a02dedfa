"""Predictions of several folds, fused."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.tasks.fold_fusion import centred_fusion, fold_agreement, mean_fusion


def folds(k: int, n: int, noise: float, seed: int = 0) -> np.ndarray:
    """Folds that agree on a sine but for noise and their levels."""
    rng = np.random.default_rng(seed)
    sine = 0.5 * np.sin(np.arange(n) / 5)
    return sine + noise * rng.normal(size=(k, n)) + 0.2 * rng.normal(size=(k, 1))


@given(st.integers(1, 6), st.lists(st.floats(-1, 1), min_size=6, max_size=40))
def test_equal_folds_fuse_to_themselves(k: int, values: list[float]) -> None:
    stacked = np.tile(values, (k, 1))
    assert centred_fusion(stacked, clip=False) == pytest.approx(np.array(values), abs=1e-9)
    assert mean_fusion(stacked, clip=False) == pytest.approx(np.array(values), abs=1e-9)
    weighted = mean_fusion(stacked, np.arange(1, k + 1), clip=False)
    assert weighted == pytest.approx(np.array(values), abs=1e-9)


@given(st.integers(2, 6), st.integers(6, 80), st.floats(0, 1), st.integers(0, 1000))
def test_the_centred_fusion_is_the_mean_moved_to_a_level_among_the_folds(
    k: int, n: int, noise: float, seed: int
) -> None:
    stacked = folds(k, n, noise, seed)
    fused = centred_fusion(stacked, clip=False)
    moved = fused - mean_fusion(stacked, clip=False)
    assert moved == pytest.approx(moved.mean(), abs=1e-9)
    levels = stacked.mean(1)
    assert levels.min() - 1e-9 <= fused.mean() <= levels.max() + 1e-9
    shuffled = stacked[np.random.default_rng(seed).permutation(k)]
    assert centred_fusion(shuffled, clip=False) == pytest.approx(fused, abs=1e-9)


def test_a_fold_that_contradicts_the_others_does_not_set_the_level() -> None:
    agreeing = np.tile(0.5 * np.sin(np.arange(100) / 5), (3, 1))
    contrary = 0.3 - agreeing[:1]
    stacked = np.concatenate([agreeing, contrary])
    assert fold_agreement(stacked)[3] < 0 < fold_agreement(stacked)[0]
    fused = centred_fusion(stacked, clip=False)
    assert fused.mean() == pytest.approx(agreeing.mean())
    assert mean_fusion(stacked, clip=False).mean() > fused.mean() + 0.05


def test_agreement_is_the_mean_over_the_other_folds() -> None:
    x = np.sin(np.arange(1000) / 5)
    found = fold_agreement([x, x, -x])
    assert found == pytest.approx([0, 0, -1], abs=2e-3)
    assert fold_agreement([x]).tolist() == [0]


@pytest.mark.parametrize(
    "stacked",
    [
        folds(6, 5, 0.1),
        np.array([[0.1] * 9, [0.5] * 9]),
        np.stack([np.sin(np.arange(50)), -np.sin(np.arange(50))]),
    ],
    ids=["fewer frames than folds", "constant folds", "no agreement"],
)
def test_without_agreement_to_go_by_the_fusion_is_the_plain_mean(stacked: np.ndarray) -> None:
    assert centred_fusion(stacked, clip=False) == pytest.approx(stacked.mean(0))


def test_weights() -> None:
    stacked = folds(3, 20, 0.2)
    assert mean_fusion(stacked, [0, 2, 0], clip=False) == pytest.approx(stacked[1])
    found = mean_fusion(stacked, [1, 3, 0], clip=False)
    assert found == pytest.approx(0.25 * stacked[0] + 0.75 * stacked[1])


@pytest.mark.parametrize("fuse", [mean_fusion, centred_fusion])
def test_clipping_comes_last(fuse: Callable[..., np.ndarray]) -> None:
    stacked = np.stack([3 * np.sin(np.arange(60) / 5), np.sin(np.arange(60) / 5) - 1])
    free, clipped = fuse(stacked, clip=False), fuse(stacked, clip=True)
    assert free.max() > 1 > clipped.min() == -1
    assert clipped.tolist() == free.clip(-1, 1).tolist()


@pytest.mark.parametrize(
    "wrong", [np.zeros(5), np.zeros((0, 5)), np.zeros((2, 3, 4)), np.full((2, 3), np.nan)]
)
@pytest.mark.parametrize("fuse", [mean_fusion, centred_fusion])
def test_other_shapes_and_values_are_refused(
    fuse: Callable[..., np.ndarray], wrong: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="predictions"):
        fuse(wrong, clip=False)


@pytest.mark.parametrize("weights", [[1, 1], [1, -1, 1], [0, 0, 0], [1, np.nan, 1]])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        mean_fusion(folds(3, 9, 0.1), weights, clip=False)
