"""One model in training: its loss, its optimiser and what is watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch, Normalisation, normalise
from affuse.models.base import Model
from affuse.models.entries import not_finite
from affuse.tasks.task import Task
from affuse.training.augmentations.augment import augment
from affuse.training.backbone import pretrained
from affuse.training.checkpoints import NotFinite
from affuse.training.dropout import apply_dropout
from affuse.training.processes import count, gathered, number, of_all
from affuse.training.recipe import Recipe
from affuse.training.recipe_parts import Optimiser
from affuse.training.schedule import rate_factor


class Learner(lightning.LightningModule):
    """A model, what the recipe says about its training, and its scores on development clips.

    Every epoch seeds its own random numbers from the recipe's seed and the epoch, so that a
    training that was interrupted between epochs ends in the same weights. Several processes draw
    other numbers each, and learn from the loss of the batch of all of them.

    Args:
        model: What is trained.
        recipe: How.
        task: Its loss and scores.
        normalisation: Statistics of the training clips, by stream.
        epochs: Epochs that its training has behind it before this one.
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        task: Task,
        normalisation: Mapping[str, Normalisation],
        epochs: int = 0,
    ) -> None:
        super().__init__()
        self.model, self.recipe, self.task = model, recipe, task
        self.normalisation = dict(normalisation)
        self._before = epochs
        self._ids: list[str] = []
        self._seen: list[tuple[np.ndarray, np.ndarray]] = []
        self._unusable: list[str] = []
        self._learned = task.running()

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Called by the trainer."""
        return batch.to(device)

    def on_train_epoch_start(self) -> None:
        """Fix the random numbers of this epoch, and forget how the last one went."""
        self._learned = self.task.running()
        seeds = [self.recipe.seed, self.current_epoch, *([number()] if number() else [])]
        torch.manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one raw batch: of the decision and of the auxiliary heads."""
        self._ids = batch.ids
        batch = normalise(batch, self.normalisation)
        batch = augment(batch, self.recipe.augmentation, self.model.outputs, self.normalisation)
        batch = apply_dropout(batch, self.recipe.dropout)
        assert batch.targets is not None
        output = self.model(batch)
        scores, wanted = of_all(output.scores), of_all(batch.targets)
        if self._learned is not None:
            targets, predicted = self.task.seen(scores.detach(), wanted)
            self._learned.add(predicted, targets)
        heads = [(self.recipe.primary, scores)]
        for name, found in output.auxiliary.items() if self.recipe.auxiliary else ():
            if found.shape != output.scores.shape:
                raise AffuseError(
                    f"auxiliary={self.recipe.auxiliary}: head {name!r} gives something else than "
                    "the model"
                )
            heads.append((self.recipe.auxiliary, of_all(found)))
        smoothing = self.recipe.label_smoothing
        loss = torch.stack(
            [weight * self.task.loss(x, wanted, smoothing) for weight, x in heads if weight]
        ).sum()
        if not bool(loss.detach().isfinite()):
            raise self._not_finite(index, f"the loss is {float(loss.detach())}")
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(wanted))
        return loss * count()  # the gradient is the mean over processes

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep gradients that are not finite out of the weights."""
        if self.recipe.precision == "16-mixed":  # its scale is found by steps that overflow
            return
        gradients = {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}
        norm = nn.utils.get_total_norm(list(gradients.values()))
        if not bool(norm.isfinite()) and (name := not_finite(gradients)):
            step = self.trainer.fit_loop.epoch_loop.batch_idx
            raise self._not_finite(step, f"the gradient of {name} is not finite")

    def _not_finite(self, index: int, what: str) -> NotFinite:
        """The error that ends a training, with the clips of its last batch."""
        clips = ", ".join(dict.fromkeys(clip for ids in gathered(self._ids) for clip in ids))
        return NotFinite(
            f"epoch {self.current_epoch + 1}, step {index + 1}: {what}; clips in the batch: {clips}"
        )

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Report, at the end of the epoch, the scores of what was learned from."""
        if self._learned is not None and self.trainer.is_last_batch:
            for name, score in self._learned.scores().items():
                self.log(f"train/{name}", score, on_step=False, on_epoch=True, batch_size=1)

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's predictions."""
        self._seen, self._unusable = [], []

    def validation_step(self, batch: Batch, index: int) -> None:
        """Predict development clips, everything present."""
        assert batch.targets is not None
        output = self.model(normalise(batch, self.normalisation))
        said = output.scores if output.mask is None else output.scores[output.mask]
        if not bool(said.isfinite().all()):
            self._unusable += batch.ids
        self._seen.append(self.task.seen(output.scores, batch.targets))

    def on_validation_epoch_end(self) -> None:
        """Report the scores on the development clips."""
        parts = gathered((self._seen, self._unusable))
        if clips := dict.fromkeys(clip for _, unusable in parts for clip in unusable):
            raise NotFinite(
                f"epoch {self.current_epoch + 1}: what the model says of development clips is not "
                f"finite; clips in the batch: {', '.join(clips)}"
            )
        seen = [pair for part, _ in parts for pair in part]
        targets, predicted = (np.concatenate(part) for part in zip(*seen, strict=True))
        for name, score in self.task.scores(targets, predicted).items():
            self.log(f"development/{name}", score)

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule of the recipe."""
        chosen = self.recipe.optimiser
        optimiser = optimiser_of(self.model, chosen)
        if chosen.schedule == "plateau":  # a callback: what it does depends on the scores
            return optimiser
        by_step = chosen.schedule == "cosine"
        total = int(self.trainer.estimated_stepping_batches) if by_step else self.recipe.epochs
        before = self._before * (int(self.trainer.num_training_batches) if by_step else 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda done: rate_factor(chosen, before + done, total)
        )
        interval = "step" if by_step else "epoch"
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": interval},
        }


def optimiser_of(model: nn.Module, chosen: Optimiser) -> torch.optim.Optimizer:
    """The optimiser that a recipe chooses, with its groups of parameters."""
    groups = [{"params": [*model.parameters()], "weight_decay": chosen.weight_decay}]
    if chosen.name == "adamw":
        weights = [p for p in model.parameters() if p.ndim > 1]
        rest = [p for p in model.parameters() if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": chosen.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
    if chosen.backbone_lr is not None:
        groups = _split(groups, {*pretrained(model)}, chosen.backbone_lr)
    if chosen.name == "sgd":
        return torch.optim.SGD(
            groups, chosen.lr, momentum=chosen.momentum, dampening=chosen.dampening
        )
    if chosen.name == "adam":
        return torch.optim.Adam(groups, chosen.lr)
    return torch.optim.AdamW(groups, chosen.lr)


def _split(
    groups: list[dict[str, Any]], own: set[nn.Parameter], rate: float
) -> list[dict[str, Any]]:
    """Groups of parameters, and behind them those of a learning rate of their own."""
    if not own:
        raise AffuseError("optimiser.backbone_lr: no part of the model is a backbone")
    rest = [group | {"params": [p for p in group["params"] if p not in own]} for group in groups]
    apart = [
        group | {"params": [p for p in group["params"] if p in own], "lr": rate} for group in groups
    ]
    return [group for group in (*rest, *apart) if group["params"]]
