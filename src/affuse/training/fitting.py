"""One fold through Lightning's trainer: checkpoints, resume, bars, logs."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from affuse.execution.signals import Ended
from affuse.training.averaging import AveragedWeights
from affuse.training.callbacks import EpochBar, EpochLog
from affuse.training.device import trainer_device
from affuse.training.learner import Learner
from affuse.training.objectives import Mode
from affuse.training.plateau import PlateauStages
from affuse.training.precision import precision_here
from affuse.training.recipe import Recipe


def fit(
    learner: Learner,
    batches: DataLoader[Any],
    judged: DataLoader[Any] | None,
    folder: Path,
    label: str,
    selected: tuple[str, Mode],
    device: str,
    first: Sequence[lightning.Callback] = (),
) -> None:
    """Train, or go on where an interrupted training stopped; the learner gets the chosen weights.

    Args:
        learner: What is trained, and its recipe.
        batches: Training clips.
        judged: Development clips; None where there are none.
        folder: Of the fold: gets `checkpoints`, `tensorboard` and `log.csv`.
        label: Before the bar.
        selected: The development score that chooses the epoch, and whether `max` or `min` is best.
        device: As `train` takes it.
        first: Callbacks for a training that begins.
    """
    recipe, (score, mode), kept = learner.recipe, selected, folder / "checkpoints"
    last = kept / "last.ckpt"
    watching = _checkpoints(recipe, score, mode, kept)
    watching.append(EpochBar(label, score))
    if recipe.optimiser.schedule == "plateau":
        rate, best = recipe.optimiser.lr, kept / "best.ckpt"
        watching.append(PlateauStages(recipe.plateau, rate, score, best, mode))
    if not last.is_file():
        watching = [*first, *watching]
    interrupts = _Interrupts()
    with _quiet(), interrupts.heard():
        trainer = _trainer(recipe, folder, [interrupts, *watching], device)
        before = last if last.is_file() else None
        trainer.fit(learner, batches, judged, ckpt_path=before, weights_only=False)
    chosen = kept / f"{recipe.selection}.ckpt"
    state = torch.load(chosen, map_location="cpu", weights_only=False)["state_dict"]
    learner.model.load_state_dict(
        {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    )


class _Interrupts(lightning.Callback):
    """Ctrl-C stays Ctrl-C: Lightning turns it into an exit and then ignores SIGINT, and code of
    libraries that it falls into can lose it; then it is raised after the batch.
    """

    def __init__(self) -> None:
        self._asked = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While the block runs; only the main thread hears signals."""
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        except Ended:
            raise
        except SystemExit:
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, handler)

    def _ask(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt

    def on_train_batch_end(self, *_: Any) -> None:
        """Called by the trainer."""
        if self._asked:
            raise KeyboardInterrupt


def _checkpoints(recipe: Recipe, score: str, mode: Mode, folder: Path) -> list[lightning.Callback]:
    """What keeps the best epoch, where one is selected, and after it the last one."""
    last = ModelCheckpoint(folder, "last", enable_version_counter=False)
    if recipe.selection == "last":
        return [last]
    monitor = f"development/{score}"
    best = ModelCheckpoint(folder, "best", monitor=monitor, mode=mode, enable_version_counter=False)
    return [best, last]


def _trainer(
    recipe: Recipe, folder: Path, watching: Sequence[lightning.Callback], device: str
) -> lightning.Trainer:
    callbacks = [*watching, EpochLog(folder / "log.csv")]
    if recipe.ema:
        callbacks.append(AveragedWeights(recipe.ema))
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        **trainer_device(device),
        precision=precision_here(recipe.precision, device),
        gradient_clip_val=recipe.optimiser.clip or None,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        deterministic="warn",
        use_distributed_sampler=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says about choices that are made on purpose."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logger.setLevel(level)
