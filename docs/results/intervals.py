"""How often 95 % intervals over few speakers hold the true score: python docs/results/intervals.py

Speakers have true accuracies from a Beta distribution and 20 to 60 clips each; what an interval
should hold is the score of endlessly many of them. Printed is the share of simulations in which it
does, the least and the most over six distributions: of accuracies in four ways, then of other
scores as affuse does it and by the percentile bootstrap.
"""

import warnings
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from scipy import stats

from affuse.metrics.bootstrap import bootstrap_t_intervals
from affuse.metrics.classification import accuracy_interval, confusion_scores
from affuse.metrics.jackknife import Scores, left_out, t_interval
from affuse.metrics.over_time import SERIES_METRICS, series_means, series_sums

SPEAKERS = (3, 4, 6, 8, 12, 20, 60)
MEANS, DEVIATIONS = (0.5, 0.7, 0.85), (0.1, 0.15)
DRAWS = 1000
#: How often each of six classes occurs, and how much its recall differs from the accuracy.
OCCURS = np.array([0.35, 0.2, 0.15, 0.12, 0.1, 0.08])
EASIER = np.linspace(-0.1, 0.1, 6)

Interval = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def jackknife_t(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """That of affuse, from clips."""
    each = np.concatenate([np.arange(n) < k for k, n in zip(hits, count, strict=True)])
    return accuracy_interval(each, np.repeat(np.arange(len(count)), count))


def plain_t(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """A t interval of the accuracy itself, cut off at 0 and 1."""
    n, accuracy = len(count), hits.sum() / count.sum()
    error = np.sqrt(((hits - accuracy * count) ** 2).sum() * n / (n - 1)) / count.sum()
    reach = stats.t.ppf(0.975, n - 1) * error
    return max(accuracy - reach, 0.0), min(accuracy + reach, 1.0)


def percentile(hits: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Speaker-level bootstrap: quantiles."""
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


def beta(mean: float, deviation: float, speakers: int) -> np.ndarray:
    """True accuracies of speakers."""
    both = mean * (1 - mean) / deviation**2 - 1
    return RANDOM.beta(mean * both, (1 - mean) * both, speakers)


def covered(interval: Interval, speakers: int, mean: float, deviation: float, times: int) -> float:
    """Share of simulations in which the interval holds the mean."""
    held = 0
    for _ in range(times):
        known = beta(mean, deviation, speakers)
        count = RANDOM.integers(20, 61, speakers)
        low, high = interval(RANDOM.binomial(count, known), count)
        held += low <= mean <= high
    return held / times


def confusions(speakers: int, mean: float, deviation: float) -> np.ndarray:
    """(speakers, 6, 6) confusions; the classes of a speaker differ too (standard deviation 0.1)."""
    count = RANDOM.multinomial(RANDOM.integers(20, 61, speakers), np.tile(OCCURS, (speakers, 1)))
    own = beta(mean, deviation, speakers)[:, None] + RANDOM.normal(EASIER, 0.1, (speakers, 6))
    right = RANDOM.binomial(count, own.clip(0.02, 0.98))
    found = np.zeros((speakers, 6, 6))
    for k in range(6):
        others = [c for c in range(6) if c != k]
        wrong = count[:, k] - right[:, k]
        found[:, k, others] = RANDOM.multinomial(wrong, np.full((speakers, 5), 0.2))
        found[:, k, k] = right[:, k]
    return found


def series(speakers: int, slope: float, shift: float) -> np.ndarray:
    """(speakers, 10) sums of a series of 30 to 90 values each, that a model follows by a slope of
    0.7 and with an error of 0.15; slopes and levels differ between speakers.
    """
    predicted, true = [], []
    for length in RANDOM.integers(30, 91, speakers):
        y = RANDOM.normal(0, 0.2) + np.cumsum(RANDOM.normal(0, 0.04, length))
        x = RANDOM.normal(0.7, slope) * y + RANDOM.normal(RANDOM.normal(0, shift), 0.15, length)
        predicted.append(x[:, None])
        true.append(y[:, None])
    return series_sums(predicted, true)


def of_series(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of one dimension."""
    return {name: values[..., 0] for name, values in series_means(sums).items()}


def listed(scores: Scores) -> Scores:
    """Scores (..., 1), as of one dimension."""
    return lambda sums: {name: values[..., None] for name, values in scores(sums).items()}


def coverage(
    draw: Callable[[int], np.ndarray], scores: Scores, scales: dict[str, str], times: int
) -> list[dict[str, float]]:
    """By number of speakers: score -> share of simulations in which its interval holds it."""
    true = scores(sum(draw(2000).sum(0) for _ in range(50)))
    found = []
    for speakers in SPEAKERS:
        correlations = [name for name, scale in scales.items() if scale == "correlation"]
        more = [f"{name}, t" for name in correlations], [f"{name}, percentile" for name in scales]
        held = dict.fromkeys((*scales, *more[0], *more[1]), 0)
        for time in range(times):
            sums = draw(speakers)
            values, without = scores(sums.sum(0)), left_out(scores, sums)
            intervals = bootstrap_t_intervals(
                listed(scores), sums, listed(scores)(sums.sum(0)), scales
            )
            for name in scales:
                low, high = intervals[name][0]
                held[name] += low <= true[name] <= high
            for name in correlations:
                low, high = t_interval(float(values[name]), without[name], "correlation")
                held[f"{name}, t"] += low <= true[name] <= high
            if time < times // 8:
                picks = RANDOM.multinomial(speakers, np.full(speakers, 1 / speakers), DRAWS)
                drawn = scores(np.tensordot(picks.astype(float), sums, 1))
                for name in scales:
                    low, high = np.quantile(drawn[name], [0.025, 0.975])
                    held[f"{name}, percentile"] += 8 * (low <= true[name] <= high)
        found.append({name: count / times for name, count in held.items()})
    return found


def table(by_speakers: list[list[dict[str, float]]]) -> None:
    """Print the least and the most over distributions."""
    names = list(by_speakers[0][0])
    print("\n| speakers | " + " | ".join(names) + " |\n|---:|" + "---|" * len(names))
    for speakers, *rows in zip(SPEAKERS, *by_speakers, strict=True):
        cells = (f"{min(x[n] for x in rows):.3f} to {max(x[n] for x in rows):.3f}" for n in names)
        print(f"| {speakers} | " + " | ".join(cells) + " |", flush=True)


warnings.simplefilter("ignore", RuntimeWarning)  # of BCa where speakers are all alike
RANDOM = np.random.default_rng(0)
WAYS = {jackknife_t: 5000, plain_t: 5000, percentile: 1000, bca: 500}
print("| speakers | " + " | ".join(way.__name__ for way in WAYS) + " |")
print("|---:|" + "---|" * len(WAYS))
for speakers in SPEAKERS:
    cells = []
    for way, times in WAYS.items():
        kinds = product(MEANS, DEVIATIONS)
        shares = [covered(way, speakers, mean, deviation, times) for mean, deviation in kinds]
        cells.append(f"{min(shares):.3f} to {max(shares):.3f}")
    print(f"| {speakers} | " + " | ".join(cells) + " |", flush=True)
table(
    [
        coverage(
            partial(confusions, mean=mean, deviation=deviation),
            confusion_scores,
            dict.fromkeys(("uar", "macro_f1"), "share"),
            4000,
        )
        for mean, deviation in product(MEANS, DEVIATIONS)
    ]
)
table(
    [
        coverage(
            partial(series, slope=slope, shift=shift),
            of_series,
            {name: SERIES_METRICS[name].scale for name in ("ccc", "pcc", "rmse", "sagr")},
            1600,
        )
        for slope, shift in product((0.1, 0.2), (0.05, 0.1, 0.2))
    ]
)
