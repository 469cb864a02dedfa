"""Explanations as curves on the time axis of a timeline."""

from __future__ import annotations

from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.inference.colours import DIMENSION_COLOURS, colours_of
from affuse.tasks.explanation import Explanation
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.timeline import Timeline

#: Inches of what is drawn: contributions, and stretches that are withheld.
EXPLAINED_HEIGHTS = (1.5, 1.2)
#: What modalities are called beside curves, and their lines, here and in SVG.
NAMES = {"audio": "sound", "video": "face"}
_STYLES = {"audio": "-", "video": (0, (4, 1.5))}
DASHES = {"audio": "", "video": "7 4"}
#: The least height of an axis, so that hardly anything looks like hardly anything.
_LEAST = 0.1

#: Times and values of a line.
Line = tuple[np.ndarray, np.ndarray]


def output_colours(found: Explanation) -> list[str]:
    """A colour for each output, the same as in the timeline."""
    if found.unit == "probability":
        return colours_of(found.outputs)
    return [DIMENSION_COLOURS[k % len(DIMENSION_COLOURS)] for k in range(len(found.outputs))]


def contribution_lines(prediction: Prediction, values: np.ndarray) -> list[Line]:
    """The lines of a contribution (N,), one for each stretch of known moments.

    Those of windows run from middle to middle, and level to the ends of the recording.
    """
    found = prediction.explanation
    assert found is not None
    lines: list[Line] = []
    for first, end in stretches(found.known):
        times, own = found.starts[first:end], values[first:end]
        if isinstance(prediction, Timeline):
            times = (found.starts[first:end] + found.ends[first:end]) / 2
            ends = [found.starts[first]] if first == 0 else []
            last = [found.ends[end - 1]] if end == len(found.known) else []
            own = np.concatenate([own[:1][: len(ends)], own, own[-1:][: len(last)]])
            times = np.concatenate([ends, times, last])
        lines.append((times, own))
    return lines


def stretch_lines(found: Explanation, values: np.ndarray, duration: float) -> list[Line]:
    """The steps of what happens without each stretch (J,), one line for all that touch."""
    lines: list[Line] = []
    for first, end in stretches(~np.isnan(values)):
        edges = np.arange(first, end + 1) * found.stretch
        times = np.repeat(edges, 2)[1:-1].clip(max=duration)
        lines.append((times, np.repeat(values[first:end], 2)))
    return lines


def reach_of(values: list[np.ndarray]) -> float:
    """Up to where an axis goes, on both sides of zero."""
    known = np.concatenate([x[~np.isnan(x)] for x in values]) if values else np.zeros(0)
    return max(_LEAST, 1.1 * float(np.abs(known).max(initial=0.0)))


def draw_explanation(prediction: Prediction, contributions: Any, withheld: Any) -> None:
    """Contributions of sound and images, and what happens without each stretch of them.

    Args:
        prediction: With an explanation.
        contributions: Axes.
        withheld: Axes.
    """
    found = prediction.explanation
    assert found is not None
    colours, several = output_colours(found), len(found.main) > 1
    own = [(k, name) for k in found.main for name in found.contributions]
    for axes in (contributions, withheld):
        axes.axhline(0, color="#444444", lw=0.8)
        axes.grid(alpha=0.25)
        axes.tick_params(labelbottom=False)
    for k, name in own:
        word = NAMES.get(name, name)
        label = f"{shown(found.outputs[k])}: {word}" if several else word
        look = {"color": colours[k], "ls": _STYLES.get(name, "-")}
        contributions.plot([], [], lw=1.6, label=label, **look)
        for times, values in contribution_lines(prediction, found.contributions[name][:, k]):
            contributions.plot(times, values, lw=1.6, **look)
        for times, values in stretch_lines(found, found.falls[name][:, k], prediction.duration):
            withheld.plot(times, values, lw=1.2, **look)
    reach = reach_of([found.contributions[name][:, k] for k, name in own])
    contributions.set_ylim(-reach, reach)
    reach = reach_of([found.falls[name][:, k] for k, name in own])
    withheld.set_ylim(-reach, reach)
    contributions.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    what = "" if several else f"\nto {shown(found.outputs[found.main[0]])}"
    contributions.set_ylabel(f"contribution{what}", fontsize=9)
    withheld.set_ylabel(f"fall without\n{found.stretch:g} s", fontsize=9)
