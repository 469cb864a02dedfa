"""What a recipe makes of the clips of a store."""

from __future__ import annotations

from affuse.features.store import Store
from affuse.tasks.registry import TASKS
from affuse.tasks.targets import TrainingTargets
from affuse.training.recipe import Recipe


def training_targets(recipe: Recipe, data: Store) -> TrainingTargets:
    """What the clips of a store are to be learned as.

    Args:
        recipe: It says the task, the streams and how clips get their labels.
        data: The store.

    Raises:
        BadInput: The store lacks a stream, or no clip has a label.
        AffuseError: The label rule does not fit the corpus or the task.
    """
    entry = TASKS[recipe.task]
    outputs = recipe.over_time.dimensions if entry.over_time else ()
    return entry.load().targets(data, recipe.streams, recipe.labels, outputs)
