"""Predictions of clips that their models had not seen, as the table of an evaluation has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affuse.errors import BadInput
from affuse.evaluation.predictions import read_predictions
from affuse.models.modelfile import ModelSpec
from affuse.tasks.class_scores import ClassTable


def read_held_back(
    paths: Sequence[Path],
    run: Path,
    spec: ModelSpec,
    joins: Sequence[Sequence[int]],
    judged: set[str],
) -> tuple[np.ndarray, np.ndarray, str]:
    """Predictions by the classes of a model, and true classes as others have them.

    Args:
        paths: The tables. Each counts alike: rows of shorter ones are repeated.
        run: The run whose model it is, for messages.
        spec: Of the model.
        joins: Of each class of the whole, which of the model's own are that.
        judged: Clips whose speakers are left out.

    Returns:
        Log-probabilities (N, own classes), true classes (N,) of the whole, and the baseline.

    Raises:
        BadInput: A table cannot be used, or the tables lack a class or are of different baselines.
    """
    home = {spec.outputs[k]: row for row, own in enumerate(joins) for k in own}
    logits, true, baselines = [], [], []
    for path in paths:
        if not path.is_file():
            raise BadInput(path, f"no such file; make it: affuse evaluate {run} --role development")
        try:
            labels, shares, baseline = read_shares(path, spec, judged)
        except BadInput as error:
            reason = f"is no table of predictions of {run} ({error.reason})"
            raise BadInput(path, reason) from error
        known = np.array([label in home for label in labels], bool)
        logits.append(np.log(np.clip(shares[known], 1e-9, None)))
        true.append(np.array([home[label] for label in labels if label in home], int))
        baselines.append(baseline)
    if len(set(baselines)) > 1:
        raise BadInput(paths[-1], f"is of baseline {baselines[-1]}, {paths[0]} of {baselines[0]}")
    if empty := [path for path, some in zip(paths, true, strict=True) if not len(some)]:
        raise BadInput(empty[0], "has no clip of a class that both models know")
    if missing := sorted(set(range(len(joins))) - set(np.concatenate(true).tolist())):
        names = [spec.outputs[k] for k in joins[missing[0]]]
        raise BadInput(paths[0], f"has no clip of {' or '.join(names)} to calibrate on")
    most = max(map(len, true))
    rows = [np.resize(np.arange(len(some)), most) for some in true]
    return (
        np.concatenate([some[own] for some, own in zip(logits, rows, strict=True)]),
        np.concatenate([some[own] for some, own in zip(true, rows, strict=True)]),
        baselines[0],
    )


def read_shares(path: Path, spec: ModelSpec, judged: set[str]) -> tuple[list[str], np.ndarray, str]:
    """Labels and probabilities (N, own classes) by the first condition of a table, its baseline.

    Clips of speakers of whom a clip is among the judged ones are left out.
    """
    found = next(iter(read_predictions(path).values()))
    table, speakers = found.table, found.speakers
    if not isinstance(table, ClassTable) or not {*spec.outputs} <= {*table.names}:
        raise BadInput(path, f"has not all columns {', '.join(f'p_{x}' for x in spec.outputs)}")
    if speakers is None:
        raise BadInput(path, "has no column speaker")
    tested = speakers[[clip in judged for clip in found.clips]]
    kept = ~np.isin(speakers, tested)
    columns = [table.names.index(name) for name in spec.outputs]
    labels = [table.names[k] for k in table.true[kept]]
    return labels, table.probabilities[kept][:, columns], found.baseline
