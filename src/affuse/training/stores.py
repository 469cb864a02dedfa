"""The stores of a run: one label space, and what the run says about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip
from affuse.corpora.emotions import shared_words
from affuse.corpora.together import TOGETHER
from affuse.errors import AffuseError
from affuse.features.joined import JoinedStore
from affuse.features.store import Store
from affuse.suggestions import unknown
from affuse.tasks.registry import TASKS
from affuse.tasks.targets import TrainingTargets
from affuse.training.recipe import Recipe


def with_shared_labels(recipe: Recipe, data: Store) -> Recipe:
    """The recipe with `labels.map` written out: of several corpora an emotion has one name.

    Raises:
        AffuseError: The map names a class that no corpus has, or the recipe is for one corpus.
    """
    if wrong := [name for name in recipe.labels.map if name not in data.classes]:
        raise unknown("class in labels.map", wrong[0], data.classes)
    if not isinstance(data, JoinedStore):
        return recipe
    if recipe.labels.file or TASKS[recipe.task].over_time:
        what = "labels.file" if recipe.labels.file else f"task={recipe.task}"
        raise AffuseError(f"{what} is for one store")
    words = shared_words(data.classes) | dict(recipe.labels.map)
    return replace(recipe, labels=replace(recipe.labels, map=words))


def learned_corpora(data: Store, clips: Sequence[Clip]) -> str:
    """The corpora of clips, as one name."""
    return TOGETHER.join(sorted({clip.corpus or data.corpus for clip in clips}))


def store_facts(recipe: Recipe, data: Store, learned: TrainingTargets) -> dict[str, Any]:
    """What a run says about where its clips come from, as JSON values.

    Of several stores each with its digest and licence, and of each of its labels how many clips
    have it and as which class it counts: None where it is outside of the label space.
    """
    if not isinstance(data, JoinedStore):
        return {"store": str(data.path.resolve())}
    learned_from = Counter(clip.corpus for clip in learned.clips)

    def labels(store: Store) -> dict[str, Any]:
        clips = Counter(clip.label for clip in store.clips)
        shared = {name: recipe.labels.map.get(name, name) for name in store.classes}
        return {
            name: {"class": one if one in learned.names else None, "clips": clips[name]}
            for name, one in shared.items()
        }

    return {
        "stores": [
            {
                "path": str(store.path.resolve()),
                "corpus": name,
                "licence": store.licence,
                "sha256": store.digest(recipe.streams),
                "clips": len(store.clips),
                "learned": learned_from[name],
                "labels": labels(store),
            }
            for name, store in data.stores.items()
        ]
    }


def stores_of(facts: dict[str, Any]) -> list[Path]:
    """Where the stores of a run are, by what it says."""
    return [Path(one["path"]) for one in facts.get("stores", ())] or [Path(facts["store"])]
