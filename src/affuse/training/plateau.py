"""Training in stages: where the score gets no better the rate falls, then more weights are trained.

Source: leader-follower attentive fusion (ICCVW 2021), released code.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from affuse.errors import AffuseError
from affuse.models.backbones.ir50 import IR50, release_groups
from affuse.tasks.task import Mode
from affuse.training.checkpoints import read_checkpoint
from affuse.training.processes import of_first
from affuse.training.recipe_parts import Plateau


def freeze_backbone(model: nn.Module, released: int) -> None:
    """Train IR-50 in a model up to some groups of its weights only, and all that is not IR-50.

    What is not trained stays in training mode, as published: its running statistics move.

    Args:
        model: The model.
        released: Groups of `release_groups` that are trained.

    Raises:
        AffuseError: The model has no such backbone, or fewer groups.
    """
    groups = release_groups(model)
    if released > len(groups):
        raise AffuseError(
            f"plateau.releases: the model has {len(groups)} groups of a backbone to release "
            "(front-end ir50 has three)"
        )
    trained = {name for group in groups[:released] for name in group}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for net in model.modules():
        if isinstance(net, IR50):
            for parameter in net.parameters():
                parameter.requires_grad_(names[id(parameter)] in trained)


class PlateauStages(lightning.Callback):
    """Lowers the rate, releases groups of the backbone, and ends training.

    Everything it knows is in the checkpoint, so that a resumed training goes on the same way.

    Args:
        chosen: What it does.
        rate: Learning rate that every stage begins with.
        score: Name of the development score.
        best: The checkpoint of the best epoch so far.
        mode: Whether the highest score or the lowest is best.
    """

    def __init__(
        self, chosen: Plateau, rate: float, score: str, best: Path, mode: Mode = "max"
    ) -> None:
        self.chosen, self.rate, self.score, self.best = chosen, rate, score, best
        self.mode: Mode = mode
        self.released = min(chosen.releases, 1)
        self.reached = -float("inf") if mode == "max" else float("inf")
        self.waited = 0
        self._schedule: ReduceLROnPlateau | None = None
        self._saved: dict[str, Any] = {}

    def on_fit_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Freeze what is not trained yet."""
        if self.chosen.releases:
            freeze_backbone(module.model, self.released)

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Take the optimiser in hand, at the rate that it was left with."""
        rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
        self._begin(trainer.optimizers[0])
        assert self._schedule is not None
        if self._saved:
            self._schedule.load_state_dict(self._saved)
            for group, rate in zip(trainer.optimizers[0].param_groups, rates, strict=True):
                group["lr"] = rate

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Go on from the best weights so far, where that is wanted."""
        if self.chosen.reload and (state := of_first(self._best_weights)):
            module.load_state_dict(state)

    def _best_weights(self) -> dict[str, Any] | None:
        state = read_checkpoint(self.best)["state_dict"] if self.best.is_file() else None
        return cast(dict[str, Any] | None, state)

    def on_validation_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Judge the epoch; runs before the checkpoint is written."""
        assert self._schedule is not None
        score = float(trainer.callback_metrics[f"development/{self.score}"])
        self._schedule.step(score)
        better = score > self.reached if self.mode == "max" else score < self.reached
        self.waited = 0 if better else self.waited + 1
        self.reached = score if better else self.reached
        (group, *_) = trainer.optimizers[0].param_groups
        if group["lr"] < self.chosen.lowest:
            if self.released < self.chosen.releases:
                self.released += 1
                freeze_backbone(module.model, self.released)
                self._begin(trainer.optimizers[0])
                self.waited = 0 if self.chosen.reset else self.waited
            else:
                trainer.should_stop = True
        if self.waited >= self.chosen.stop:
            trainer.should_stop = True
        self._saved = self._schedule.state_dict()

    def _begin(self, optimiser: torch.optim.Optimizer) -> None:
        """A stage: the first rate and, but for a training that goes on, no moments."""
        if not self._saved or self._schedule is not None:
            optimiser.state = defaultdict(dict)
        for group in optimiser.param_groups:
            group["lr"] = self.rate
        self._schedule = ReduceLROnPlateau(
            optimiser, self.mode, factor=self.chosen.factor, patience=self.chosen.patience
        )

    def state_dict(self) -> dict[str, Any]:
        """Called by the trainer when it writes a checkpoint."""
        known = {"released": self.released, "reached": self.reached, "waited": self.waited}
        return known | {"schedule": self._saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by the trainer when it resumes."""
        self.released, self.reached = state_dict["released"], state_dict["reached"]
        self.waited, self._saved = state_dict["waited"], state_dict["schedule"]
