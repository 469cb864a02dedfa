"""Recipe and store to a run: one model per fold, resumable."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning

from affuse.audit.leaks import split_clips
from affuse.audit.split_check import check_split, with_earlier
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import Protocol, load_protocol
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path, locked, sweep, write_json, write_text
from affuse.features.joined import open_stores, same_corpora
from affuse.features.scores import check_classes
from affuse.features.speakers import SpeakerBaselines, check_speakers
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.checkpoints import load_backbone
from affuse.models.embedded import network_entries
from affuse.models.modelfile import ModelSpec, read_spec, save_model
from affuse.models.registry import create_model
from affuse.tasks.annotated_targets import delayed
from affuse.tasks.registry import TASKS
from affuse.tasks.targets import TrainingTargets
from affuse.training.augmentations.augment import check_augmentation
from affuse.training.continued import Continue, read_continued
from affuse.training.data import (
    ClipDataset,
    loader,
    normalisation_of,
)
from affuse.training.device import trainer_device
from affuse.training.fitting import fit
from affuse.training.initial import Initial, initial_leaks, read_initial
from affuse.training.learner import Learner
from affuse.training.plateau import freeze_backbone
from affuse.training.precision import precision_here
from affuse.training.recipe import Recipe, load_recipe
from affuse.training.run import MODEL_FILE, SPLIT_FILE, labels_copy, read_run, read_split
from affuse.training.sampling import groups_of
from affuse.training.selection import learned_task, selected_score
from affuse.training.smoothing import best_smoothing
from affuse.training.spliced import SplicedDataset
from affuse.training.stores import learned_corpora, store_facts, with_shared_labels
from affuse.training.targets import training_targets


def train(
    recipe: Recipe,
    store: Path | Sequence[Path],
    out: Path,
    folds: list[int] | None = None,
    resume: bool = False,
    allow: Collection[str] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
    copies: Sequence[Path] = (),
) -> Iterator[tuple[int, Path]]:
    """Train a recipe, fold by fold, after the split was checked for leaks.

    Args:
        recipe: What is trained and how.
        store: Prepared streams, of one corpus or, in several stores, of several together.
        out: Folder of the run.
        folds: Numbers from 0; all folds of the protocol by default.
        resume: Go on with a run that is there: finished folds are kept, an interrupted one
            continues after its last whole epoch, to the same weights as if never interrupted.
        allow: Kinds of leaks (`affuse.audit.leaks.KINDS`) that are let pass and written down.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:<number>` or `mps`.
        say: Called with a line about the weights that training starts from, or goes on with.
        copies: Stores of the same clips, made of changed recordings (`prepare --change`): each
            epoch reads a training clip from one of them, or from `store`.

    Yields:
        (fold, model file) as folds finish.

    Raises:
        BadInput: The store is of another corpus or lacks a stream, or stores do not go together;
            the run exists already.
        AffuseError: The protocol does not fit the clips, the split leaks, there is no such device,
            or a stream, loss, gradient or weight is not finite.
    """
    trainer_device(device)
    if copies and recipe.over_time.spliced:
        raise AffuseError("over_time.spliced reads no copies of clips")
    data, out = open_stores(store), Path(out)
    if not same_corpora(data.corpus, recipe.corpus):
        raise BadInput(
            data.path, f"is a store of {data.corpus}; recipe {recipe.name} needs {recipe.corpus}"
        )
    changed = [_copy_of(data, Path(path)) for path in copies]
    held = TASKS[data.task]
    if held.over_time and not TASKS[recipe.task].over_time:
        raise BadInput(data.path, f"holds {held.predicts}; set task={data.task}, not {recipe.task}")
    recipe = with_shared_labels(recipe, data)
    learned = training_targets(recipe, data)
    protocol = load_protocol(recipe.protocol, data.clips)
    if protocol.corpus and protocol.corpus != data.corpus:
        raise AffuseError(f"protocol {protocol.name} is of {protocol.corpus}, not {data.corpus}")
    wanted = folds if folds is not None else list(range(len(protocol.folds)))
    for fold in wanted:
        split = _split(protocol, fold, learned, data, recipe.limit)
        if recipe.selection == "best" and not split["development"]:
            raise AffuseError(
                f"protocol {protocol.name}, fold {fold}, has no development clips to select the "
                f"best epoch with; set selection=last"
            )
    used = [*learned.clips, *learned.open]
    specs = {name: data.stream(name).spec for name in recipe.streams}
    check_classes(specs.values(), learned.names)
    check_augmentation(recipe.augmentation, specs)
    if recipe.normalisation == "speaker":
        check_speakers(specs, used)
    initial = _initial(recipe, learned)
    before = initial_leaks(initial, protocol, wanted, data) if initial else []
    checked = check_split(protocol, wanted, used, data, recipe.streams, allow, before)
    model, start = _model(recipe, specs, learned, initial)
    selected_score(recipe, learned_task(recipe, model, learned.names))
    freeze_backbone(model, recipe.plateau.releases)
    if nested := checked.get("nested_scores"):
        values = checked["learned_values"] = sum(p.numel() for p in model.parameters())
        say(
            f"{', '.join(nested)}: the models that scored training clips were trained on test "
            f"clips; {values:,} values are learned from these scores"
        )
    if initial:
        for line in (start["init"]["taken"], *initial.differences(recipe, specs)):
            say(f"{initial.path}: {line}")
        if before is None:
            say(
                f"{initial.path}: was trained on {data.corpus}; its split is not known here, so it "
                "may have learned from test clips"
            )
    with locked(out):  # folds may be begun by several processes at once
        _open_run(recipe, data, changed, protocol, learned, checked, start, out, resume, device)
    for fold in wanted:
        folder = out / f"fold{fold}"
        if not (folder / MODEL_FILE).is_file():
            split = _split(protocol, fold, learned, data, recipe.limit)
            _train_fold(
                recipe,
                data,
                changed,
                learned,
                split,
                protocol.name,
                fold,
                folder,
                device,
                initial,
                say,
            )
        yield fold, folder / MODEL_FILE


def _copy_of(data: Store, path: Path) -> Store:
    """A store of changed recordings of the clips of another one."""
    copy = Store(path)
    if copy.corpus != data.corpus:
        raise BadInput(path, f"is a store of {copy.corpus}, not of {data.corpus}")
    if not copy.changes:
        raise BadInput(path, "is a store of recordings as they are; make one with prepare --change")
    if not {clip.id for clip in copy.clips} & {clip.id for clip in data.clips}:
        raise BadInput(path, f"has none of the clips of {data.path}")
    return copy


def _split(
    protocol: Protocol, fold: int, learned: TrainingTargets, data: Store, limit: int
) -> dict[str, list[Clip]]:
    """The clips of each role, so many at most; what is not annotated can only be a test clip."""
    split = split_clips(protocol, fold, learned.clips, data.clips)
    further = {clip.id for clip in learned.open}
    roles = protocol.roles(fold, data.clips)
    tested = [c for c, r in zip(data.clips, roles, strict=True) if "test" in r and c.id in further]
    split |= {"test": [*split["test"], *tested]}
    return {role: _spread(part, limit) for role, part in split.items()}


def _spread(clips: list[Clip], limit: int) -> list[Clip]:
    """So many of the clips, evenly spread; all of them with a limit of 0."""
    if not 0 < limit < len(clips):
        return clips
    return [clips[k * len(clips) // limit] for k in range(limit)]


def _open_run(
    recipe: Recipe,
    data: Store,
    copies: Sequence[Store],
    protocol: Protocol,
    learned: TrainingTargets,
    checked: dict[str, Any],
    start: dict[str, Any],
    out: Path,
    resume: bool,
    device: str,
) -> None:
    """Make the folder of a run, or check that the one there is the same run."""
    sweep(out)
    saved, kept = out / "recipe.yaml", labels_copy(out, recipe)
    if saved.is_file():
        if not resume:
            raise BadInput(out, "holds a run already; go on with --resume or choose another --out")
        if load_recipe(saved, written=True).to_yaml() != recipe.to_yaml():
            raise BadInput(saved, "differs from the recipe given; resume with the same one")
        if kept and kept.read_bytes() != Path(recipe.labels.file).read_bytes():
            raise BadInput(recipe.labels.file, f"differs from {kept}, which the run was begun with")
        before = read_run(out)
        if start and before["init"]["sha256"] != start["init"]["sha256"]:
            raise BadInput(recipe.init or recipe.resume_path, f"is not what {out} began with")
        if before.get("copies", []) != _changes(copies):
            raise BadInput(out, "was begun with other copies of the clips; give the same --copies")
        if (leaks := with_earlier(before["leaks"], checked)) != before["leaks"]:
            write_json(out / "run.json", before | {"leaks": leaks})
        return
    facts = {
        **store_facts(recipe, data, learned),
        "corpus": data.corpus,
        "licence": data.licence,
        "protocol": {
            "name": protocol.name,
            "version": protocol.version,
            "sha256": protocol.sha256 or None,
        },
        "clips": {
            "learned": len(learned.clips),
            "unused": learned.unused,
            "limit": recipe.limit,
        },
        **({"labels": learned.file} if learned.file else {}),
        **({"copies": _changes(copies)} if copies else {}),
        "leaks": checked,
        **start,
        "precision": precision_here(recipe.precision, device),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("affuse", "torch", "lightning", "numpy", "av")},
        },
    }
    write_json(out / "run.json", facts)
    if kept:
        with atomic_path(kept) as path:
            path.write_bytes(Path(recipe.labels.file).read_bytes())
    write_text(saved, recipe.to_yaml())


def _changes(copies: Sequence[Store]) -> list[dict[str, Any]]:
    """What is told of stores of changed recordings."""
    return [{"store": str(copy.path.resolve()), "changes": copy.changes} for copy in copies]


def _train_fold(
    recipe: Recipe,
    data: Store,
    copies: Sequence[Store],
    learned: TrainingTargets,
    split: dict[str, list[Clip]],
    protocol: str,
    fold: int,
    folder: Path,
    device: str,
    initial: Initial | None,
    say: Callable[[str], None],
) -> None:
    ids = {role: [clip.id for clip in part] for role, part in split.items()}
    if (folder / SPLIT_FILE).is_file() and read_split(folder) != ids:
        raise BadInput(data.path, f"holds other clips than when {folder} was begun")
    write_json(folder / SPLIT_FILE, ids)
    target = delayed(learned.target, data, recipe.over_time.delay)
    window = (recipe.streams, recipe.window, target, recipe.hop)
    plain = ClipDataset(data, split["train"], *window)
    development = ClipDataset(data, split["development"], *window)
    training = (
        SplicedDataset(
            data,
            split["train"],
            recipe.streams,
            recipe.window,
            learned.target,
            recipe.hop,
            recipe.over_time.delay,
        )
        if recipe.over_time.spliced
        else ClipDataset(
            data,
            split["train"],
            *window,
            shift=recipe.augmentation.shift,
            seed=recipe.seed,
            copies=copies,
        )
    )
    statistics = (
        initial.statistics(training.specs)
        if recipe.normalisation == "init" and initial
        else normalisation_of(plain, recipe.normalisation)
    )
    lightning.seed_everything(recipe.seed, verbose=False)
    model, start = _model(recipe, training.specs, learned, initial)
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
            "licence": _licence(recipe, data, initial),
            "protocol": protocol,
            "fold": fold,
            "seed": recipe.seed,
            "clips": len(split["train"]),
            **({"labels": rule} if (rule := replace(recipe.labels, file="").changes()) else {}),
            **start,
        },
    )
    if baselines := spec.baselines:
        training.speakers = SpeakerBaselines(data, split["train"], baselines, "all")
        development.speakers = SpeakerBaselines(data, split["development"], baselines, "past")
    networks = data.networks(recipe.streams)
    network_entries(networks)  # what could not be written is told before it is trained
    try:
        spec.check()
    except ValueError as error:
        raise AffuseError(f"recipe {recipe.name}: {error}") from error
    fit(learner, batches, judged, folder, label, selected, device, first, say)
    if task.over_time:
        held = split["development"]
        spec.smoothing = best_smoothing(
            model.eval(), spec, data, held, recipe, development.speakers
        )
    save_model(folder / MODEL_FILE, model, spec, networks)


def _licence(recipe: Recipe, data: Store, initial: Initial | None) -> str:
    """Terms of everything that the weights were made from: the data, and networks before them."""
    terms = [data.licence]
    for name in recipe.streams:
        before = data.stream(name).spec.recipe.get("licence")
        if before is not None:
            terms.append(f"{name}: {before}")
    if recipe.backbone:
        before = read_spec(Path(recipe.backbone)).training.get("licence", "not stated")
        terms.append(f"backbone {Path(recipe.backbone).name}: {before}")
    if initial:
        before = initial.spec.training.get("licence", "not stated")
        terms.append(f"init {initial.path.name}: {before}")
    return "; ".join(terms)


def _options(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.model.items() if key != "name"}


def _initial(recipe: Recipe, learned: TrainingTargets) -> Initial | None:
    """The weights that training starts from; None for fresh ones."""
    if recipe.resume_path:
        return read_continued(recipe, learned.names)
    return read_initial(recipe) if recipe.init else None


def _model(
    recipe: Recipe, specs: dict[str, StreamSpec], learned: TrainingTargets, initial: Initial | None
) -> tuple[Model, dict[str, Any]]:
    """The recipe's model before training, and what is told of the weights that it starts from."""
    model = create_model(recipe.model["name"], specs, len(learned.names), **_options(recipe))
    if recipe.backbone:
        load_backbone(model, Path(recipe.backbone))
    if initial is None:
        return model, {}
    if recipe.normalisation == "init":
        initial.statistics(specs)
    return model, {"init": initial.facts(recipe, initial.give(model, recipe, learned.names))}
