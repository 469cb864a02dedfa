"""What is evaluated: a run, fold by fold, or model files, together as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import Protocol
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.members import Member, is_model_file, read_members
from affuse.evaluation.seen import seen_in_training, selected_on
from affuse.features.speakers import NO_BASELINE, Amount
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.tasks.registry import TASKS, task_of
from affuse.tasks.task import Task
from affuse.training.run import evaluation_folder, read_recipe

Role = Literal["test", "development"]


@dataclass(frozen=True)
class Part:
    """Models that make one prediction of each clip together, and the clips that are scored.

    Args:
        fold: Number.
        members: One for a fold of a run; several files are an ensemble.
        clips: In the order of the store.
    """

    fold: int
    members: list[Member]
    clips: list[Clip]

    def reading(self, data: Store) -> Part:
        """The same with streams from elsewhere."""
        return replace(self, members=[replace(one, data=data) for one in self.members])


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Args:
        run: Folder of the run; None for model files.
        members: The models.
        role: Which clips, where that was asked for.
        out: Folder for the results.
    """

    run: Path | None
    members: list[Member]
    role: Role | None
    out: Path

    @property
    def protocol(self) -> Protocol | None:
        """What model files are evaluated by."""
        return self.members[0].protocol

    @property
    def data(self) -> Store:
        """Where the streams and labels are."""
        return self.members[0].data

    @property
    def task(self) -> Task:
        """What the models predict, with the outputs of all of them."""
        first = self.members[0].spec
        told = {name for member in self.members for name in member.spec.outputs}
        others = told - set(first.outputs)
        names = [name for name in self.data.classes if name in told] if others else first.outputs
        return task_of(first.task, names)

    @property
    def title(self) -> str:
        """The run or the files in a few words."""
        if self.run is not None:
            return self.run.name
        more = f" and {len(self.members) - 1} more" if len(self.members) > 1 else ""
        return self.members[0].file.name + more

    @property
    def streams(self) -> dict[str, StreamSpec]:
        """All streams that the models read."""
        return {name: spec for m in self.members for name, spec in m.spec.streams.items()}

    def parts(self, clips: Sequence[Clip], known: str) -> tuple[str, list[Part]]:
        """The clips that are scored, and by which models.

        Args:
            clips: Those of the store whose truth is known.
            known: What they have, for the message.

        Returns:
            Their role (`all` without a protocol; `development` also where no test clip is known
            and no role was asked for), and the parts: the folds of a run, or one.

        Raises:
            BadInput: There is no such clip.
        """
        for role in [self.role] if self.role else ["test", "development"]:
            found = [
                Part(part[0].fold, part, _of_role(role, part, clips)) for part in self._together
            ]
            if any(part.clips for part in found):
                return ("all" if self._whole else role), found
        roles = f"no {self.role}" if self.role else "neither test nor development"
        where = self.run or self.data.path
        of = f" of {self.protocol.name}" if self.protocol is not None else ""
        raise BadInput(where, f"has {'no' if self._whole else roles} clips{of} {known}")

    @property
    def _together(self) -> list[list[Member]]:
        """The models of a run by themselves, files together."""
        return [self.members] if self.run is None else [[member] for member in self.members]

    @property
    def _whole(self) -> bool:
        """Whether the clips of a store are scored without a protocol."""
        return self.run is None and self.protocol is None

    def facts(self, role: str, parts: Sequence[Part]) -> dict[str, Any]:
        """What `metrics.json` says about it, before the scores."""
        changed = {"changes": self.data.changes} if self.data.changes else {}
        return {**self._models(role, parts), **changed}

    def _models(self, role: str, parts: Sequence[Part]) -> dict[str, Any]:
        if self.run is not None:
            task = {"task": self.task.name} if self.task.over_time else {}
            return {
                "run": self.run.name,
                **task,
                "role": role,
                "folds": len(parts),
                "warnings": selected_on(
                    read_recipe(self.run), role, any(m.spec.calibration for m in self.members)
                ),
            }
        protocol = self.protocol
        return {
            "models": [member.name for member in self.members],
            "task": self.task.name,
            "corpus": self.data.corpus,
            "protocol": None
            if protocol is None
            else {
                "name": protocol.name,
                "version": protocol.version,
                "sha256": protocol.sha256 or None,
                "folds": len(protocol.folds),
            },
            "fold": None if protocol is None else parts[0].fold,
            "role": role,
            "folds": 1,
            "warnings": self._warnings(role, parts[0]),
        }

    def _warnings(self, role: str, part: Part) -> list[str]:
        """What makes the scores of model files too good, or not comparable."""
        data, protocol = self.data, self.protocol
        lines = [line for member in self.members for line in seen_in_training(member, part.clips)]
        if protocol is not None:
            rows = protocol.folds[part.fold]
            if gone := [row for row in protocol.missing(data.clips) if role in rows[row]]:
                lines.append(
                    f"{data.path} lacks {len(gone)} of the {role} {protocol.key}s of "
                    f"{protocol.name}, such as {gone[0]}: the scores are not comparable"
                )
            has = zip(data.clips, protocol.roles(part.fold, data.clips), strict=True)
            usable = set.intersection(*(set(member.split[role]) for member in self.members))
            if lost := [clip.id for clip, own in has if role in own and clip.id not in usable]:
                lines.append(
                    f"{len(lost)} {role} clips of {protocol.name} have none of the streams, such "
                    f"as {lost[0]}: the scores are not comparable"
                )
        return lines


def open_subject(
    paths: Sequence[Path],
    store: Path | Sequence[Path] | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    role: Role | None = None,
    out: Path | None = None,
    baseline: Amount = "none",
) -> Subject:
    """What is evaluated, checked against its store.

    Args:
        paths: One run, or model files that predict together.
        store: Where the streams are; not needed for a run whose store has not moved.
        protocol: Of model files; without one all clips of the store are scored.
        fold: Of the protocol; see `affuse.evaluation.members.file_member`.
        role: Which clips; by default the test clips.
        out: Folder for the results; see `results_folder`.
        baseline: What is known of the speakers of clips.

    Raises:
        BadInput: A path is neither, or the store does not fit it.
        AffuseError: The paths do not go together, or something about them was not said.
    """
    runs = [path for path in paths if not is_model_file(path)]
    if runs and len(paths) > 1:
        raise AffuseError("name one run, or one or several model files")
    members = read_members(paths, store, protocol, fold)
    if out is None and (changed := [m.data for m in members if m.data.changes]):
        raise AffuseError(
            f"{changed[0].path} is of changed recordings ({', '.join(changed[0].changes)}); say "
            "where the results go: --out"
        )
    if baseline != "none" and (other := [m.file for m in members if m.spec.shrinkage is None]):
        raise BadInput(other[0], NO_BASELINE)
    run = runs[0] if runs else None
    if run is None:
        if role is not None and protocol is None:
            raise AffuseError("--role needs --protocol")
        folds = sorted({member.fold for member in members})
        if len(folds) > 1:
            raise AffuseError(
                f"the models were trained in folds {', '.join(map(str, folds))}; say whose clips "
                "are scored: --fold"
            )
        _check_together(members)
    folder = results_folder(paths, role, out, baseline)
    _check_writable(folder)
    return Subject(run, members, role, folder)


def results_folder(
    paths: Sequence[Path], role: str | None = None, out: Path | None = None, baseline: str = "none"
) -> Path:
    """Where results lie by default: in the run, or beside the model file.

    Raises:
        AffuseError: There are several model files and no folder.
    """
    if out is not None:
        return out
    if not is_model_file(paths[0]):
        return evaluation_folder(paths[0], role, baseline=baseline)
    if len(paths) > 1:
        raise AffuseError("several model files are scored together; say where to: --out")
    return evaluation_folder(paths[0].parent, role, paths[0].stem, baseline)


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, before anything is computed."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BadInput(there, "is a file; results need a folder")
    if not os.access(there, os.W_OK):
        raise BadInput(there, "cannot be written to; say where to: --out")


def _of_role(role: str, members: Sequence[Member], clips: Sequence[Clip]) -> list[Clip]:
    """Those of some clips that have a role for all models."""
    ids = set.intersection(*(set(member.split[role]) for member in members))
    return [clip for clip in clips if clip.id in ids]


def _check_together(members: Sequence[Member]) -> None:
    """Refuse models that cannot predict together."""
    first = members[0]
    for other in members[1:]:
        if other.spec.task != first.spec.task:
            raise BadInput(
                other.file, f"is for {other.spec.task}, {first.name} for {first.spec.task}"
            )
        if not TASKS[first.spec.task].over_time and set(other.spec.outputs) != set(
            first.spec.outputs
        ):
            raise BadInput(
                other.file,
                f"has the classes {', '.join(other.spec.outputs)}; {first.name} has "
                f"{', '.join(first.spec.outputs)}",
            )
