"""What a comparison says, as one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affuse.metrics.jackknife import Metric
from affuse.metrics.power import LEAST_SPEAKERS, LEVEL


def verdict(facts: Mapping[str, Any], metric: Metric, family: int) -> str:
    """The sentence about a pair.

    Args:
        facts: What `compare` found of it.
        metric: What was compared.
        family: How many comparisons Holm's correction is for.
    """
    first, second, difference = facts["first"], facts["second"], facts["difference"]
    if difference is None:
        return f"no difference can be told: the {metric.title} is undefined"
    if difference == 0:
        return f"{first} and {second} are equal: the difference is 0" + _of_p(facts, family)
    if facts["permutation"] is None:
        return f"nothing can be told about other people: {_said(facts, metric)}; {_lack(facts)}"
    speakers = facts["speakers"]
    if facts["p_holm"] <= LEVEL:
        better = (difference > 0) == (metric.best == "max")
        names = (first, second) if better else (second, first)
        size, low, high = _sizes(facts, metric, difference < 0)
        return f"{names[0]} is better than {names[1]} by {size}{low}{high}" + _of_p(facts, family)
    told = f"no difference can be told: {_said(facts, metric)}{_of_p(facts, family)}"
    if speakers < LEAST_SPEAKERS:
        return f"{told}; the test needs {LEAST_SPEAKERS} speakers at least"
    least = _amount(facts["smallest_difference"], metric)
    needed = facts["speakers_needed"]
    how_many = "more than a million" if needed is None else f"{needed:,}"
    return (
        f"{told}; with {speakers} speakers differences under {least} cannot be seen reliably, and "
        f"{how_many} speakers would be needed to see this one"
    )


def shown(value: float, metric: Metric) -> str:
    """A score: shares in percent."""
    return f"{value:.1%}" if metric.scale == "share" else f"{value:.3f}"


def _said(facts: Mapping[str, Any], metric: Metric) -> str:
    """Both scores and their difference."""
    values = " and ".join(shown(x, metric) for x in facts["values"])
    size, low, high = _sizes(facts, metric, facts["difference"] < 0)
    return (
        f"{facts['first']} and {facts['second']} have {values}, a difference of {size}{low}{high}"
    )


def _sizes(facts: Mapping[str, Any], metric: Metric, turned: bool) -> tuple[str, str, str]:
    """The difference as a positive amount, and its interval where there is one."""
    sign = -1 if turned else 1
    size = _amount(sign * facts["difference"], metric)
    bounds = facts["interval_95"]
    if bounds[0] is None:
        return size, "", ""
    low, high = sorted(sign * x for x in bounds)
    return size, f" ({_bare(low, metric)} to ", f"{_bare(high, metric)})"


def _amount(value: float, metric: Metric) -> str:
    return _bare(value, metric) + (" points" if metric.scale == "share" else "")


def _bare(value: float, metric: Metric) -> str:
    return f"{100 * value:.1f}" if metric.scale == "share" else f"{value:.3f}"


def _of_p(facts: Mapping[str, Any], family: int) -> str:
    """The p value, and over how many speakers."""
    if facts["p_holm"] is None:
        return ""
    p = facts["p_holm"]
    value = "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.995 else "p = 1"
    corrected = f" (Holm, {family} comparisons)" if family > 1 else ""
    return f", {value}{corrected} over {facts['speakers']} speakers"


def _lack(facts: Mapping[str, Any]) -> str:
    if facts["speakers"] is None:
        return "the tables do not say the speakers (no column speaker)"
    return "all clips are of one speaker"
