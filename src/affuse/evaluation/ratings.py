"""Ratings of whole clips, such as valence, from what a face model sees: linear regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.errors import BadInput
from affuse.evaluation.cross_validation import FOLDS, speaker_folds, speakers_of
from affuse.features.batch import collate, normalise
from affuse.features.extractor import check_same_stream
from affuse.features.store import Store
from affuse.metrics.concordance import ccc
from affuse.models.baselines.unimodal import VideoOnly
from affuse.models.modelfile import ModelSpec

_BATCH = 64
#: Weight of the squared coefficients, per clip, for features of deviation 1.
_RIDGE = 0.01


@dataclass(frozen=True)
class Ratings:
    """The regression.

    Args:
        names: Of the values.
        weight: (D, F) float32.
        bias: (D,) float32.
        ccc: Name -> concordance with the ratings over clips of folds that the fit has not seen.
        facts: Corpus, clips and licence, for the record.
    """

    names: list[str]
    weight: Tensor
    bias: Tensor
    ccc: dict[str, float]
    facts: dict[str, Any]


def fit_ratings(data: Store, model: VideoOnly, spec: ModelSpec) -> Ratings:
    """Learn the ratings of the clips of a store.

    Args:
        data: Store with the streams of the model, of a corpus whose clips have `attributes`.
        model: What sees, in evaluation mode.
        spec: Its spec.

    Raises:
        BadInput: Too few clips have both ratings and an image.
        AffuseError: The streams are not made as those of the model were.
    """
    for name, trained in spec.streams.items():
        check_same_stream(data.stream(name).spec, trained)
    clips = [clip for clip in data.usable(list(spec.streams)) if clip.attributes]
    ratings = [clip.attributes or {} for clip in clips]
    names = [name for name in ratings[0] if all(name in own for own in ratings)] if ratings else []
    if len(clips) < 2 * FOLDS or not names:
        raise BadInput(
            data.path, f"has ratings of {len(clips)} clips with a face; too few to learn"
        )
    wanted = np.array([[own[name] for name in names] for own in ratings])
    features = np.concatenate(
        [_features(data, ids, model, spec) for ids in _groups([clip.id for clip in clips])]
    )
    folds = speaker_folds(speakers_of(data, [clip.id for clip in clips]))
    held_out = np.zeros_like(wanted)
    for fold in range(FOLDS):
        weight, bias = _ridge(features[folds != fold], wanted[folds != fold])
        held_out[folds == fold] = features[folds == fold] @ weight.T + bias
    scores = {name: ccc(held_out[:, k], wanted[:, k]) for k, name in enumerate(names)}
    weight, bias = _ridge(features, wanted)
    facts = {
        "corpus": data.corpus,
        "clips": len(clips),
        "ccc": {name: round(score, 4) for name, score in scores.items()},
        "licence": f"ratings: {data.licence}",
    }
    return Ratings(names, _tensor(weight), _tensor(bias), scores, facts)


def _groups(ids: list[str]) -> list[list[str]]:
    return [ids[first : first + _BATCH] for first in range(0, len(ids), _BATCH)]


def _features(data: Store, ids: list[str], model: VideoOnly, spec: ModelSpec) -> np.ndarray:
    """(N, F) float64: what the classifier of the model reads."""
    samples = [{name: data.stream(name)[clip] for name in spec.streams} for clip in ids]
    batch = normalise(collate(samples, spec.streams), spec.normalisation)
    with torch.inference_mode():
        features, _ = model.embed(model.video, batch)
    return features.double().numpy()


def _tensor(x: np.ndarray) -> Tensor:
    return torch.from_numpy(x.astype(np.float32))


def _ridge(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (D, F) and intercepts (D,) for features (N, F) and values (N, D)."""
    mean, std = x.mean(0), x.std(0)
    std[std < 1e-8] = 1.0
    z = (x - mean) / std
    penalty = _RIDGE * len(x) * np.eye(x.shape[1])
    weight = np.linalg.solve(z.T @ z + penalty, z.T @ (y - y.mean(0))).T / std
    return weight, y.mean(0) - weight @ mean
