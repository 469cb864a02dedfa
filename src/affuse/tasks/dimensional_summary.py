"""Scores of continuous valence and arousal as lines and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from affuse.tasks.judgement import headline


def dimensional_lines(result: Mapping[str, Any]) -> Iterator[str | list[dict[str, object]]]:
    """A row per condition, and a row per rule of scoring.

    Args:
        result: As `metrics.json` holds it.
    """
    most = max(result["conditions"].values(), key=lambda facts: facts["predictions"])
    yield (
        f"{headline(result)}, {most['predictions']} predictions of {most['videos']} videos, "
        f"{most['frames']:,} frames, truth: {result['truth']}"
    )
    several = len(result["dimensions"]) > 1
    rows = []
    for name, facts in result["conditions"].items():
        row: dict[str, object] = {"condition": name}
        for dimension in result["dimensions"]:
            row[f"CCC {dimension}"] = _with_interval(facts["dimensions"].get(dimension))
        if several:
            row["mean"] = _with_interval(facts["mean"])
        row["mean per video"] = _shown(facts["mean"].get("ccc_per_video"))
        rows.append(row)
    yield rows
    if why := most.get("no_interval"):
        yield f"no intervals: {why}"
    for name, facts in result["conditions"].items():
        if gone := facts["unknown_predictions"]:
            yield f"{name}: nothing is known in any frame in {gone} cases, which are left out"
        if gone := facts["frames"] - facts["known_frames"]:
            share = gone / facts["frames"]
            yield f"{name}: {share:.1%} of the frames are not known and lie between known ones"
        if bands := facts.get("bands"):
            told = ", ".join(f"{x['coverage']:.1%} ({n})" for n, x in bands.items())
            yield f"{name}: the bands hold the truth in {told} of the known frames"
    if rules := result.get("rules"):
        yield f"\nThe same predictions ({rules['condition']}), scored by other rules:"
        yield _by_rule(rules["ccc"], result["dimensions"])


def _by_rule(rules: Mapping[str, Any], dimensions: list[str]) -> list[dict[str, object]]:
    default = rules["default"]
    return [
        {
            "rule": rule,
            **{name: _shown(scores[name]) for name in dimensions},
            **{
                f"{name} - default": ""
                if scores[name] is None or rule == "default"
                else f"{scores[name] - default[name]:+.3f}"
                for name in dimensions
            },
        }
        for rule, scores in rules.items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _with_interval(scores: Mapping[str, Any] | None) -> str:
    """A CCC with its 95 % interval."""
    if not scores:
        return ""
    low, high = scores["ccc_interval_95"]
    return _shown(scores["ccc"]) + ("" if low is None else f" ({low:.3f} to {high:.3f})")
