"""A model calibrated on development clips, for each set of modalities that can be present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.conditions import condition, default_conditions
from affuse.evaluation.evaluate import label_rule
from affuse.evaluation.members import Member, is_model_file
from affuse.evaluation.seen import learned_from, seen_in_training, selected_on
from affuse.evaluation.subject import Subject, open_subject
from affuse.execution.progress import progress
from affuse.execution.text import identity
from affuse.inference.clips import ClipModel
from affuse.metrics.calibration import calibration
from affuse.metrics.conformal import conformal_threshold, not_ruled_out
from affuse.metrics.scaling import Windowed, fit_scaling
from affuse.models.applied import Change
from affuse.models.calibration import (
    COVERAGES,
    MaskCalibration,
    ModelCalibration,
    mask_name,
)
from affuse.models.modelfile import save_spec
from affuse.tasks.class_judgement import ClassJudgement
from affuse.tasks.classification import ClassWindows
from affuse.tasks.dimensional_judgement import DimensionalJudgement
from affuse.tasks.judgement import Judgement
from affuse.tasks.windows import NotFinite
from affuse.training.run import read_recipe

_CLIPS = 32  # that are predicted together, of tasks with one answer per window
#: Thresholds are rounded up to this.
_DIGITS = 1e6


@dataclass(frozen=True)
class Calibrated:
    """A model file that was calibrated.

    Args:
        file: Where it lies now.
        fold: Number.
        calibration: What it holds.
        scores: Mask -> scores on the development clips by name: of classes `ece_before`;
            `ece_after` and `set_size`, of each clip as scaled without its speaker; and where a bias
            was tried `nll_temperature` and `nll_bias` in the same way.
    """

    file: Path
    fold: int
    calibration: ModelCalibration
    scores: dict[str, dict[str, float]]


def calibrate(
    path: Path,
    store: Path | Sequence[Path] | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    out: Path | None = None,
    coverage: float = 0.9,
    device: str = "cpu",
) -> tuple[list[Calibrated], list[str]]:
    """Calibrate a model, or every fold of a run, each on its own development clips.

    Class scores get a temperature, and a bias for each class where that helps speakers who were
    left out of its fit; then a threshold is found that tells which classes are not ruled out, and
    of values over time how far they are from the truth. All of it once for each mask: both
    modalities, sound alone, images alone.

    Args:
        path: Folder that `train` made, or a model file.
        store: Where the streams are; of a run, if they have moved since training.
        protocol: Of a model file: whose development clips.
        fold: Of the protocol; by default the one that the file was trained in, or the first.
        out: The model file to write; by default the files themselves are written anew.
        coverage: Share of the clips, or frames, of new speakers that sets and bands shall hold.
        device: Torch device.

    Returns:
        What was written, and why it may be too good: development clips that chose the epoch.

    Raises:
        BadInput: There are no development clips, or the model has learned from some.
        AffuseError: The arguments do not go together.
    """
    if not COVERAGES[0] <= coverage <= COVERAGES[1]:
        raise AffuseError(
            f"coverage is {coverage:g}; expected {COVERAGES[0]:g} to {COVERAGES[1]:g}"
        )
    if is_model_file(path) and protocol is None:
        raise AffuseError(
            f"{path} is a model file; say whose development clips calibrate it: --protocol"
        )
    place = path if out is None else out
    folder = place.parent if is_model_file(place) else place
    subject = open_subject([path], store, protocol, fold, "development", folder)
    if out is not None and len(subject.members) > 1:
        raise AffuseError(f"{path} has {len(subject.members)} folds; --out is for one model")
    names = default_conditions(subject.streams)
    rule, streams = label_rule(subject, {}), list(subject.streams)
    judgement = subject.task.judgement(subject.data, streams, rule, None, names)
    changes: dict[str, Change | None] = {name: condition(name, subject.streams) for name in names}
    _, parts = subject.parts(judgement.clips, judgement.known)
    found, warnings = [], _selected(subject)
    for part in parts:
        (member,) = part.members
        tested = {*member.split["test"]}
        clips = [clip for clip in part.clips if clip.id not in tested]
        warnings += _refused(member, clips, run=subject.run is not None)
        try:
            own = _calibrated(member, clips, judgement, changes, coverage, device)
        except NotFinite as error:
            raise BadInput(member.file, str(error)) from error
        target = member.file if out is None else out
        save_spec(member.file, replace(member.spec, calibration=own[0]), target)
        found.append(Calibrated(target, member.fold, *own))
    return found, warnings


def _selected(subject: Subject) -> list[str]:
    return [] if subject.run is None else selected_on(read_recipe(subject.run), "development")


def _refused(member: Member, clips: Sequence[Clip], run: bool) -> list[str]:
    """Refuse clips that cannot calibrate a model; what may be too good about others."""
    if not clips:
        raise BadInput(member.file, "has no development clips that are not tested; nothing to fit")
    if known := learned_from(member, clips):
        raise BadInput(
            member.file,
            f"has learned from {len(known)} of the {len(clips)} development clips, such as "
            f"{known[0]}; they calibrate nothing",
        )
    return [] if run else seen_in_training(member, clips, developed=False)


def _calibrated(
    member: Member,
    clips: Sequence[Clip],
    judgement: Judgement,
    changes: Mapping[str, Change | None],
    coverage: float,
    device: str,
) -> tuple[ModelCalibration, dict[str, dict[str, float]]]:
    said = _predicted(member, clips, changes, device)
    if isinstance(judgement, DimensionalJudgement):
        masks = _bands(member, clips, judgement, said, coverage)
        found = ModelCalibration(coverage, masks)
        scores: dict[str, dict[str, float]] = {name: {} for name in masks}
    else:
        assert isinstance(judgement, ClassJudgement)
        names = [judgement.targets.class_of(clip.id) for clip in clips]
        true = np.array([member.spec.outputs.index(name) for name in names])
        found, scores = _classes(said, true, _speakers(clips), coverage)
    if not found.masks:
        raise BadInput(member.file, "reads nothing of the development clips; nothing to fit")
    return found, scores


def _predicted(
    member: Member, clips: Sequence[Clip], changes: Mapping[str, Change | None], device: str
) -> dict[str, list[Any]]:
    """Condition -> what the model says about each clip, as if it had not been calibrated before."""
    spec = replace(member.spec, calibration=None)
    model = ClipModel(member.open(device), spec, member.data, changes)
    found: dict[str, list[Any]] = {name: [] for name in changes}
    for first in progress(range(0, len(clips), _CLIPS), f"calibrate fold {member.fold}"):
        for name, said in model.predict(clips[first : first + _CLIPS]).items():
            found[name] += said
    return found


def _classes(
    said: Mapping[str, Sequence[ClassWindows]],
    true: np.ndarray,
    speakers: np.ndarray,
    coverage: float,
) -> tuple[ModelCalibration, dict[str, dict[str, float]]]:
    """Scaling and thresholds of classes.

    Thresholds and scores are of what a clip is said by a scaling that does not know its speaker.
    """
    masks, scores = {}, {}
    for name, windows in said.items():
        rows = _of_mask(name, windows)
        if not len(rows):
            continue
        clips = _windowed(windows, rows, true, speakers)
        fit = fit_scaling(clips)
        strange = 1 - fit.held_out[np.arange(len(rows)), clips.true]
        threshold = _rounded(conformal_threshold(strange, clips.speakers, coverage))
        bias = [] if fit.scaling.bias is None else fit.scaling.bias.tolist()
        count = len(np.unique(clips.speakers))
        temperature = fit.scaling.temperature
        masks[name] = MaskCalibration(temperature, bias, [threshold], len(rows), count)
        before = np.stack([windows[k].overall for k in rows])
        scores[name] = {
            "ece_before": calibration(before, clips.true).ece,
            "ece_after": calibration(fit.held_out, clips.true).ece,
        }
        if threshold is not None:
            left = not_ruled_out(fit.held_out, threshold)
            scores[name]["set_size"] = float(left.sum(1).mean())
        if fit.losses is not None:
            scores[name] |= dict(zip(("nll_temperature", "nll_bias"), fit.losses, strict=True))
    return ModelCalibration(coverage, masks), scores


def _of_mask(name: str, said: Sequence[ClassWindows]) -> np.ndarray:
    """Which clips have the modalities of a mask, and something is said about them."""
    return np.flatnonzero(
        [mask_name(x.modalities) == name and not np.isnan(x.overall).any() for x in said]
    )


def _windowed(
    said: Sequence[ClassWindows], rows: np.ndarray, true: np.ndarray, speakers: np.ndarray
) -> Windowed:
    known = [said[k].probabilities[~np.isnan(said[k].probabilities).any(1)] for k in rows]
    logits = np.log(np.concatenate(known).astype(float).clip(1e-30))
    return Windowed(logits, np.array([len(x) for x in known]), true[rows], speakers[rows])


def _bands(
    member: Member,
    clips: Sequence[Clip],
    judgement: DimensionalJudgement,
    said: Mapping[str, Sequence[Any]],
    coverage: float,
) -> dict[str, MaskCalibration]:
    """How far values are from the annotation, in the annotated frames that the model knows."""
    masks = {}
    for name, series in said.items():
        first = len(judgement.judged[name])
        for clip, own in zip(clips, series, strict=True):
            judgement.add(name, member.fold, clip, [own], [member.spec])
        judged = judgement.judged[name][first:]
        if not judged:
            continue
        there = [x.known & x.labelled for x in judged]
        far = np.concatenate(
            [np.abs(x.final - x.truth)[rows] for x, rows in zip(judged, there, strict=True)]
        )
        people = _speakers([x.clip for x in judged])
        frames = np.repeat(people, [int(rows.sum()) for rows in there])
        limits = [_rounded(conformal_threshold(column, frames, coverage)) for column in far.T]
        masks[name] = MaskCalibration(1.0, [], limits, len(judged), len(np.unique(people)))
    return masks


def _speakers(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([identity(clip.speaker or clip.id) for clip in clips])


def _rounded(threshold: float | None) -> float | None:
    """Rounded up, so that what lay below it still does."""
    return None if threshold is None else float(np.ceil(threshold * _DIGITS) / _DIGITS)
