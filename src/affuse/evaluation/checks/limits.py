"""Limits from simulated models: what chance alone does with so many speakers and clips.

Nothing here looks at a model: it is simulated what models would do that have no fault.

- **Dealt anew** (`orders`, `difference_limit`): the model's own answers, but which of them belong
  to which group, speaker or truth is drawn. Accuracy and the distribution of answers stay the same,
  speakers stay whole, the effect that is looked for is gone.
- **Turned round** (`balance_limit`): of each speaker all mistakes are as they are or the other way
  round, by a coin. The mistakes stay as large, the bias is gone.
- **At the allowance** (`shares`): of all clips of all people a stated share goes wrong, and people
  differ in it by `ALIKE`.

A limit is the 95 % quantile of the statistic over the simulated models (or the 5 % quantile,
of what should be high), so that a model without the fault passes in 95 of 100 cases. All draws come
from one seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from affuse.metrics.concordance import ccc

DRAWS = 2000
LEVEL = 0.95
#: Intraclass correlation of what goes wrong with clips of a speaker.
ALIKE = 0.1
#: Ways to deal or to turn that a limit needs, so that one in twenty is not all of them.
LEAST_WAYS = 40
_CELLS = 2**22  # numbers that are looked at together


def upper(values: np.ndarray) -> float:
    """The limit of what should be low, from (draws,) simulated models."""
    return float(np.quantile(values, LEVEL, method="higher"))


def lower(values: np.ndarray) -> float:
    """The limit of what should be high."""
    return float(np.quantile(values, 1 - LEVEL, method="lower"))


def orders(strata: np.ndarray, draws: int = DRAWS, width: int = 1) -> Iterator[np.ndarray]:
    """(d, N) int, each row an order in which things change places within their strata.

    Args:
        strata: (N,) int.
        draws: Number of orders, in parts of d.
        width: Numbers that the caller holds of each thing.
    """
    random = np.random.default_rng(0)
    home = np.argsort(strata, kind="stable")
    size = max(1, _CELLS // (len(strata) * width))
    for first in range(0, draws, size):
        count = min(size, draws - first)
        found = np.empty((count, len(strata)), int)
        found[:, home] = np.argsort(strata + random.random((count, len(strata))), axis=1)
        yield found


def differences(
    scores: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """(d, G, M) scores of each group less those of all others.

    Args:
        scores: From sums (..., K) to M scores (..., M); NaN where one is undefined.
        sums: (U, K) of speakers, or of their clips in a group.
        groups: (d, U) int, the group of each, from 0.
    """
    total = sums.sum(0)
    found = []
    for group in range(int(groups.max()) + 1):
        own = (groups == group).astype(float) @ sums
        found.append(scores(own) - scores(total - own))
    return np.stack(found, 1)


def difference_limit(
    scores: Callable[[np.ndarray], np.ndarray],
    sums: np.ndarray,
    groups: np.ndarray,
    strata: np.ndarray,
    draws: int = DRAWS,
) -> float:
    """How large the largest difference of a group from the others gets where none matters.

    Args:
        scores: See `differences`.
        sums: (U, K) of what is dealt.
        groups: (U,) int.
        strata: (U,) int, within which groups change places.
        draws: Number of simulated models.
    """
    found = [
        largest(differences(scores, sums, groups[order]))
        for order in orders(strata, draws, sums.shape[1])
    ]
    found.append(largest(differences(scores, sums, groups[None])))
    return upper(np.concatenate(found))


def largest(values: np.ndarray) -> np.ndarray:
    """(d,) the largest amount of (d, G, M); what is undefined does not count."""
    return np.asarray(np.nan_to_num(np.abs(values)).reshape(len(values), -1).max(1))


def balance_limit(errors: np.ndarray) -> float:
    """How large the largest sum of errors gets where they favour nothing.

    Args:
        errors: (S, M) sums over the clips of each speaker.
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, len(errors)))
    signs = np.concatenate([signs, np.ones((1, len(errors)))])
    return upper(np.abs(signs @ errors).max(1))


def shares(expected: Sequence[float], clips: np.ndarray) -> np.ndarray:
    """(draws, M) shares of all clips to which each of M things happens, and no two to one clip.

    Args:
        expected: M shares of the clips of all people; their sum is at most 1.
        clips: (S,) int, of each speaker.

    Source: Dirichlet-multinomial; of one thing it is the beta-binomial model of clustered data.
    """
    random = np.random.default_rng(0)
    whole = np.clip([*expected, 1 - sum(expected)], 1e-9, 1)
    each = random.dirichlet(whole * (1 / ALIKE - 1), (DRAWS, len(clips)))
    found = random.multinomial(clips, each)
    return np.asarray(found[..., :-1].sum(1) / clips.sum())


def agreement(expected: Sequence[float], clips: np.ndarray) -> np.ndarray:
    """(draws, M) CCC of M outputs with one truth, each clip counting as one value.

    Outputs and truth are normal, with the same mean and deviation; the errors of outputs are
    independent of each other.

    Args:
        expected: CCC of each output over all people, 0 to 1.
        clips: (S,) int, of each speaker; clips of one are alike by `ALIKE`.
    """
    random = np.random.default_rng(0)
    alike = 1 + (float((clips**2).sum() / clips.sum()) - 1) * ALIKE  # design effect
    count = max(3, round(clips.sum() / alike))
    found = np.empty((DRAWS // 2, len(expected)))
    for draw in range(len(found)):
        truth = random.standard_normal(count)
        for k, c in enumerate(expected):
            own = c * truth + np.sqrt(1 - c**2) * random.standard_normal(count)
            found[draw, k] = ccc(own, truth)
    return found
