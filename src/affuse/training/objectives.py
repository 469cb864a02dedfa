"""What is minimised and what selects the best epoch, for each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from affuse.errors import AffuseError
from affuse.features.batch import TARGET_RATE
from affuse.metrics.classification import classification_scores
from affuse.metrics.concordance import (
    ccc,
    ccc_loss,
    ccc_window_loss,
    masked_ccc_loss,
    pearson,
    rmse,
)
from affuse.metrics.raters import rater_scores
from affuse.metrics.running import RunningAgreement, named_scores
from affuse.models.base import Model
from affuse.suggestions import hint
from affuse.training.recipe import Recipe

Mode = Literal["max", "min"]


class Objective(Protocol):
    """The loss and the scores of a task.

    Attributes:
        known: The scores, and whether their highest or lowest is best; the first is the usual one.
    """

    known: Mapping[str, Mode]

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The loss of one head: its scores as the model gives them, and the batch's targets."""
        ...

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """What `scores` needs of one batch: two arrays that can be joined along the first axis."""
        ...

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Scores by name over all development clips."""
        ...

    def running(self) -> RunningAgreement | None:
        """Scores of what is learned, from what `seen` gives of every batch of an epoch."""
        ...


class Classification:
    """Cross-entropy with one class per clip; the best epoch has the highest accuracy."""

    known: Mapping[str, Mode] = {"accuracy": "max", "uar": "max", "loss": "min"}

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

    def running(self) -> RunningAgreement | None:
        """None."""
        return None


class Distribution(Classification):
    """Cross-entropy with the shares of the raters' votes, which differs from the Kullback-Leibler
    divergence by what no model can change; the best epoch has the lowest.
    """

    known: Mapping[str, Mode] = {"cross_entropy": "min", "divergence": "min", "agreement": "max"}

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
        weights: Of the loss of each dimension by name; 1 for those without.

    Raises:
        AffuseError: The model gives no values per frame, or a weight is of no dimension.
    """

    def __init__(
        self,
        model: Model,
        names: list[str],
        variant: str = "ccc",
        weights: Mapping[str, float] | None = None,
    ) -> None:
        if model.head != "frames" or not model.leader.rate:
            raise AffuseError(
                "task=valence-arousal needs a model with values for every frame: set "
                "model.head=frames, and streams with a rate"
            )
        self._step = TARGET_RATE / model.leader.rate
        self._names, self._variant = names, variant
        weights = weights or {}
        if wrong := [name for name in weights if name not in names]:
            raise AffuseError(
                f"over_time.weights: {wrong[0]!r} is not learned; {hint(wrong[0], names)}"
            )
        self._weights = [weights.get(name, 1.0) for name in names]
        modes: dict[str, Mode] = {"ccc": "max", "pcc": "max", "rmse": "min"}
        each = {f"{metric}_{name}": mode for metric, mode in modes.items() for name in names}
        self.known: Mapping[str, Mode] = modes | each

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Scores (B, L, D) on the leader's frames; targets (B, T, D), NaN where unknown."""
        wanted = self._on_frames(targets, scores.shape[1])
        known = ~wanted.isnan().any(-1)
        weights = torch.tensor(self._weights, device=scores.device)
        if self._variant == "ccc" or not known.any():
            return masked_ccc_loss(scores, wanted.nan_to_num(), known, weights)
        scores = scores.float()
        if self._variant == "ccc-batch":
            pairs = zip(scores[known].unbind(-1), wanted[known].unbind(-1), strict=True)
            return (torch.stack([ccc_loss(x, y) for x, y in pairs]) * weights).sum()
        rows = zip(scores, wanted, known, strict=True)
        windows = [(x[k], y[k]) for x, y, k in rows if k.sum() > 1]
        losses = [ccc_window_loss(x[None], y[None], weights) for x, y in windows]
        return torch.stack(losses).mean()

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Annotated frames (N, D) and the predictions there."""
        wanted = self._on_frames(targets, scores.shape[1])
        known = ~wanted.isnan().any(-1)
        return wanted[known].cpu().numpy(), scores[known].float().cpu().numpy()

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """CCC, correlation and RMSE of each dimension over all frames, and their means."""
        pairs = list(zip(predicted.T, targets.T, strict=True))
        metrics = {"ccc": ccc, "pcc": pearson, "rmse": rmse}
        each = {
            name: np.array([metric(x, y) for x, y in pairs]) for name, metric in metrics.items()
        }
        return named_scores(each, self._names)

    def running(self) -> RunningAgreement:
        """The same of parts."""
        return RunningAgreement(self._names)

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
        return ValuesOverTime(model, names, recipe.over_time.loss, recipe.over_time.weights)
    if model.head != "classes":
        raise AffuseError(f"task={recipe.task} needs class scores: set model.head=classes")
    return Distribution() if recipe.task == "distribution" else Classification()


def selected_score(recipe: Recipe, goal: Objective) -> tuple[str, Mode]:
    """The development score by which the best epoch is chosen, and whether its highest is best.

    Raises:
        AffuseError: The task has no such score.
    """
    name = recipe.selects or next(iter(goal.known))
    if name not in goal.known:
        raise AffuseError(
            f"selects={name}: task={recipe.task} has no such score; {hint(name, goal.known)}"
        )
    return name, goal.known[name]
