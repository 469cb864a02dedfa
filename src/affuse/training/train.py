"""Recipe and store to a run: one model per fold, resumable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from affuse.audit.leaks import split_clips
from affuse.audit.split_check import check_split
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Protocol
from affuse.corpora.together import same_corpora
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import locked
from affuse.execution.memory import keep_freed
from affuse.features.joined import open_stores
from affuse.features.scores import check_classes
from affuse.features.speakers import check_speakers
from affuse.features.store import Store
from affuse.tasks.registry import TASKS
from affuse.tasks.targets import TrainingTargets
from affuse.training.augmentations.augment import check_augmentation
from affuse.training.continued import read_continued
from affuse.training.device import trainer_device
from affuse.training.fold import Training, initial_model, train_fold
from affuse.training.initial import Initial, initial_leaks, read_initial
from affuse.training.opening import open_copy, open_run
from affuse.training.plateau import freeze_backbone
from affuse.training.processes import agreed, number, of_first, together
from affuse.training.recipe import Recipe
from affuse.training.run import MODEL_FILE
from affuse.training.selection import learned_task, selected_score
from affuse.training.stores import with_shared_labels
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

    The process keeps the memory of its batches (`affuse.execution.memory`). Processes that torchrun
    or `srun` started train together (`affuse.training.processes`), each on `batch_size` clips of a
    step; the first one writes.

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
        copies: Stores of the same clips, made of changed recordings (`prepare --change`), each of
            one corpus: each epoch reads a training clip from one of those of its corpus, or from
            `store`.

    Yields:
        (fold, model file) as folds finish.

    Raises:
        BadInput: The store is of another corpus or lacks a stream, or stores do not go together;
            the run exists already, or was begun by another number of processes.
        AffuseError: The protocol does not fit the clips, the split leaks, there is no such device,
            a stream, loss, gradient or weight is not finite, or one of several processes was lost.
    """
    keep_freed()
    with together():
        with agreed():
            trainer_device(device)
            run, splits, begin = _planned(
                recipe, store, Path(out), folds, resume, allow, device, say, copies
            )
        of_first(begin)
        for fold, split in splits.items():
            folder = Path(out) / f"fold{fold}"
            if not of_first((folder / MODEL_FILE).is_file):
                train_fold(run, split, fold, folder)
            yield fold, folder / MODEL_FILE


def _planned(
    recipe: Recipe,
    store: Path | Sequence[Path],
    out: Path,
    folds: list[int] | None,
    resume: bool,
    allow: Collection[str],
    device: str,
    say: Callable[[str], None],
    copies: Sequence[Path],
) -> tuple[Training, dict[int, dict[str, list[Clip]]], Callable[[], None]]:
    """What is to be trained, the clips of each fold by role, and what begins the run's folder."""
    if number():
        say = _quiet
    if copies and recipe.over_time.spliced:
        raise AffuseError("over_time.spliced reads no copies of clips")
    data = open_stores(store)
    if not same_corpora(data.corpus, recipe.corpus):
        raise BadInput(
            data.path, f"is a store of {data.corpus}; recipe {recipe.name} needs {recipe.corpus}"
        )
    changed = [open_copy(data, Path(path)) for path in copies]
    held = TASKS[data.task]
    if held.over_time and not TASKS[recipe.task].over_time:
        raise BadInput(data.path, f"holds {held.predicts}; set task={data.task}, not {recipe.task}")
    recipe = with_shared_labels(recipe, data)
    learned = training_targets(recipe, data)
    protocol = load_protocol(recipe.protocol, data.clips)
    if protocol.corpus and protocol.corpus != data.corpus:
        raise AffuseError(f"protocol {protocol.name} is of {protocol.corpus}, not {data.corpus}")
    wanted = folds if folds is not None else list(range(len(protocol.folds)))
    splits = {fold: _split(protocol, fold, learned, data, recipe.limit) for fold in wanted}
    for fold, split in splits.items():
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
    model, start = initial_model(recipe, specs, learned, initial)
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
    run = Training(recipe, data, changed, learned, protocol.name, initial, device, say)

    def begin() -> None:
        with locked(out):  # folds may be begun by several commands at once
            open_run(run, protocol, checked, start, out, resume)

    return run, splits, begin


def _quiet(line: str) -> None:
    """The first of several processes says it."""


def _initial(recipe: Recipe, learned: TrainingTargets) -> Initial | None:
    """The weights that training starts from; None for fresh ones."""
    if recipe.resume_path:
        return read_continued(recipe, learned.names)
    return read_initial(recipe) if recipe.init else None


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
