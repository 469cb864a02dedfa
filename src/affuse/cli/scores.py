"""Scores of a table of predictions on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affuse.cli.tables import print_table


def print_scores(result: Mapping[str, Any]) -> None:
    """Print every score of every condition with its 95 % interval.

    Args:
        result: What `affuse.evaluation.scored.score_table` gave.
    """
    from affuse.metrics.over_time import SERIES_METRICS
    from affuse.tasks.class_scores import CLASS_METRICS, RATER_METRICS

    print(f"{result['predictions']}: {result['task']}, baseline {result['baseline']}")
    for condition, facts in result["conditions"].items():
        units = "clips" if "clips" in facts else "videos"
        by = "" if facts["speakers"] is None else f" by {facts['speakers']} speakers"
        print(f"\n{condition}: {facts[units]} {units}{by}; 95 % intervals over speakers")
        if why := facts.get("no_interval"):
            print(f"no intervals: {why}")
        if "dimensions" in facts:
            columns = {**facts["dimensions"], "mean": facts["mean"]}
            print_table(
                [
                    {"score": metric.title, **{c: _told(x, name) for c, x in columns.items()}}
                    for name, metric in SERIES_METRICS.items()
                ]
            )
            continue
        metrics = [(metric, _told(facts, name)) for name, metric in CLASS_METRICS.items()]
        if raters := facts.get("raters"):
            metrics += [(metric, _told(raters, name)) for name, metric in RATER_METRICS.items()]
        print_table([{"score": metric.title, "value": value} for metric, value in metrics])
        if raters:
            print(_ceiling(raters))
        print()
        print_table(
            [
                {
                    "class": name,
                    "clips": scores["clips"],
                    **{rate: _told(scores, rate, 2) for rate in ("recall", "precision", "f1")},
                }
                for name, scores in facts["per_class"].items()
            ]
        )


def _told(scores: Mapping[str, Any], name: str, digits: int = 3) -> str:
    """A score and its interval."""
    if scores[name] is None:
        return "undefined"
    low, high = scores[f"{name}_interval_95"]
    value = f"{scores[name]:.{digits}f}"
    return value if low is None else f"{value} ({low:.{digits}f} to {high:.{digits}f})"


def _ceiling(raters: Mapping[str, Any]) -> str:
    """What no model can do better, and how well raters do."""
    entropy = f"the raters' own entropy is {raters['rater_entropy']:.3f} nats"
    if raters["rater_jensen_shannon"] is None:
        return f"{entropy}; human ceiling: missing, for no clip has counts of several raters"
    return (
        f"{entropy}; human ceiling: half of the raters has a Jensen-Shannon divergence of "
        f"{raters['rater_jensen_shannon']:.3f} from the other half, and a rater agrees with most "
        f"others in {raters['human_ceiling']:.1%}"
    )
