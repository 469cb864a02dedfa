"""A run or model files judged under every condition: per-clip predictions and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from affuse.corpora.labels import Labels
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.conditions import (
    CONDITIONS,
    changed_modality,
    condition,
    default_conditions,
)
from affuse.evaluation.subject import Part, Role, Subject, open_subject
from affuse.execution.progress import progress
from affuse.features.speakers import AMOUNTS, Amount
from affuse.features.store import Store
from affuse.inference.clips import ClipModel
from affuse.models.applied import Change
from affuse.suggestions import unknown
from affuse.tasks.judgement import Judgement
from affuse.tasks.windows import NotFinite
from affuse.training.run import read_recipe
from affuse.training.targets import training_targets

_CLIPS = 32  # that are predicted together, of tasks with one answer per window


def evaluate(
    run: Path | Sequence[Path],
    conditions: Sequence[str] | None = None,
    store: Path | Sequence[Path] | None = None,
    device: str = "cpu",
    truth: Path | None = None,
    role: Role | None = None,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    labels: Mapping[str, Any] | None = None,
    out: Path | None = None,
    baseline: Amount = "none",
) -> dict[str, Any]:
    """Predict clips under each condition, and score the predictions.

    Of a run the test clips of all trained folds are scored together. Of model files, converted or
    trained, the test clips of one fold of a protocol are, or all of a store; several files are an
    ensemble. Each clip is judged as `predict` would. Where a protocol has no test clip here, the
    development clips are used, and the result says so.

    Args:
        run: Folder that `train` made, or one or several model files.
        conditions: Names in `CONDITIONS`; by default those of what the model reads: `av`, `audio`
            and `video`, or its one modality.
        store: Where the streams are, in one or several stores; of a run, if they have moved since
            training.
        device: Torch device.
        truth: For continuous valence and arousal: folder with `<clip>.csv`, used instead of the
            annotation.
        role: Which clips; of `development` the results lie in `evaluation-development`.
        protocol: Of model files: name or file of a protocol.
        fold: Of the protocol; by default the one that a file was trained in, or the first.
        labels: Of model files of classes: how clips get their labels, as in recipes; by default
            as in training, of converted files as given.
        out: Folder for the results; by default `evaluation` in the run, or `<model>-evaluation`
            beside the model file. Those of another `baseline` have a folder of their own.
        baseline: What models that were trained with `normalisation: speaker` know of the speaker
            of a clip: `none`; `past`, the clips before it in an order that depends on their ids
            alone; or `all` clips of the speaker, without their labels (transductive).

    Returns:
        The scores as written to `metrics.json`; predictions and figures lie beside it.

    Raises:
        BadInput: A folder is no run, a file no model file, no fold has been trained, or the store
            does not fit.
        AffuseError: The arguments do not go together.
    """
    for name in conditions or ():
        CONDITIONS[name]  # a wrong name is told first
    evaluation = Evaluation(run, store, device, truth, role, protocol, fold, labels, out, baseline)
    subject = evaluation.subject
    judgement, result = evaluation.judge(conditions or default_conditions(subject.streams))
    judgement.write(subject.out, result)
    judgement.draw(subject.out, result, subject.title)
    return result


class Evaluation:
    """What is evaluated, and how; the arguments are those of `evaluate`.

    Attributes:
        subject: The run or model files, with their clips.

    Raises:
        BadInput: As in `evaluate`.
        AffuseError: As there.
    """

    def __init__(
        self,
        run: Path | Sequence[Path],
        store: Path | Sequence[Path] | None = None,
        device: str = "cpu",
        truth: Path | None = None,
        role: Role | None = None,
        protocol: str | None = None,
        fold: int | None = None,
        labels: Mapping[str, Any] | None = None,
        out: Path | None = None,
        baseline: Amount = "none",
    ) -> None:
        paths = [run] if isinstance(run, Path) else list(run)
        self.subject = subject = open_subject(paths, store, protocol, fold, role, out, baseline)
        self.truth, self.baseline, self._device = truth, baseline, device
        task = subject.task
        if labels and (task.over_time or subject.run is not None):
            why = "has a recipe that says its labels"
            why = f"predicts {task.entry.predicts}" if task.over_time else why
            raise AffuseError(f"--labels is for model files of classes; {paths[0]} {why}")
        if truth is not None and not task.over_time:
            raise AffuseError(
                f"--truth is for continuous valence and arousal; {paths[0]} predicts "
                f"{task.entry.predicts}"
            )
        self.rule = label_rule(subject, labels or {})

    def empty(self, conditions: Sequence[str]) -> Judgement:
        """A place for predictions under some conditions."""
        subject = self.subject
        streams = list(subject.streams)
        judgement = subject.task.judgement(
            subject.data, streams, self.rule, self.truth, list(conditions)
        )
        judgement.baseline = AMOUNTS[self.baseline]
        return judgement

    def parts(self, judgement: Judgement) -> tuple[str, list[Part]]:
        """The role of the clips, and which models predict which of them."""
        return self.subject.parts(judgement.clips, judgement.known)

    def judge(
        self, conditions: Sequence[str], data: Store | None = None
    ) -> tuple[Judgement, dict[str, Any]]:
        """Predict and score.

        Args:
            conditions: Names in `CONDITIONS`.
            data: Where the streams are, if not where those of the subject are.

        Returns:
            The predictions, and the scores as `metrics.json` has them.
        """
        subject = self.subject
        changes: dict[str, Change | None] = {n: condition(n, subject.streams) for n in conditions}
        judgement = self.empty(list(changes))
        clip_role, parts = self.parts(judgement)
        for part in parts:
            read = part if data is None else part.reading(data)
            _judge(read, judgement, changes, self._device, self.baseline)
        told = None if subject.run is not None else {"rule": self.rule.rule, **self.rule.changes()}
        called = {str(m.fold) if subject.run else m.name: m.spec for m in subject.members}
        facts = {**subject.facts(clip_role, parts), "baseline": AMOUNTS[self.baseline]}
        return judgement, {**facts, **judgement.result(told, called)}


def _judge(
    part: Part,
    judgement: Judgement,
    changes: Mapping[str, Change | None],
    device: str,
    baseline: Amount,
) -> None:
    """Add what the models of a part say about its clips."""
    changed = {name: changed_modality(name) for name in changes}
    models = [
        ClipModel(member.open(device), member.spec, member.data, changes, changed, baseline)
        for member in part.members
    ]
    specs = [member.spec for member in part.members]
    together = 1 if models[0].task.over_time else _CLIPS
    for first in progress(range(0, len(part.clips), together), f"evaluate fold {part.fold}"):
        group = part.clips[first : first + together]
        said = []
        for member, model in zip(part.members, models, strict=True):
            try:
                said.append(model.predict(group))
            except NotFinite as error:
                raise BadInput(member.file, str(error)) from error
        for name in changes:
            for k, clip in enumerate(group):
                try:
                    judgement.add(name, part.fold, clip, [own[name][k] for own in said], specs)
                except NotFinite as error:
                    raise BadInput(part.members[0].file, str(error)) from error


def label_rule(subject: Subject, changes: Mapping[str, Any]) -> Labels:
    """How clips get their labels.

    Args:
        subject: What is evaluated.
        changes: Of the label rule of model files.

    Raises:
        BadInput: The store has other classes than the run.
        AffuseError: The label rule does not fit.
    """
    data, spec = subject.data, subject.members[0].spec
    if subject.task.over_time:
        return Labels()
    if subject.run is not None:
        recipe = read_recipe(subject.run)
        names = training_targets(recipe, data).names
        if names != spec.outputs:
            raise BadInput(
                data.path,
                f"has the classes {', '.join(names)}; the model has {', '.join(spec.outputs)}",
            )
        return recipe.labels
    known = [one.name for one in fields(Labels)]
    if wrong := [key for key in changes if key not in known]:
        raise unknown("label key", wrong[0], known)
    by_default = {"rule": "distribution"} if subject.task.entry.votes else {}
    values = {**by_default, **spec.training.get("labels", {}), **changes}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Labels)
    try:
        rule = Labels(**parser.instantiate(parser.parse_object(values)).as_dict())
    except (ArgumentError, TypeError, ValueError) as error:
        raise AffuseError(f"--labels: {' '.join(str(error).split())}") from None
    if "classes" in changes:
        return rule
    there = {rule.map.get(name, name) for name in data.classes}  # another corpus may lack some
    return replace(rule, classes=tuple(name for name in rule.classes if name in there))
