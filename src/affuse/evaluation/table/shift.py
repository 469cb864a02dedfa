"""Models of one corpus tested on others: a table of corpora by corpora."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.emotions import shared_words
from affuse.corpora.protocols.made import SPEAKERS_5FOLD
from affuse.errors import AffuseError, BadInput, shown
from affuse.evaluation.table.description import Column, Row, Shift, Table
from affuse.evaluation.table.scoring import open_stores_once
from affuse.features.store import Store
from affuse.suggestions import unknown
from affuse.tasks.plots import png
from affuse.training.recipe import Recipe

#: The heading of the mean over the corpora that a model has not learned from.
OTHERS = "others"


def spread(table: Table, stores: Sequence[Path]) -> Table:
    """A table of `shift` with its rows and columns; any other as it is.

    Args:
        table: The table.
        stores: Of one corpus each; by default those that the table names.

    Raises:
        BadInput: Two stores are of one corpus, or there are fewer than two.
        AffuseError: The corpora share fewer than two classes, or one of them needs a protocol.
    """
    if table.shift is None:
        return table
    paths = [path.resolve() for path in stores or map(table.beside, table.store)]
    data = sorted((open_stores_once((path,)) for path in paths), key=lambda one: one.corpus)
    names = [one.corpus for one in data]
    if len({*names}) < max(len(names), 2):
        raise BadInput(table.path, f"shift needs stores of different corpora, not {names}")
    if wrong := [name for name in table.shift.protocols if name not in names]:
        raise unknown("corpus in shift.protocols", wrong[0], names)
    recipe = table.load(table.shift.recipe, {})
    classes = _classes(recipe, data)
    rows = tuple(_row(table.shift, recipe, classes, one) for one in data)
    kind = table.shift.metric, table.shift.condition, table.shift.baseline
    columns = tuple(Column(*kind, on=str(one.path), name=one.corpus) for one in data)
    return replace(table, rows=rows, columns=columns)


def _words(recipe: Recipe, data: Store) -> dict[str, str]:
    """Class of a corpus -> class that it counts as, of those that are called otherwise."""
    own = {name: x for name, x in recipe.labels.map.items() if name in data.classes}
    return shared_words(data.classes) | own


def _classes(recipe: Recipe, data: Sequence[Store]) -> list[str]:
    """The classes of the recipe, or those that all corpora have."""
    there = [[_words(recipe, one).get(name, name) for name in one.classes] for one in data]
    chosen = recipe.labels.classes or tuple(dict.fromkeys(there[0]))
    shared = [name for name in chosen if all(name in own for own in there)]
    if lacking := [name for name in recipe.labels.classes if name not in shared]:
        corpus = next(x.corpus for x, own in zip(data, there, strict=True) if lacking[0] not in own)
        raise AffuseError(f"labels.classes: {corpus} has no class {lacking[0]!r}")
    if len(shared) < 2:
        raise AffuseError(f"the corpora share fewer than two classes ({', '.join(shared)})")
    return shared


def _row(shift: Shift, recipe: Recipe, classes: Sequence[str], data: Store) -> Row:
    """The row of the models that learn from a corpus."""
    protocol = shift.protocols.get(data.corpus, SPEAKERS_5FOLD)
    unnamed = not all(clip.speaker for clip in data.clips)
    if protocol == SPEAKERS_5FOLD and unnamed:
        raise AffuseError(f"{data.corpus} does not name its speakers: say shift.protocols")
    changes = {
        "corpus": data.corpus,
        "protocol": protocol,
        "labels.map": _words(recipe, data),
        "labels.classes": list(classes),
    }
    return Row(data.corpus, shift.recipe, changes, (str(data.path),))


def add_others(result: dict[str, Any]) -> None:
    """Add the means over the corpora that a model has not learned from.

    Args:
        result: Of `make_table`; its rows get a cell `OTHERS`, which needs all corpora, and it gets
            `mean_of_others`, the mean over rows.
    """
    best = result["columns"][0]["best"]
    result["columns"].append({"heading": OTHERS, "metric": "mean", "best": best})
    means = []
    for row in result["rows"]:
        values = [x.get("value") for name, x in row["cells"].items() if name != row["name"]]
        if None in values:
            row["cells"][OTHERS] = {"missing": "a corpus is missing"}
            continue
        means.append(float(np.mean(values)))
        row["cells"][OTHERS] = {"value": means[-1], "interval_95": [None, None], "deviation": None}
    whole = len(means) == len(result["rows"])
    result["mean_of_others"] = float(np.mean(means)) if whole else None


def heat_map(result: Mapping[str, Any]) -> bytes:
    """The matrix as a PNG image.

    Args:
        result: Of `make_table`, with the means of others.
    """
    names = [row["name"] for row in result["rows"]]
    rows = [[row["cells"][name].get("value") for name in names] for row in result["rows"]]
    values = np.array(rows, float)  # None becomes NaN
    mean = result["mean_of_others"]
    told = "" if mean is None else f", mean of others {mean:.3f}"
    metric = result["columns"][0]["metric"]
    return png(_matrix, values, [*map(shown, names)], metric, f"{shown(result['name'])}{told}")


def _matrix(values: np.ndarray, names: Sequence[str], metric: str, title: str) -> Any:
    from matplotlib.figure import Figure

    size = 2.2 + 0.75 * len(names)
    figure = Figure((size + 0.8, size), layout="compressed")
    axes = figure.subplots()
    image = axes.imshow(values, cmap="Blues")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2 if np.isfinite(values).any() else 0
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.3f}"
        colour = "white" if value > middle else "black"
        weight = "bold" if row == column else "normal"
        axes.text(column, row, text, ha="center", va="center", color=colour, weight=weight)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("tested on")
    axes.set_ylabel("trained on")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, fraction=0.045, label=metric)
    return figure
