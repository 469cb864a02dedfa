"""What is minimised and what selects the best epoch, for each task."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from affuse.errors import AffuseError
from affuse.features.batch import TARGET_RATE
from affuse.metrics.classification import classification_scores
from affuse.metrics.concordance import ccc, ccc_loss, ccc_window_loss, masked_ccc_loss
from affuse.metrics.raters import rater_scores
from affuse.models.base import Model
from affuse.training.recipe import Recipe

Mode = Literal["max", "min"]


class Objective(Protocol):
    """The loss and the scores of a task.

    Attributes:
        selects: The score by which the best epoch is chosen.
        mode: Whether the highest or the lowest is best.
    """

    selects: str
    mode: Mode

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The loss of one head: its scores as the model gives them, and the batch's targets."""
        ...

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """What `scores` needs of one batch: two arrays that can be joined along the first axis."""
        ...

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Scores by name over all development clips."""
        ...


class Classification:
    """Cross-entropy with one class per clip; the best epoch has the highest accuracy."""

    selects = "accuracy"
    mode: Mode = "max"

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Targets (B,) int64, or (B, C) where clips were mixed."""
        return cross_entropy(scores.float(), targets, label_smoothing=label_smoothing)

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Targets and logits as they are."""
        return targets.cpu().numpy(), scores.float().cpu().numpy()

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Accuracy, unweighted recall and loss."""
        found = classification_scores(targets, predicted.argmax(1), predicted.shape[1])
        loss = cross_entropy(torch.from_numpy(predicted), torch.from_numpy(targets))
        return {"accuracy": found.accuracy, "uar": found.uar, "loss": float(loss)}


class Distribution(Classification):
    """Cross-entropy with the shares of the raters' votes, which differs from the Kullback-Leibler
    divergence by what no model can change; the best epoch has the lowest.
    """

    selects = "cross_entropy"
    mode: Mode = "min"

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Cross-entropy, divergence, and how often a random rater agrees with the first class."""
        probabilities = torch.from_numpy(predicted).double().softmax(-1).numpy()
        found = rater_scores(probabilities, targets)
        return {
            "cross_entropy": found.cross_entropy,
            "divergence": found.divergence,
            "agreement": found.agreement,
        }


class ValuesOverTime:
    """1 - CCC of each dimension over the annotated frames; the best epoch has the highest CCC.

    Args:
        model: It says at which rate its values come.
        names: Of the dimensions.
        variant: The loss, see `OverTime`.

    Raises:
        AffuseError: The model gives no values per frame.
    """

    selects = "ccc"
    mode: Mode = "max"

    def __init__(self, model: Model, names: list[str], variant: str = "ccc") -> None:
        if model.head != "frames" or not model.leader.rate:
            raise AffuseError(
                "task=valence-arousal needs a model with values for every frame: set "
                "model.head=frames, and streams with a rate"
            )
        self._step = TARGET_RATE / model.leader.rate
        self._names, self._variant = names, variant

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Scores (B, L, D) on the leader's frames; targets (B, T, D), NaN where unknown."""
        wanted = self._on_frames(targets, scores.shape[1])
        known = ~wanted.isnan().any(-1)
        if self._variant == "ccc" or not known.any():
            return masked_ccc_loss(scores, wanted.nan_to_num(), known)
        scores = scores.float()
        if self._variant == "ccc-batch":
            pairs = zip(scores[known].unbind(-1), wanted[known].unbind(-1), strict=True)
            return torch.stack([ccc_loss(x, y) for x, y in pairs]).sum()
        rows = zip(scores, wanted, known, strict=True)
        windows = [(x[k], y[k]) for x, y, k in rows if k.sum() > 1]
        return torch.stack([ccc_window_loss(x[None], y[None]) for x, y in windows]).mean()

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Annotated frames (N, D) and the predictions there."""
        wanted = self._on_frames(targets, scores.shape[1])
        known = ~wanted.isnan().any(-1)
        return wanted[known].cpu().numpy(), scores[known].float().cpu().numpy()

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """CCC of each dimension over all frames, and their mean."""
        each = {
            f"ccc_{name}": ccc(predicted[:, k], targets[:, k]) for k, name in enumerate(self._names)
        }
        return {"ccc": float(np.mean(list(each.values()))), **each}

    def _on_frames(self, targets: Tensor, frames: int) -> Tensor:
        """Targets (B, frames, D) nearest in time to the leader's frames."""
        rows = torch.round(torch.arange(frames, device=targets.device) * self._step).long()
        inside = rows < targets.shape[1]
        chosen = targets[:, rows.clamp(max=targets.shape[1] - 1)]
        return torch.where(inside[:, None], chosen, torch.nan)


def objective(recipe: Recipe, model: Model, names: list[str]) -> Objective:
    """The objective of a recipe.

    Args:
        recipe: It says the task, and for values over time the loss.
        model: What is trained.
        names: Of classes or dimensions.

    Raises:
        AffuseError: The model ends in something else than the task needs.
    """
    if recipe.task == "valence-arousal":
        return ValuesOverTime(model, names, recipe.over_time.loss)
    if model.head != "classes":
        raise AffuseError(f"task={recipe.task} needs class scores: set model.head=classes")
    return Distribution() if recipe.task == "distribution" else Classification()
