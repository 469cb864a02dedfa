"""Every task by name. Importing this imports no task and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from affuse.suggestions import unknown

if TYPE_CHECKING:
    from affuse.tasks.task import Task


@dataclass(frozen=True)
class TaskEntry:
    """What recipes and commands ask about a task before anything is learned.

    Args:
        target: `module:Class`.
        predicts: What its outputs are called.
        over_time: Whether it has outputs for every frame, or one answer per window.
        votes: Whether it learns from the votes of several raters.
    """

    target: str
    predicts: str = "classes"
    over_time: bool = False
    votes: bool = False

    def load(self) -> type[Task]:
        """Import the class."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)


TASKS: dict[str, TaskEntry] = {
    "classification": TaskEntry("affuse.tasks.classification:Classification"),
    "distribution": TaskEntry("affuse.tasks.distribution:Distribution", votes=True),
    "valence-arousal": TaskEntry(
        "affuse.tasks.dimensional:Dimensional", "values over time", over_time=True
    ),
}
#: What corpora have, and what a result is of, that do not say their task.
DEFAULT_TASK = "classification"


def task_entry(name: str) -> TaskEntry:
    """The entry of a task.

    Raises:
        AffuseError: There is no such task.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def task_of(name: str, outputs: Sequence[str]) -> Task:
    """A task with the names of its outputs.

    Args:
        name: One of `TASKS`, as recipes, stores and model files say it.
        outputs: Names of the classes or dimensions, in the order of a model's outputs.

    Raises:
        AffuseError: There is no such task.
    """
    return task_entry(name).load()(outputs)
