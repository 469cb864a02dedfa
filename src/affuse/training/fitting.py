"""One fold through Lightning's trainer: checkpoints, resume, bars, logs."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from affuse.errors import AffuseError
from affuse.execution.files import sweep
from affuse.execution.signals import Ended
from affuse.models.entries import check_entries
from affuse.models.layers.joint_norm import shared_norms
from affuse.tasks.task import Mode
from affuse.training.averaging import AveragedWeights
from affuse.training.callbacks import EpochBar, EpochLog
from affuse.training.checkpoints import (
    BEST,
    LAST,
    PREVIOUS,
    Checkpoints,
    NotFinite,
    read_checkpoint,
    to_go_on_from,
)
from affuse.training.data import ClipDataset
from affuse.training.device import trainer_device
from affuse.training.learner import Learner
from affuse.training.plateau import PlateauStages
from affuse.training.precision import precision_here
from affuse.training.processes import number, of_first, processes
from affuse.training.recipe import Recipe
from affuse.training.resident import keep_on, room_on


def fit(
    learner: Learner,
    batches: DataLoader[Any],
    judged: DataLoader[Any] | None,
    folder: Path,
    label: str,
    selected: tuple[str, Mode],
    device: str,
    first: Sequence[lightning.Callback] = (),
    say: Callable[[str], None] = lambda line: None,
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
        say: Called with a line where the training goes on, and where a checkpoint is damaged.

    Raises:
        AffuseError: A loss, gradient, weight or score is not finite.
        BadInput: No checkpoint of a training that was begun can be read.
    """
    recipe, (score, mode), kept = learner.recipe, selected, folder / "checkpoints"

    def swept() -> tuple[Path | None, list[str]]:
        for place in (folder, kept):
            sweep(place)
        return to_go_on_from(kept)

    before, damaged = of_first(swept)
    for line in damaged:
        say(line)
    if before is not None:
        content = read_checkpoint(before)
        check_entries(before, learner.state_dict(), content["state_dict"])
        say(f"{label}: goes on after epoch {content['epoch'] + 1}")
    watching = _checkpoints(recipe, score, mode, kept)
    watching.append(EpochBar(label, score))
    if recipe.optimiser.schedule == "plateau":
        rate, best = recipe.optimiser.lr, kept / BEST
        watching.append(PlateauStages(recipe.plateau, rate, score, best, mode))
    if before is None:
        watching = [*first, *watching]
    interrupts = _Interrupts()
    with _quiet(), interrupts.heard(), shared_norms(learner.model):
        trainer = _trainer(recipe, folder, [interrupts, *watching], device)
        for data in (batches, judged):
            if data is not None:
                assert isinstance(data.dataset, ClipDataset)
                here = trainer.strategy.root_device
                keep_on(here, data.dataset, room_on(here))
        try:
            trainer.fit(learner, batches, judged, ckpt_path=before, weights_only=True)
        except NotFinite as error:
            told = AffuseError(f"{label}, {error}; {_advice(kept)}")
            told.told = number() > 0  # it is the same in all processes
            raise told from error
    state = of_first(lambda: read_checkpoint(kept / f"{recipe.selection}.ckpt")["state_dict"])
    of_first(lambda: (kept / PREVIOUS).unlink(missing_ok=True))
    learner.model.load_state_dict(
        {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    )


def _advice(kept: Path) -> str:
    """What is kept, and what can be done about numbers that are not finite."""
    last, epochs = kept / LAST, 0
    if last.is_file():
        epochs = read_checkpoint(last)["epoch"] + 1
    told = f"epochs 1 to {epochs} are kept, --resume ends here again; " if epochs else ""
    return (
        f"{told}look at these clips (affuse check --whole), or train anew with a lower optimiser.lr"
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
    several = processes()
    callbacks = [*watching, EpochLog(folder / "log.csv")]
    if recipe.ema:
        callbacks.append(AveragedWeights(recipe.ema))
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        **trainer_device(device),
        precision=precision_here(recipe.precision, device),
        gradient_clip_val=recipe.optimiser.clip or None,
        callbacks=callbacks,
        plugins=[Checkpoints(), several.cluster],
        strategy=DDPStrategy(find_unused_parameters=True) if several.count > 1 else "auto",
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
        try:
            yield
        finally:
            logger.setLevel(level)
