"""What is written down while a model trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from affuse.execution.files import write_csv
from affuse.execution.progress import bars_wanted
from affuse.execution.terminal import bar_stream


class EpochLog(lightning.Callback):
    """A CSV with one row per epoch that survives interrupts without gaps or repeats.

    Args:
        path: The CSV file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Add the row of this epoch; the first of several processes writes it."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.rows.append({"epoch": trainer.current_epoch + 1, "learning rate": rate, **values})
        if trainer.is_global_zero:
            header = list(dict.fromkeys(name for row in self.rows for name in row))
            rows = ([row.get(name, "") for name in header] for row in self.rows)
            write_csv(self.path, header, rows)

    def state_dict(self) -> dict[str, Any]:
        """Called by the trainer when it writes a checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by the trainer when it resumes."""
        self.rows = state_dict["rows"]


class EpochBar(ProgressBar):
    """A bar over epochs on stderr, with the loss and the development score.

    Args:
        label: What stands before the bar.
        score: The development score that is shown.
    """

    def __init__(self, label: str, score: str) -> None:
        super().__init__()
        console = Console(file=bar_stream())
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[scores]}"),
            console=console,
            disable=not (bars_wanted() and console.is_terminal),
        )
        self._label, self._score = label, score

    def disable(self) -> None:
        """Called by the trainer on all but the first process."""
        self._bar.disable = True

    def enable(self) -> None:
        """Called by the trainer."""

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Draw the bar; a resumed training starts where it was."""
        self._bar.start()
        self._task = self._bar.add_task(
            self._label, total=trainer.max_epochs, completed=trainer.current_epoch, scores=""
        )

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Move on by one epoch."""
        metrics = trainer.callback_metrics
        texts = [f"loss {float(metrics['train/loss']):.3f}"] if "train/loss" in metrics else []
        if (name := f"development/{self._score}") in metrics:
            texts.append(f"development {self._score} {float(metrics[name]):.3f}")
        self._bar.update(self._task, advance=1, scores=", ".join(texts))

    def teardown(self, trainer: lightning.Trainer, module: Any, stage: str) -> None:
        """Leave the terminal tidy, also after an interrupt."""
        self._bar.stop()
