"""One fold of a run: its clips to a model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import write_json
from affuse.features.speakers import SpeakerBaselines
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.embedded import network_entries
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from affuse.tasks.annotated_targets import delayed
from affuse.tasks.targets import TrainingTargets
from affuse.training.backbone import backbone_terms, check_tuned, give_backbone
from affuse.training.batches import loader
from affuse.training.continued import Continue
from affuse.training.data import ClipDataset
from affuse.training.fitting import fit
from affuse.training.initial import Initial
from affuse.training.learner import Learner
from affuse.training.processes import agreed, number, of_first
from affuse.training.recipe import Recipe
from affuse.training.run import MODEL_FILE, SPLIT_FILE, read_split
from affuse.training.sampling import groups_of
from affuse.training.selection import learned_task, selected_score
from affuse.training.smoothing import best_smoothing
from affuse.training.spliced import SplicedDataset
from affuse.training.statistics import normalisation_of
from affuse.training.stores import learned_corpora


@dataclass(frozen=True)
class Training:
    """What all folds of a run share.

    Args:
        recipe: What is trained and how.
        data: Prepared streams.
        copies: Stores of changed recordings of the same clips.
        learned: What clips are to be learned as.
        protocol: Its name.
        initial: The weights that training starts from; None for fresh ones.
        device: As in `train`.
        say: As in `train`.
    """

    recipe: Recipe
    data: Store
    copies: Sequence[Store]
    learned: TrainingTargets
    protocol: str
    initial: Initial | None
    device: str
    say: Callable[[str], None]


def train_fold(run: Training, split: dict[str, list[Clip]], fold: int, folder: Path) -> None:
    """Train a fold, or go on with it, and write its model file.

    Args:
        run: What it shares with the others.
        split: The clips of each role.
        fold: Number.
        folder: Of the fold.

    Raises:
        BadInput: The store holds other clips than when the fold was begun.
        AffuseError: See `train`.
    """
    recipe, data, learned, initial = run.recipe, run.data, run.learned, run.initial
    with agreed():
        ids = {role: [clip.id for clip in part] for role, part in split.items()}
        if (folder / SPLIT_FILE).is_file() and read_split(folder) != ids:
            raise BadInput(data.path, f"holds other clips than when {folder} was begun")
        if number() == 0:
            write_json(folder / SPLIT_FILE, ids)
        training, plain, development = _datasets(run, split)
        statistics = (
            initial.statistics(training.specs)
            if recipe.normalisation == "init" and initial
            else normalisation_of(plain, recipe.normalisation)
        )
        lightning.seed_everything(recipe.seed, verbose=False)
        model, start = initial_model(recipe, training.specs, learned, initial)
        task = learned_task(recipe, model, learned.names)
        learner = Learner(model, recipe, task, statistics, initial.epochs if initial else 0)
        groups = groups_of(split["train"], learned, recipe.balance) if recipe.balance else None
        batches = loader(training, recipe.batch_size, "random", recipe.seed, groups)
        judged = loader(development, recipe.batch_size, "fixed") if len(development) else None
        first = [Continue(initial)] if initial and initial.epochs else []
        label, selected = f"{recipe.name} fold {fold}", selected_score(recipe, task)
        spec = ModelSpec(
            model=recipe.model["name"],
            options=_options(recipe),
            streams=training.specs,
            normalisation=statistics,
            outputs=learned.names,
            task=recipe.task,
            window=recipe.window,
            delay=recipe.over_time.delay,
            shrinkage=recipe.shrinkage if recipe.normalisation == "speaker" else None,
            training={
                "recipe": recipe.name,
                "corpus": learned_corpora(data, [*split["train"], *split["development"]]),
                "licence": _licence(recipe, data, initial, model),
                "protocol": run.protocol,
                "fold": fold,
                "seed": recipe.seed,
                "clips": len(split["train"]),
                **({"labels": rule} if (rule := replace(recipe.labels, file="").changes()) else {}),
                **start,
            },
        )
        if baselines := spec.baselines:
            training.speakers = SpeakerBaselines(data, split["train"], baselines, "all")
            training.strangers = recipe.strangers
            development.speakers = SpeakerBaselines(data, split["development"], baselines, "past")
        networks = data.networks(recipe.streams)
        network_entries(networks)  # what could not be written is told before it is trained
        try:
            spec.check()
        except ValueError as error:
            raise AffuseError(f"recipe {recipe.name}: {error}") from error
    fit(learner, batches, judged, folder, label, selected, run.device, first, run.say)
    if task.over_time:
        held = split["development"]
        spec.smoothing = best_smoothing(
            model.eval(), spec, data, held, recipe, development.speakers
        )
    of_first(lambda: save_model(folder / MODEL_FILE, model, spec, networks))


def _datasets(
    run: Training, split: dict[str, list[Clip]]
) -> tuple[ClipDataset, ClipDataset, ClipDataset]:
    """Windows of the training clips as they are learned and as they are, and of the development
    clips."""
    recipe, data, learned = run.recipe, run.data, run.learned
    target = delayed(learned.target, data, recipe.over_time.delay)
    window = (recipe.streams, recipe.window, target, recipe.hop)
    plain = ClipDataset(data, split["train"], *window)
    development = ClipDataset(data, split["development"], *window)
    if recipe.over_time.spliced:
        delay = recipe.over_time.delay
        spliced = (recipe.streams, recipe.window, learned.target, recipe.hop, delay)
        return SplicedDataset(data, split["train"], *spliced), plain, development
    training = ClipDataset(
        data,
        split["train"],
        *window,
        shift=recipe.augmentation.shift,
        adjust_duration=recipe.augmentation.adjust_duration,
        seed=recipe.seed,
        copies=run.copies,
    )
    return training, plain, development


def _licence(recipe: Recipe, data: Store, initial: Initial | None, model: Model) -> str:
    """Terms of everything that the weights were made from: the data, and networks before them."""
    terms = [data.licence]
    for name in recipe.streams:
        before = data.stream(name).spec.recipe.get("licence")
        if before is not None:
            terms.append(f"{name}: {before}")
    terms += backbone_terms(model, recipe)
    if initial:
        before = initial.spec.training.get("licence", "not stated")
        terms.append(f"init {initial.path.name}: {before}")
    return "; ".join(terms)


def _options(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.model.items() if key != "name"}


def initial_model(
    recipe: Recipe, specs: dict[str, StreamSpec], learned: TrainingTargets, initial: Initial | None
) -> tuple[Model, dict[str, Any]]:
    """The recipe's model before training, and what is told of the weights that it starts from.

    Args:
        recipe: What is trained.
        specs: Its streams, by name.
        learned: What clips are to be learned as.
        initial: The weights that training starts from; None for fresh ones.
    """
    model = create_model(recipe.model["name"], specs, len(learned.names), **_options(recipe))
    give_backbone(model, recipe)
    if initial is None:
        check_tuned(model, recipe, [""])
        return model, {}
    if recipe.normalisation == "init":
        initial.statistics(specs)
    taken = initial.give(model, recipe, learned.names)
    check_tuned(model, recipe, taken.fresh)
    return model, {"init": initial.facts(recipe, taken)}
