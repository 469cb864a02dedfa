"""The task of a recipe, and which development score selects the best epoch."""

from __future__ import annotations

from collections.abc import Sequence

from affuse.errors import AffuseError
from affuse.models.base import Model
from affuse.suggestions import hint
from affuse.tasks.registry import task_of
from affuse.tasks.task import Mode, Task
from affuse.training.recipe import Recipe


def learned_task(recipe: Recipe, model: Model, outputs: Sequence[str]) -> Task:
    """The task of a recipe, with its loss.

    Args:
        recipe: It says the task, and of continuous valence and arousal the loss.
        model: What is trained.
        outputs: Names of classes or dimensions.

    Raises:
        AffuseError: The model ends in something else than the task needs.
    """
    return task_of(recipe.task, outputs).learned_by(model, recipe.over_time)


def selected_score(recipe: Recipe, task: Task) -> tuple[str, Mode]:
    """The development score by which the best epoch is chosen, and whether its highest is best.

    Args:
        recipe: It can name one.
        task: It knows them.

    Raises:
        AffuseError: The task has no such score.
    """
    name = recipe.selects or next(iter(task.known))
    if name not in task.known:
        raise AffuseError(
            f"selects={name}: task={recipe.task} has no such score; {hint(name, task.known)}"
        )
    return name, task.known[name]
