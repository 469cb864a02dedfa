"""Scores of classes as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from affuse.tasks.judgement import headline


def class_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """A line per condition, and what raters say beside it.

    Args:
        result: As `metrics.json` holds it.
    """
    yield headline(result) + _by_label_rule(result)
    rows = [
        row
        for name, scores in result["conditions"].items()
        for row in [(name, scores), *((f"  {n}", s) for n, s in scores.get("corpora", {}).items())]
    ]
    wide = max(14, *(len(name) + 2 for name, _ in rows))
    yield (
        f"{'condition':{wide}}{'clips':>6}{'accuracy':>9}  {'95 % interval':14}"
        f"{'UAR':>7}{'F1':>7}{'NLL':>7}{'ECE':>7}"
    )
    for name, scores in rows:
        low, high = scores["accuracy_interval_95"]
        interval = "" if low is None else f"{low:.3f} to {high:.3f}"
        yield (
            f"{name:{wide}}{scores['clips']:6}{scores['accuracy']:9.3f}  {interval:14}"
            f"{scores['uar']:7.3f}{scores['macro_f1']:7.3f}"
            f"{scores['nll']:7.3f}{scores['ece']:7.3f}"
        )
    if reasons := {scores["no_interval"] for _, scores in rows if "no_interval" in scores}:
        yield f"no intervals: {'; '.join(sorted(reasons))}"
    for name, scores in result["conditions"].items():
        if sets := scores.get("sets"):
            low, high = sets["coverage_interval_95"]
            interval = "" if low is None else f" ({low:.1%} to {high:.1%})"
            wanted = ", ".join(f"{x:.0%}" for x in result["coverage"])
            yield (
                f"{name}: what is not ruled out holds the true class of {sets['coverage']:.1%}"
                f"{interval} of {sets['clips']} clips, {wanted} wanted; {sets['size']:.2f} classes "
                "on average"
            )
        if raters := scores.get("raters"):
            yield from _beside_raters(name, raters)


def _beside_raters(name: str, raters: Mapping[str, Any]) -> Iterator[str]:
    """How well a condition agrees with raters."""
    yield (
        f"{name}: cross-entropy {raters['cross_entropy']:.3f}, of which "
        f"{raters['rater_entropy']:.3f} is the raters' own entropy; a rater agrees with "
        f"the model in {raters['agreement']:.1%}"
        + (
            f", with another rater in {raters['rater_agreement']:.1%}, with most others in "
            f"{raters['human_ceiling']:.1%}"
            if raters["rater_agreement"] is not None
            else ""
        )
        + " of the cases"
    )
    if raters["majority_clips"]:
        yield (
            f"{name}: {raters['majority_accuracy']:.1%} right of the "
            f"{raters['majority_clips']} clips for which a majority of raters agrees"
        )


def _by_label_rule(result: Mapping[str, Any]) -> str:
    """How clips got their labels, and how many have none, for model files."""
    if "labels" not in result:
        return ""
    rule = " ".join(f"{key}={value}" for key, value in result["labels"].items())
    unused = ", ".join(f"{count} {reason}" for reason, count in result["unused"].items())
    return f"; labels {rule}" + (f", in the store {unused}" if unused else "")
