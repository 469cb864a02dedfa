"""Explanations on the page of a timeline."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from affuse.errors import shown
from affuse.inference.attribution.figures import (
    DASHES,
    NAMES,
    Line,
    contribution_lines,
    output_colours,
    reach_of,
    stretch_lines,
)
from affuse.inference.attribution.heat import Image, is_tinted, tinted
from affuse.inference.colours import AGAINST, FOR
from affuse.tasks.explanation import Explanation, PartEffect, signed
from affuse.tasks.prediction import Prediction

#: Of charts, and of the drawing of regions, in pixels.
_WIDTH, _HEIGHT, _SIDE = 1000.0, 140.0, 168
#: Points of a line beyond which further ones cannot be seen.
_POINTS = 2000


def explained_facts(prediction: Prediction) -> dict[str, Any] | None:
    """What the page shows of the explanation of a prediction; None where there is nothing."""
    found = prediction.explanation
    if found is None or not found.known.any():
        return None
    charts = [
        _chart(
            prediction,
            f"contribution to the {found.unit}",
            {
                name: [contribution_lines(prediction, column) for column in x.T]
                for name, x in found.contributions.items()
            },
            found.contributions,
            "the arrow keys of the chart above read it out",
        ),
        _chart(
            prediction,
            f"fall of the {found.unit} when {found.stretch:g} s are withheld",
            {
                name: [stretch_lines(found, column, prediction.duration) for column in x.T]
                for name, x in found.falls.items()
            },
            found.falls,
            "its numbers are in the files of the explanation",
        ),
    ]
    colours = output_colours(found)
    return {
        "sentences": found.sentences,
        "unit": found.unit,
        "stretch": found.stretch,
        "outputs": list(zip(map(shown, found.outputs), colours, strict=True)),
        "chosen": found.main[0],
        "modalities": [(NAMES.get(n, n), DASHES.get(n, "")) for n in found.contributions],
        "charts": charts,
        "totals": [_totals(found, k) for k in range(len(found.outputs))],
        "groups": _groups(prediction, found),
        "missing": [(name, why) for name, why in found.missing.items()],
        "colours": (FOR, AGAINST),
        "heated": is_tinted(prediction),
        "data": {
            "modalities": [NAMES.get(name, name) for name in found.contributions],
            "rows": [
                [[_number(x) for x in of_output] for of_output in row] if known else None
                for row, known in zip(
                    np.stack(list(found.contributions.values()), 2), found.known, strict=True
                )
            ],
        },
    }


def _number(value: float) -> float:
    return round(float(value), 3) + 0.0


def _chart(
    prediction: Prediction,
    unit: str,
    lines: dict[str, list[list[Line]]],
    values: Mapping[str, np.ndarray],
    words: str,
) -> dict[str, Any]:
    """A chart with the lines of every output, of which one is shown."""
    reach = reach_of(list(values.values()))
    count = len(next(iter(lines.values())))
    return {
        "unit": unit,
        "words": words,
        "levels": [(_level(reach), 0.0), ("0", 50.0), (_level(-reach), 100.0)],
        "outputs": [
            [
                (DASHES.get(name, ""), [_points(line, prediction.duration, reach) for line in own])
                for name, own in ((name, x[k]) for name, x in lines.items())
            ]
            for k in range(count)
        ],
    }


def _level(value: float) -> str:
    return f"{value:+.2g}".replace("-", "\N{MINUS SIGN}")


def _points(line: Line, duration: float, reach: float) -> str:
    """A line as SVG points."""
    times, values = line
    step = max(1, len(times) // _POINTS)
    kept = np.unique([*range(0, len(times), step), len(times) - 1])
    x = times[kept] / duration * _WIDTH
    y = (1 - values[kept] / reach) / 2 * _HEIGHT
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _totals(found: Explanation, k: int) -> list[tuple[str, str]]:
    """How baseline and contributions make up an output, of the whole recording."""
    words = {"baseline": "with nothing", "output": "together"}
    return [
        (
            words.get(name, NAMES.get(name, name)),
            f"{values[k]:.2f}" if name in words else signed(float(values[k])),
        )
        for name, values in found.overall.items()
    ]


def _groups(prediction: Prediction, found: Explanation) -> list[dict[str, Any]]:
    """Parts of frames by stream: what they are called, their bars, and where they are."""
    titles = {"region": "Regions of the face", "band": "Frequencies", "column": "Columns"}
    groups = []
    for stream in dict.fromkeys(part.stream for part in found.parts):
        parts = [part for part in found.parts if part.stream == stream]
        columns = np.stack([part.overall for part in parts])
        if np.isnan(columns).any():
            continue
        regions = parts if parts[0].what == "region" else []
        groups.append(
            {
                "title": titles[parts[0].what],
                "stream": stream,
                "outputs": [
                    {
                        "bars": _bars(parts, columns[:, k]),
                        "drawing": _drawing(regions, columns[:, k], k) if regions else "",
                        "words": ", ".join(
                            f"{part.name} {signed(float(x))}"
                            for part, x in zip(parts, columns[:, k], strict=True)
                        ),
                    }
                    for k in range(len(found.outputs))
                ],
            }
        )
    return groups


def _bars(parts: Sequence[PartEffect], values: np.ndarray) -> list[tuple[str, str, float, float]]:
    """Name, value, left edge and width in percent of bars from the middle."""
    most = max(0.1, float(np.abs(values).max()))
    return [
        (shown(part.name), signed(float(x)), 50 + min(0.0, 50 * x / most), abs(50 * x / most))
        for part, x in zip(parts, values.tolist(), strict=True)
    ]


def _drawing(regions: Sequence[PartEffect], values: np.ndarray, k: int) -> str:
    """The regions, tinted, over the outline of a face where it is aligned, as base64 PNG."""
    tall, wide = regions[0].where.shape
    levels = np.zeros((tall, wide))
    for part, value in zip(regions, values, strict=True):
        levels[part.where] = value
    size = (_SIDE, round(_SIDE * tall / wide))
    levels = cv2.resize(levels, size, interpolation=cv2.INTER_NEAREST).astype(np.float64)
    blank = np.full((*levels.shape, 3), 245, np.uint8)
    # in the whole recording, effects are smaller than in its windows: as strong as the strongest
    picture = tinted(blank, levels, max(0.1, float(np.abs(values).max())))
    crop = regions[0].crop
    if crop is not None and crop[1]:
        _outline(picture, 1 + crop[0])
    done, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done
    return base64.b64encode(data.tobytes()).decode()


def _outline(picture: Image, around: float) -> None:
    """A face whose eyes and mouth lie where they do in aligned crops of 112 by 112 pixels."""
    scale = picture.shape[1] / 112 / around
    grey, thin = (90, 90, 96), max(1, round(1.2 * scale))

    def spot(x: float, y: float) -> tuple[int, int]:
        half = picture.shape[1] / 2
        return round(half + (x - 56) * scale), round(half + (y - 56) * scale)

    def size(x: float, y: float) -> tuple[int, int]:
        return round(x * scale), round(y * scale)

    for x in (38.3, 73.5):
        cv2.ellipse(picture, spot(x, 51.6), size(8, 4), 0, 0, 360, grey, thin, cv2.LINE_AA)
        cv2.ellipse(picture, spot(x, 42), size(10, 5), 0, 200, 340, grey, thin, cv2.LINE_AA)
    nose = np.array([spot(54, 56), spot(49, 73), spot(56, 76), spot(62, 73)], np.int32)
    cv2.polylines(picture, [nose], False, grey, thin, cv2.LINE_AA)
    cv2.ellipse(picture, spot(56, 92), size(15, 5), 0, 0, 360, grey, thin, cv2.LINE_AA)
    cv2.ellipse(picture, spot(56, 58), size(44, 57), 0, 0, 360, grey, thin, cv2.LINE_AA)
