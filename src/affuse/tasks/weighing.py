"""How sure a model of classes is of a window, by how much the window shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from affuse.features.stream import Stream, StreamSpec
from affuse.tasks.windows import Sample

#: Share of a window from which a modality counts in full, and below which it does not count.
FULL, LEAST = 0.5, 0.1
#: Windows -> probabilities (W, C) and named values (W,).
Scores = Callable[[list[Sample]], tuple[np.ndarray, dict[str, np.ndarray]]]


def counting(shares: Mapping[str, float]) -> frozenset[str]:
    """The modalities that count in a window.

    Args:
        shares: Modality -> share of the window in which it is present.
    """
    return frozenset(name for name, share in shares.items() if share >= LEAST)


def weighed(
    scores: Scores,
    samples: list[Sample],
    specs: Mapping[str, StreamSpec],
    shares: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What a model says about windows, as sure of it as what they show allows.

    A modality that is there for half of a window counts in full. One that is there for less counts
    in proportion: what the model says with it and without it is mixed; below a tenth it does not
    count. Without any modality all classes are equally likely, and where none counts there is no
    reading.

    Args:
        scores: What the model says; NaN where nothing is present.
        samples: W windows of streams.
        specs: Of the streams.
        shares: Modality -> (W,) share of each window in which it is present.

    Returns:
        (W, C) probabilities, and the values that the model reads beside them, by name.
    """
    found, values = scores(samples)
    names = list(shares)
    there = np.stack([shares[name] for name in names], 1)  # (W, M)
    weight = np.where(there < LEAST, 0, np.minimum(1, there / FULL))
    order = np.argsort(-there, axis=1, kind="stable")
    for rank in range(1, len(names))[::-1]:  # the modality that is there least first
        rows = [k for k in range(len(samples)) if 0 < there[k, order[k, rank]] < FULL]
        if not rows:
            continue
        kept = [{names[m] for m in order[k, :rank]} for k in rows]
        alone = [_only(samples[k], specs, own) for k, own in zip(rows, kept, strict=True)]
        without, _ = scores(alone)
        own = weight[rows, order[rows, rank]][:, None]
        known = np.isfinite(without).all(axis=1, keepdims=True)
        mixed = own * found[rows] + (1 - own) * without
        found[rows] = np.where(known, mixed, found[rows])
    return discounted(found, weight.max(1)), values


def discounted(probabilities: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Probabilities mixed with equal ones.

    Args:
        probabilities: (W, C).
        weight: (W,) 0 to 1 of what they rest on; 1 leaves them as they are, 0 is no reading (NaN).
    """
    equal = 1 / probabilities.shape[1]
    share = weight[:, None]
    mixed = np.where(share < 1, share * probabilities + (1 - share) * equal, probabilities)
    mixed[weight == 0] = np.nan
    return mixed.astype(probabilities.dtype)


def _only(sample: Sample, specs: Mapping[str, StreamSpec], modalities: set[str]) -> Sample:
    """A window in which other modalities are absent."""
    kept = copy(sample)
    for name, stream in sample.items():
        if specs[name].modality not in modalities:
            kept[name] = _absent(stream)
    return kept


def _absent(stream: Stream) -> Stream:
    return replace(stream, values=np.zeros_like(stream.values), mask=np.zeros_like(stream.mask))
