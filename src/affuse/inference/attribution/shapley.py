"""Exact Shapley values of a game of few players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np

#: Players who are in a game together.
Coalition = frozenset[str]


def coalitions(players: Sequence[str]) -> list[Coalition]:
    """All 2^n coalitions of n players: that of nobody first, that of all last."""
    sizes = range(len(players) + 1)
    return [frozenset(some) for size in sizes for some in combinations(players, size)]


def shapley_values(
    players: Sequence[str], values: Mapping[Coalition, np.ndarray]
) -> dict[str, np.ndarray]:
    """What each player contributes: the mean, over all orders of joining, of what joining adds.

    With two players that is half of what one adds to nothing and half of what it adds to the other.
    The value of nobody and all contributions add up to the value of all.

    Args:
        players: n names.
        values: Each of `coalitions(players)` -> its value, arrays of one shape.

    Returns:
        Player -> float64 array of that shape.

    Source: Shapley 1953, A value for n-person games.
    """
    count = len(players)
    found: dict[str, np.ndarray] = {}
    for player in players:
        total = np.zeros_like(values[frozenset()], np.float64)
        for others in coalitions([one for one in players if one != player]):
            size = len(others)
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            added = np.asarray(values[others | {player}], np.float64) - values[others]
            total = total + weight * added
        found[player] = total
    return found
