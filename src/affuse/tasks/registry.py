"""Every task by name. Importing this imports no task and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affuse.registry import Entry, Registry

if TYPE_CHECKING:
    from affuse.tasks.task import Task


@dataclass(frozen=True)
class TaskEntry(Entry):
    """What recipes and commands ask about a task before anything is learned.

    Args:
        predicts: What its outputs are called.
        over_time: Whether it has outputs for every frame, or one answer per window.
        votes: Whether it learns from the votes of several raters.
    """

    predicts: str = "classes"
    over_time: bool = False
    votes: bool = False


TASKS: Registry[TaskEntry] = Registry(
    "task",
    {
        "classification": TaskEntry("affuse.tasks.classification:Classification"),
        "distribution": TaskEntry("affuse.tasks.distribution:Distribution", votes=True),
        "valence-arousal": TaskEntry(
            "affuse.tasks.dimensional:Dimensional",
            predicts="continuous valence and arousal",
            over_time=True,
        ),
    },
)
#: What corpora have, and what a result is of, that do not say their task.
DEFAULT_TASK = "classification"


def task_of(name: str, outputs: Sequence[str]) -> Task:
    """A task with the names of its outputs.

    Args:
        name: One of `TASKS`, as recipes, stores and model files say it.
        outputs: Names of the classes or dimensions, in the order of a model's outputs.

    Raises:
        AffuseError: There is no such task.
    """
    found: Task = TASKS[name].load()(outputs)
    return found
