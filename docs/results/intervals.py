"""How often 95 % intervals of an accuracy hold the true one: python docs/results/intervals.py

Speakers have true accuracies from a Beta distribution and 20 to 60 clips each; what an interval
should hold is the mean of that distribution. Printed is the share of simulations in which it does,
the least and the most over six distributions.
"""

import warnings
from collections.abc import Callable
from itertools import product

import numpy as np
from scipy import stats

from affuse.metrics.classification import accuracy_interval

SPEAKERS = (2, 3, 4, 6, 8, 12, 20, 60)
MEANS, DEVIATIONS = (0.5, 0.7, 0.85), (0.1, 0.15)
DRAWS = 1000

Interval = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def log_odds(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """That of affuse, from clips."""
    each = np.concatenate([np.arange(n) < k for k, n in zip(hits, count, strict=True)])
    return accuracy_interval(each, np.repeat(np.arange(len(count)), count))


def plain_t(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """The same on the accuracy itself, cut off at 0 and 1."""
    n, accuracy = len(count), hits.sum() / count.sum()
    error = np.sqrt(((hits - accuracy * count) ** 2).sum() * n / (n - 1)) / count.sum()
    reach = stats.t.ppf(0.975, n - 1) * error
    return max(accuracy - reach, 0.0), min(accuracy + reach, 1.0)


def percentile(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Bootstrap that redraws speakers: quantiles."""
    drawn = RANDOM.integers(0, len(count), (DRAWS, len(count)))
    low, high = np.quantile(hits[drawn].sum(1) / count[drawn].sum(1), [0.025, 0.975])
    return low, high


def bca(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """The same, corrected for bias and skew."""

    def accuracy(hits: np.ndarray, count: np.ndarray, axis: int) -> np.ndarray:
        return hits.sum(axis) / count.sum(axis)

    options = {"n_resamples": DRAWS, "paired": True, "vectorized": True, "method": "BCa"}
    found = stats.bootstrap((hits, count), accuracy, random_state=RANDOM, **options)
    return found.confidence_interval


def covered(interval: Interval, speakers: int, mean: float, deviation: float, times: int) -> float:
    """Share of simulations in which the interval holds the mean."""
    both, held = mean * (1 - mean) / deviation**2 - 1, 0
    for _ in range(times):
        known = RANDOM.beta(mean * both, (1 - mean) * both, speakers)
        count = RANDOM.integers(20, 61, speakers)
        low, high = interval(RANDOM.binomial(count, known), count)
        held += low <= mean <= high
    return held / times


warnings.simplefilter("ignore", RuntimeWarning)  # of BCa where speakers are all alike
RANDOM = np.random.default_rng(0)
WAYS = {log_odds: 5000, plain_t: 5000, percentile: 1000, bca: 500}
print("| speakers | " + " | ".join(way.__name__ for way in WAYS) + " |")
print("|---:|" + "---|" * len(WAYS))
for speakers in SPEAKERS:
    cells = []
    for way, times in WAYS.items():
        kinds = product(MEANS, DEVIATIONS)
        shares = [covered(way, speakers, mean, deviation, times) for mean, deviation in kinds]
        cells.append(f"{min(shares):.3f} to {max(shares):.3f}")
    print(f"| {speakers} | " + " | ".join(cells) + " |", flush=True)
