"""Models with the clips that they are evaluated on: the folds of a run, or model files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import ROLES, Protocol
from affuse.errors import AffuseError, BadInput
from affuse.features.extractor import check_same_stream
from affuse.features.joined import open_stores
from affuse.features.store import Store
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec, load_model, move_to, read_spec
from affuse.tasks.registry import TASKS, task_of
from affuse.training.run import MODEL_FILE, fold_number, read_run, read_split, trained_folds
from affuse.training.stores import stores_of


@dataclass(frozen=True, eq=False)
class Member:
    """A model and the clips of its fold.

    Args:
        name: Of the model, as the user named it or its run.
        fold: Number; 0 without a protocol.
        file: The model file.
        data: Where its streams are.
        spec: Of the model.
        split: Role -> clip ids; without a protocol all clips with its streams are `test`.
        protocol: What a model file is evaluated by; None for the fold of a run, or for all clips.
    """

    name: str
    fold: int
    file: Path
    data: Store
    spec: ModelSpec
    split: dict[str, list[str]]
    protocol: Protocol | None = None

    def usable(self, ids: Collection[str]) -> list[Clip]:
        """Those of some clips that have the streams of the model."""
        return [clip for clip in self.data.usable(list(self.spec.streams)) if clip.id in ids]

    def open(self, device: str) -> Model:
        """The model in evaluation mode, on a device.

        Raises:
            BadInput: The file is damaged, or its model ends in something else.
            AffuseError: No such device.
        """
        model, _ = load_model(self.file)
        task_of(self.spec.task, self.spec.outputs).check_model(model, self.file)
        move_to(model, device)
        return model


def run_members(run: Path, store: Path | Sequence[Path] | None = None) -> list[Member]:
    """The trained folds of a run.

    Args:
        run: Folder that `train` made.
        store: Where the streams are, if they have moved since training.

    Raises:
        BadInput: The folder is no run, no fold has been trained, or the store does not fit it.
        AffuseError: A stream of the store is not made as that of the training was.
    """
    data = open_stores(store or stores_of(read_run(run)))
    members = []
    for folder in trained_folds(run):
        fold, file = fold_number(folder), folder / MODEL_FILE
        split = read_split(folder)
        members.append(Member(f"{run}/fold{fold}", fold, file, data, read_spec(file), split))
        _check_store(members[-1])
    return members


def file_member(
    file: Path, data: Store, protocol: Protocol | None = None, fold: int | None = None
) -> Member:
    """A model file and the clips of a protocol.

    Args:
        file: Converted or trained.
        data: Where the streams are.
        protocol: Which clips are tested; without one all of the store.
        fold: Of the protocol; by default the one that the file was trained in, where it says so of
            this protocol, or else the first.

    Raises:
        BadInput: The file is no model file, or the store does not fit it.
        AffuseError: A stream of the store is not made as that of the training was, or there is no
            such fold.
    """
    if file.is_file() and file.suffix in (".pth", ".pt", ".tar"):
        raise BadInput(file, "is a checkpoint; affuse convert makes a model file of it")
    spec = read_spec(file)
    if spec.task not in TASKS:
        raise BadInput(file, "gives features alone; there is nothing to score")
    fold = _own_fold(spec, protocol) if fold is None else fold
    member = Member(str(file), fold, file, data, spec, {}, protocol)
    _check_store(member)
    ids = [clip.id for clip in data.usable(list(spec.streams))]
    if protocol is None:
        member.split.update({"train": [], "development": [], "test": ids})
    else:
        has = dict(zip([c.id for c in data.clips], protocol.roles(fold, data.clips), strict=True))
        member.split.update({role: [clip for clip in ids if role in has[clip]] for role in ROLES})
    return member


def read_members(
    paths: Sequence[Path],
    store: Path | Sequence[Path] | None = None,
    protocol: str | None = None,
    fold: int | None = None,
) -> list[Member]:
    """The trained folds of runs, and model files.

    Args:
        paths: Folders that `train` made, and model files.
        store: Where the streams are; not needed for runs whose store has not moved.
        protocol: Name or file of a protocol, for model files.
        fold: Of the protocol; see `file_member`.

    Raises:
        BadInput: A path is neither, or the store does not fit it.
        AffuseError: One is named twice, or the store or a fold is missing.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise AffuseError("a run or model file is named twice")
    files = [path for path in paths if is_model_file(path)]
    if files and store is None:
        raise BadInput(files[0], "is a model file; say where the streams are: --store")
    if not files and protocol is not None:
        raise AffuseError(f"--protocol is for model files; {paths[0]} has its own, of its training")
    if protocol is None and fold is not None:
        raise AffuseError("--fold needs --protocol")
    data = open_stores(store) if files and store is not None else None
    known = None if data is None or protocol is None else protocol_of(data, protocol)
    members = []
    for path in paths:
        if data is not None and path in files:
            members.append(file_member(path, data, known, fold))
        else:
            members.extend(run_members(path, store))
    return members


def is_model_file(path: Path) -> bool:
    """Whether a path is meant as a model file, not as a run."""
    return path.is_file() or (path.suffix == ".safetensors" and not path.is_dir())


def protocol_of(data: Store, name: str) -> Protocol:
    """A protocol for the clips of a store.

    Raises:
        BadInput: It cannot be read.
        AffuseError: It is of another corpus.
    """
    protocol = load_protocol(name, data.clips)
    if protocol.corpus and protocol.corpus != data.corpus:
        raise AffuseError(
            f"protocol {protocol.name} is of {protocol.corpus}; {data.path} holds {data.corpus}"
        )
    return protocol


def check_dimensions(data: Store, names: Sequence[str]) -> None:
    """Refuse a store that does not have the dimensions of a model.

    Raises:
        BadInput: It lacks one of them.
    """
    if other := [name for name in names if name not in data.classes]:
        what = "dimensions" if TASKS[data.task].over_time else "classes"
        raise BadInput(
            data.path, f"has the {what} {', '.join(data.classes)}; the model predicts {other[0]}"
        )


def _own_fold(spec: ModelSpec, protocol: Protocol | None) -> int:
    """The fold that a model was trained in, where that is known of a protocol."""
    fold, name = spec.training.get("fold"), spec.training.get("protocol")
    if protocol is None or not isinstance(name, str):
        return 0
    if Path(name).resolve() != Path(protocol.name).resolve():  # names of files, or the same name
        return 0
    return fold if isinstance(fold, int) and 0 <= fold < len(protocol.folds) else 0


def _check_store(member: Member) -> None:
    """Refuse a store of another task, or whose streams are not those of the model."""
    data, spec = member.data, member.spec
    held, task = TASKS[data.task], TASKS[spec.task]
    if task.over_time:
        check_dimensions(data, spec.outputs)
    elif held.over_time:
        raise BadInput(data.path, f"holds {held.predicts}; {member.name} predicts {task.predicts}")
    for name, trained in spec.streams.items():
        check_same_stream(data.stream(name).spec, trained)
