"""An explanation as JSON and as a tidy table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.execution.files import write_csv, write_json
from affuse.tasks.explanation import Explanation
from affuse.tasks.prediction import Prediction

_HEADER = ("of", "start", "end", "what", "modality", "part", "output", "value")
_DIGITS = 6


def write_explanation_json(prediction: Prediction, path: Path, folder: Path | None = None) -> None:
    """Everything that the explanation of a prediction holds; times in seconds.

    Args:
        prediction: With an explanation.
        path: The file.
        folder: Where it is going to lie, if not there yet.
    """
    found = _of(prediction)
    columns = {"baseline": found.baseline, "output": found.output}
    write_json(
        path,
        {
            **prediction.source_json(folder or path.parent),
            "duration": round(prediction.duration, 4),
            "model": prediction.model,
            "person": {"number": prediction.person, "of": prediction.people},
            "unit": found.unit,
            "outputs": found.outputs,
            "named": [found.outputs[k] for k in found.main],
            "sentences": found.sentences,
            "recording": {
                name: _cells(found, found.overall[name]) for name in ("baseline", "output")
            }
            | {"contributions": {n: _cells(found, found.overall[n]) for n in found.contributions}},
            "moments": {
                "start": _times(found.starts),
                "end": _times(found.ends),
                **{name: _columns(found, rows) for name, rows in columns.items()},
                "contributions": {n: _columns(found, x) for n, x in found.contributions.items()},
            },
            "stretches": {
                "seconds": found.stretch,
                "start": _times(found.stretches),
                "falls": {name: _columns(found, rows) for name, rows in found.falls.items()},
            },
            "windows": {"start": _times(found.windows[:, 0]), "end": _times(found.windows[:, 1])},
            "parts": [
                {
                    "stream": part.stream,
                    "what": part.what,
                    "name": part.name,
                    "recording": _cells(found, part.overall),
                    "falls": _columns(found, part.falls),
                }
                for part in found.parts
            ],
            "not_available": dict(found.missing),
        },
    )


def write_explanation_csv(prediction: Prediction, path: Path) -> None:
    """A row for every number that is known.

    Args:
        prediction: With an explanation.
        path: The file.
    """
    write_csv(path, _HEADER, _rows(_of(prediction), prediction.duration))


def _rows(found: Explanation, duration: float) -> Iterator[list[Any]]:
    for name, values in found.overall.items():
        what, modality = (name, "") if name in ("baseline", "output") else ("contribution", name)
        yield from _named(found, ["recording", (0.0, duration), what, modality, ""], values)
    for part in found.parts:
        where = ["recording", (0.0, duration), part.what, part.stream.partition("/")[0], part.name]
        yield from _named(found, where, part.overall)
    of = "window" if found.unit == "probability" else "frame"
    spans = list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))
    rows = {("baseline", ""): found.baseline}
    rows |= {("contribution", name): values for name, values in found.contributions.items()}
    for (what, modality), values in (rows | {("output", ""): found.output}).items():
        for span, row in zip(spans, values, strict=True):
            yield from _named(found, [of, span, what, modality, ""], row)
    for modality, values in found.falls.items():
        for start, row in zip(found.stretches.tolist(), values, strict=True):
            span = (start, min(start + found.stretch, duration))
            yield from _named(found, ["stretch", span, "withheld", modality, ""], row)
    for part in found.parts:
        for span, row in zip(found.windows.tolist(), part.falls, strict=True):
            where = ["window", span, part.what, part.stream.partition("/")[0], part.name]
            yield from _named(found, where, row)


def _named(found: Explanation, where: Sequence[Any], values: np.ndarray) -> Iterator[list[Any]]:
    of, (start, end), *rest = where
    for name, value in zip(found.outputs, values.tolist(), strict=True):
        if not np.isnan(value):
            yield [of, f"{start:.3f}", f"{end:.3f}", *rest, name, f"{_plain(value):.{_DIGITS}f}"]


def _of(prediction: Prediction) -> Explanation:
    if prediction.explanation is None:
        raise ValueError("the prediction has no explanation; ask for it with explain=True")
    return prediction.explanation


def _times(values: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in values]


def _plain(value: float) -> float:
    """Without a sign where it is nothing."""
    return round(value, _DIGITS) + 0.0


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else _plain(float(value))


def _cells(found: Explanation, values: np.ndarray) -> Mapping[str, float | None]:
    return {name: _cell(x) for name, x in zip(found.outputs, values, strict=True)}


def _columns(found: Explanation, values: np.ndarray) -> Mapping[str, list[float | None]]:
    return {
        n: [_cell(x) for x in column] for n, column in zip(found.outputs, values.T, strict=True)
    }
